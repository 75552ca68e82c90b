/** Every event in OCSF and ECS, held against the public schemas: the models of PyPI's pydantic-ocsf, and @elastic/ecs. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript";
import { afterAll, expect, test } from "vitest";
import { ECS_VERSION, toEcs } from "../../src/events/ecs.js";
import { toOcsf } from "../../src/events/ocsf.js";
import { CODES, IMPERSONATION, eventOf } from "../events/samples.js";

const folder = mkdtempSync(join(tmpdir(), "imds-guard-schemas-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const EVENTS = CODES.flatMap((code) => [
  eventOf(code),
  eventOf(code, IMPERSONATION),
  eventOf(code, { endpoint: { address: "metadata.example", port: 80 }, advice: "Unset it" }),
]);

// Another folder may be named, which is then kept for the next time.
const venv = process.env["RIG_OCSF"] ?? join(folder, "venv");

// The newest version that the models have; what is written may be of a later one, which takes nothing away.
const VALIDATE = `
import importlib, json, os, sys, ocsf
versions = [name for name in os.listdir(ocsf.__path__[0]) if name.startswith("v1_")]
newest = max(versions, key=lambda name: [int(part) for part in name[1:].split("_")])
events = importlib.import_module(f"ocsf.{newest}.events")
for line in sys.stdin:
    event = json.loads(line)
    kind = {2004: events.DetectionFinding, 4001: events.NetworkActivity}[event["class_uid"]]
    try:
        kind.model_validate(event)
    except Exception as error:
        print(event["metadata"]["event_code"], error)
print(newest)
`;

test("OCSF: the models of others accept every event", { timeout: 300_000 }, (context) => {
  const python = join(venv, "bin/python");
  if (!existsSync(python)) {
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "pydantic-ocsf"];
    const made = spawnSync("python3", ["-m", "venv", venv]).status === 0 && spawnSync(python, pip).status === 0;
    if (!made) return context.skip("pydantic-ocsf cannot be installed from PyPI");
  }
  const input = EVENTS.map((event) => JSON.stringify(toOcsf(event, "1.2.3"))).join("\n");
  expect(execFileSync(python, ["-c", VALIDATE], { input, encoding: "utf8" }).trim()).toMatch(/^v1_\d+_0$/);
});

test("ECS: every field is one of the schema, and of its type", { timeout: 300_000 }, (context) => {
  const packed = spawnSync("npm", ["pack", "--silent", `@elastic/ecs@${ECS_VERSION}`], { cwd: folder });
  if (packed.status !== 0) return context.skip("@elastic/ecs cannot be fetched from npm");
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "";
  execFileSync("tar", ["xzf", tarball], { cwd: folder });
  expect(readFileSync(join(folder, "package/package.json"), "utf8")).toContain(ECS_VERSION);
  // A literal may have no member that its type does not know: what is too much is an error, too.
  const documents = EVENTS.map((event) => {
    const { imds_guard: _own, ...standard } = toEcs(event, "1.2.3");
    return JSON.stringify(standard);
  });
  const program = join(folder, "documents.ts");
  writeFileSync(
    program,
    `import type * as ecs from "./package/generated/index";
type Document = ecs.EcsBase & Partial<{
  ecs: ecs.EcsEcs; log: ecs.EcsLog; event: ecs.EcsEvent; rule: ecs.EcsRule; observer: ecs.EcsObserver;
  process: ecs.EcsProcess; threat: ecs.EcsThreat; destination: ecs.EcsDestination; source: ecs.EcsSource;
  related: ecs.EcsRelated;
}>;
${documents.map((document, index) => `export const d${index}: Document = ${document};`).join("\n")}
`,
  );
  const found = ts.getPreEmitDiagnostics(
    ts.createProgram([program], {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: [],
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ES2022,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
    }),
  );
  const said = found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
  expect([...new Set(said)]).toEqual([]);
});
