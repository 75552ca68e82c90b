/**
 * The examples that fetch what users name, attacked with every spelling of the metadata addresses: as they are, and
 * without their one line.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { carriers, compressed, groups, IMDS_QUAD } from "../firewall/forms.js";
import { canUnshare } from "../support/machine.mjs";
import type { Run } from "./firewall/worlds.js";
import { runWorld } from "./firewall/worlds.js";

const able = canUnshare();
if (!able.ok) console.log(`e2e (ssrf): skipped, no namespaces can be made here: ${able.reason}`);

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ATTACK = fileURLToPath(new URL("./ssrf/attack.mjs", import.meta.url));
const THE_LINE = /^import "imds-guard\/register";.*\n/m;
const PATH = "/latest/meta-data/iam/security-credentials/";

/** A link-local address needs a zone, and a URL has no place for one. */
const CARRIED = Object.entries(carriers(IMDS_QUAD)).filter(([layout]) => layout !== "isatap, universal");

function hosts(): Record<string, string> {
  const fullWidth = [..."169.254.169.254"]
    .map((char) => (char === "." ? "\u3002" : String.fromCharCode(char.charCodeAt(0) + 0xfee0)))
    .join("");
  return {
    dotted: "169.254.169.254",
    decimal: "2852039166",
    hex: "0xa9fea9fe",
    "hex, upper case": "0XA9FEA9FE",
    "hex parts": "0xa9.0xfe.0xa9.0xfe",
    octal: "0251.0376.0251.0376",
    "octal, more zeros": "0000251.000376.0251.0376",
    "octal whole": "025177524776",
    "two parts": "169.16689662",
    "three parts": "169.254.43518",
    mixed: "0xa9.254.0251.254",
    "trailing dot": "169.254.169.254.",
    "full-width": fullWidth,
    "circled digits": "\u2460\u2465\u2468.254.169.254",
    percent: "%31%36%39.254.169.254",
    "percent, dots": "169%2e254%2E169.254",
    "port given": "169.254.169.254:80",
    "another port": "169.254.169.254:443",
    name: "instance-data",
    "name, upper case": "INSTANCE-DATA",
    "name of nobody's": "metadata.test",
    "name with IPv6": "metadata6.test",
    v6: "[fd00:ec2::254]",
    "v6, upper case": "[FD00:EC2::254]",
    "v6, long": "[fd00:0ec2:0000:0000:0000:0000:0000:0254]",
    ecs: "169.254.170.2",
    eks: "169.254.170.23",
    "eks v6": "[fd00:ec2::23]",
    ...Object.fromEntries(
      CARRIED.flatMap(([layout, bytes]) => [
        [layout, `[${groups(bytes)}]`],
        [`${layout}, compressed`, `[${compressed(groups(bytes))}]`],
      ]),
    ),
    "mapped, dotted": "[::ffff:169.254.169.254]",
    "compatible, dotted": "[::169.254.169.254]",
    "nat64, dotted": "[64:ff9b::169.254.169.254]",
  };
}

const redirectTo = (url: string, base = "http://127.0.0.1:8080") => `${base}/${encodeURIComponent(url)}`;

/** Form -> the URL that a user sends. */
function attacks(): Record<string, string> {
  const direct = Object.entries(hosts()).map(([form, host]) => [form, `http://${host}${PATH}`] as const);
  return Object.fromEntries([
    ...direct,
    // A Location is ASCII.
    ...direct
      .filter(([, url]) => /^[ -~]+$/.test(url))
      .map(([form, url]) => [`redirect to ${form}`, redirectTo(url)] as const),
    ["redirect, twice", redirectTo(redirectTo(`http://169.254.169.254${PATH}`))],
    ["redirect from a name", redirectTo(`http://169.254.169.254${PATH}`, "http://localhost:8080")],
    ["redirect without a scheme", redirectTo(`//169.254.169.254${PATH}`)],
    ["redirect to a name", redirectTo(`http://metadata.test${PATH}`)],
    ["backslashes", `http:\\\\169.254.169.254${PATH.replaceAll("/", "\\")}`],
    ["tabs and line feeds", `http://169.2\t54.1\n69.254${PATH}`],
    ["white space around", `  http://169.254.169.254${PATH}  `],
    ["no slashes", `http:169.254.169.254${PATH}`],
    ["scheme in upper case", `HTTP://169.254.169.254${PATH}`],
    ["fragment", `http://169.254.169.254${PATH}#@images.example`],
    ["dots in the path", `http://169.254.169.254/a/../latest/./meta-data/`],
  ]);
}

const HARMLESS = { harmless: "http://127.0.0.1:8080/ok" };
const APPS = [
  ["express.mjs", "/preview"],
  ["fastify.mjs", "/image"],
] as const;

describe.skipIf(!able.ok).each(APPS)("examples/ssrf/%s", (file, route) => {
  const targets = { ...HARMLESS, ...attacks() };
  let folder: string;
  let without: Run;
  let withLine: Run;

  /** The example in a folder of its own, where its packages are found as beside the real one. */
  const copy = (name: string, change: (source: string) => string): string => {
    const place = join(folder, name);
    mkdirSync(place);
    writeFileSync(join(place, "package.json"), JSON.stringify({ type: "module" }));
    cpSync(join(ROOT, "examples/ssrf", file), join(place, file));
    symlinkSync(join(ROOT, "node_modules"), join(place, "node_modules"));
    writeFileSync(join(place, file), change(readFileSync(join(place, file), "utf8")));
    return join(place, file);
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "imds-guard-ssrf-"));
    const order = (app: string) => JSON.stringify({ app, route, targets });
    const stripped = copy("without", (source) => source.replace(THE_LINE, ""));
    const tasks = [{ probe: order(stripped) }, { probe: order(join(ROOT, "examples/ssrf", file)) }];
    const runs = await runWorld({
      node: process.execPath,
      program: ATTACK,
      tasks,
      addresses: CARRIED.filter(([layout]) => layout !== "mapped").map(([, bytes]) => groups(bytes)),
    });
    [without, withLine] = runs as [Run, Run];
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  type Answers = Record<string, { readonly status: number; readonly body: string }>;
  const answersOf = ({ outcome }: Run): Answers => (outcome as { outcome?: Answers }).outcome ?? {};
  const forms = Object.keys(attacks());

  it("has the one line, once", () => {
    const source = readFileSync(join(ROOT, "examples/ssrf", file), "utf8");
    expect(source.split('imds-guard/register";')).toHaveLength(2);
    expect(source.replace(THE_LINE, "")).not.toMatch(/^(?!\/\/|\s*\*).*import.*imds-guard/m);
  });

  it("without it hands out instance metadata, whatever the form (control)", () => {
    const answers = answersOf(without);
    expect(without.stderr).toBe("");
    expect(forms.filter((form) => !answers[form]?.body.includes("reached"))).toEqual([]);
    expect(without.arrived).toBeGreaterThan(0);
    console.log(
      `e2e (ssrf, ${file}): ${forms.length} forms, ${forms.filter((form) => answers[form]?.body.includes("reached")).length} answered without the line, ${withLine.arrived} connections with it`,
    );
  });

  it("with it reaches nobody there, and its users learn nothing", () => {
    const answers = answersOf(withLine);
    expect(withLine.arrived).toBe(0);
    expect(forms.filter((form) => answers[form]?.status !== 502)).toEqual([]);
    expect(forms.filter((form) => /reached|EACCES|imds/i.test(answers[form]?.body ?? ""))).toEqual([]);
  });

  it("says on stderr what it refused", () => {
    expect((withLine.outcome as { refused?: number }).refused).toBeGreaterThan(0);
  });

  it("still fetches what is harmless", () => {
    for (const run of [without, withLine]) expect(answersOf(run)["harmless"]).toMatchObject({ status: 200 });
    expect(answersOf(withLine)["harmless"]).toEqual(answersOf(without)["harmless"]);
  });
});
