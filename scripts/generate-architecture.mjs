/**
 * Generates docs/architecture.md: the rooms of src as they import each other.
 *
 *   node scripts/generate-architecture.mjs [--check]
 *
 * `--check` writes nothing and exits 1 when the committed file differs, or when a room has no sentence here.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";
import { fileURLToPath } from "node:url";

const SRC = fileURLToPath(new URL("../src/", import.meta.url));
const OUTPUT = fileURLToPath(new URL("../docs/architecture.md", import.meta.url));

const FACE = "index.ts";
/** Everybody stands on it. */
const GROUND = "base";

const PURPOSE = {
  [FACE]: 'What `import "imds-guard"` gives: names and nothing else.',
  attest:
    "Is it AWS? Reads the signed identity document, holds it against AWS's public keys, this host and the access key.",
  aws: "Facts about AWS: regions, partitions and host names, access key ids and their accounts.",
  base: "The ground: the outside world as one object (`system.ts`), errors, addresses and networks, text, the life of credentials, the loader of SDK modules.",
  cli: "The `imds-guard` program, one file a command.",
  detection: "Sigma rules for IMDS impersonation, and the scanner that runs them over logs.",
  events: "The catalogue of what can happen, and where it is told: stderr, file, channel, OpenTelemetry; ECS and OCSF.",
  firewall:
    "Nothing else in this process reaches a metadata service: hooks under `node:net`, HTTP and DNS, and the classifier of addresses.",
  fleet: "IMDSv2 everywhere: which instances still allow or use version 1, a plan, its application and its undoing.",
  gateway: "One guard for every program of the host: packet filter rules and a responder that asks through the guard.",
  guard:
    "Joins the rooms: settings, verdict, decision, session, proof, life of the credentials, events. `decide.ts` is a pure function.",
  host: "Where am I? One file for each kind of evidence, one that combines them; no network.",
  imds: "Speaks IMDSv2 to one pinned address: transport, token, strict answers, a limit on everything.",
  monitor: "Watches who answers as IMDS and by which way, and reports what changes.",
  network: "What is on this wire? Probe, neighbours, routes, sockets, names.",
  preload: "`node -r imds-guard/register`: firewall on, and the AWS SDK led through a guard.",
  "roles-anywhere":
    "The sanctioned path off EC2: certificates, the X.509 signature, CreateSession, AWS IoT role aliases.",
  sdk: "What the AWS SDK sees: chain, instance metadata, profiles, region, metadata client, adapters of its modules.",
  serving: "Proved credentials on loopback for other programs: `exec`, `serve`.",
  settings: "What the user asked for: options, environment, profile, defaults; read in one place.",
};

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll(sep, "/"))
  .filter((path) => path.endsWith(".ts"))
  .sort()
  .map((path) => ({ path, text: readFileSync(join(SRC, path), "utf8") }))
  .map(({ path, text }) => ({ path, eager: targets(path, text, EAGER()), lazy: targets(path, text, LAZY()) }));

function EAGER() {
  return /(?:^import\s+(?!type\b)[^;]*?\bfrom\s+|^export\s+(?!type\b)[^;]*?\bfrom\s+|^import\s+)"(\.{1,2}\/[^"]+)"/gm;
}

/** Types cost nothing at run time, and `import()` only when it is needed; both are knowledge all the same. */
function LAZY() {
  return /(?:^(?:import|export)\s+type\b[^;]*?\bfrom\s+|\bimport\s*\(\s*)"(\.{1,2}\/[^"]+)"/gm;
}

function targets(path, text, pattern) {
  return [...text.matchAll(pattern)].map(([, specifier]) =>
    normalize(join(dirname(path), specifier))
      .replaceAll(sep, "/")
      .replace(/\.js$/, ".ts"),
  );
}

/** A room is a folder of src with what is below it, or a file directly in src. */
function rooms() {
  return new Map(files.map(({ path }) => [path, path.split("/")[0]]));
}

/** Room -> rooms it imports from; "lazy" where that is only types or on demand. */
function imports(room) {
  const edges = new Map([...new Set(room.values())].sort().map((name) => [name, new Map()]));
  for (const { path, eager, lazy } of files) {
    for (const [list, how] of [
      [lazy, "lazy"],
      [eager, "eager"],
    ]) {
      for (const target of list) {
        const [from, to] = [room.get(path), room.get(target)];
        if (from !== to && edges.get(from)?.get(to) !== "eager") edges.get(from)?.set(to, how);
      }
    }
  }
  return edges;
}

/** How many floors a room stands above the lowest. */
function floorOf(edges) {
  const floors = new Map();
  const visit = (name, trail = []) => {
    if (trail.includes(name)) return 0;
    if (!floors.has(name))
      floors.set(
        name,
        name === GROUND ? 0 : 1 + Math.max(0, ...[...edges.get(name).keys()].map((to) => visit(to, [...trail, name]))),
      );
    return floors.get(name);
  };
  for (const name of edges.keys()) visit(name);
  return floors;
}

/** What a room reaches by others anyway is not drawn; what it loads itself, unless they load it, too. */
function reduced(edges, name) {
  const reaches = (from, to, only, seen = new Set()) =>
    [...edges.get(from)].some(
      ([next, how]) =>
        (only === undefined || how === only) &&
        (next === to || (!seen.has(next) && next !== GROUND && reaches(next, to, only, seen.add(next)))),
    );
  const own = [...edges.get(name)].filter(([to]) => to !== GROUND);
  return own.filter(([to, how]) => {
    const only = how === "eager" ? "eager" : undefined;
    return !own.some(([other, by]) => other !== to && (only === undefined || by === only) && reaches(other, to, only));
  });
}

function generate() {
  const room = rooms();
  const edges = imports(room);
  const floors = floorOf(edges);
  const missing = [...edges.keys()].filter((name) => PURPOSE[name] === undefined);
  if (missing.length > 0)
    throw new Error(`scripts/generate-architecture.mjs has no sentence for: ${missing.join(", ")}`);
  const id = (name) => name.replaceAll(/[^a-z]+/g, "_").replace(/_$/, "");
  const top = Math.max(...floors.values());
  const levels = Array.from({ length: top + 1 }, (_, index) =>
    [...floors].filter(([, floor]) => floor === top - index).map(([name]) => name),
  );
  const drawn = levels.flatMap((names, index) => [
    `  subgraph floor_${top - index} [" "]`,
    "    direction LR",
    ...names.map((name) => `    ${id(name)}["${name}"]`),
    "  end",
  ]);
  const arrows = [...edges.keys()]
    .filter((name) => name !== GROUND)
    .flatMap((name) => {
      const above = reduced(edges, name).map(
        ([to, how]) => `  ${id(name)} ${how === "eager" ? "-->" : "-.->"} ${id(to)}`,
      );
      // Everybody stands on the ground floor; it is drawn for those who stand on nothing else.
      return above.length > 0 ? above : [`  ${id(name)} --> ${id(GROUND)}`];
    });
  const rows = levels.flat().map((name) => {
    const from = [...edges.get(name).keys()].filter((to) => to !== GROUND).sort();
    return `| ${name} | ${PURPOSE[name]} | ${from.join(", ") || "-"} |`;
  });
  return `<!-- Generated by scripts/generate-architecture.mjs from the imports in src; do not edit. -->
# Architecture

Rooms of \`src\`, and who imports whom. A solid arrow is loaded with the room, a dotted one on demand or only for its types.
What a room reaches by way of another is not drawn, and neither is \`base\`, on which every room stands.

\`\`\`mermaid
flowchart TD
${[...drawn, ...arrows].join("\n")}
\`\`\`

## Rooms

From the top down.

| room | what it is for | imports from, besides \`base\` |
|---|---|---|
${rows.join("\n")}

## The rule

A file imports from rooms on floors below its own, and from its own room; there are no cycles of rooms or of files. Rooms of one
floor do not know each other: \`host\`, \`imds\`, \`attest\` and \`network\` meet only in \`guard\`. Types of the AWS SDK stay in \`sdk\`.
[test/package/rooms.test.ts](../test/package/rooms.test.ts) holds every file against this, and
[test/package/architecture.test.ts](../test/package/architecture.test.ts) this page against the imports.

## The way of one request

\`\`\`text
sdk -> guard.credentials()
  settings   what the user asked for                        options, environment, profile
  host       is this EC2?                                   verdict with all its evidence; no packet
  decide     ask, or refuse and say why                     a pure function
  imds       token, role, credentials; one pinned address   one deadline, a limit on everything read
  attest     AWS's signature, this instance, this account   before anything is handed out
  lifetime   kept, renewed ahead of its end, through outages
  events     each step tells what it saw
\`\`\`
`;
}

const text = generate();
if (process.argv.includes("--check")) {
  if (existsSync(OUTPUT) && readFileSync(OUTPUT, "utf8") === text) process.exit(0);
  process.stderr.write("docs/architecture.md is not what the imports in src say; run npm run generate:architecture\n");
  process.exit(1);
}
mkdirSync(dirname(OUTPUT), { recursive: true });
writeFileSync(OUTPUT, text);
