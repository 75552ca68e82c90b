/** The built package with and without an OpenTelemetry logs API beside it, in both module systems. */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requireBuild, ROOT } from "./built.js";

beforeAll(requireBuild);
const folder = mkdtempSync(join(tmpdir(), "imds-guard-telemetry-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PACKAGES = ["api", "api-logs"] as const;

/**
 * A folder with the package and, of OpenTelemetry, what `api-logs` says; an installation that was cut short hides any
 * further up.
 */
function consumer(name: string, apiLogs: "there" | "broken"): string {
  const modules = join(folder, name, "node_modules");
  mkdirSync(join(modules, "@opentelemetry"), { recursive: true });
  mkdirSync(join(modules, "imds-guard"));
  cpSync(join(ROOT, "dist"), join(modules, "imds-guard/dist"), { recursive: true });
  cpSync(join(ROOT, "package.json"), join(modules, "imds-guard/package.json"));
  for (const dependency of PACKAGES) {
    const place = join(modules, "@opentelemetry", dependency);
    if (apiLogs === "there") symlinkSync(join(ROOT, "node_modules/@opentelemetry", dependency), place, "junction");
    else {
      mkdirSync(place);
      writeFileSync(join(place, "package.json"), '{ "main": "absent.js" }');
    }
  }
  return join(folder, name);
}

const BODY = `
  const provider = { getLogger: (name, version) => ({ emit: ({ eventName }) => said.push([name, version, eventName]) }) };
  if (logs) logs.setGlobalLoggerProvider(provider);
  const said = [];
  const guard = createGuard({ mode: "deny", log: "off", telemetry: "opentelemetry" });
  guard.credentials().catch(({ kind, code, cause }) => console.log(JSON.stringify({ kind, code, cause: cause && cause.code, said })));
`;
const HEAD = {
  module:
    'import { createGuard } from "imds-guard"; const { logs } = await import("@opentelemetry/api-logs").catch(() => ({}));',
  commonjs:
    'const { createGuard } = require("imds-guard"); let logs; try { ({ logs } = require("@opentelemetry/api-logs")); } catch {}',
} as const;

async function run(cwd: string, kind: keyof typeof HEAD): Promise<unknown> {
  const env = { ...process.env, IMDS_GUARD_PROBE: "off" };
  const { stdout } = await promisify(execFile)(process.execPath, [`--input-type=${kind}`, "-e", HEAD[kind] + BODY], {
    cwd,
    env,
  });
  return JSON.parse(stdout);
}

describe("telemetry: opentelemetry", () => {
  test.each([["module"], ["commonjs"]] as const)(
    "in a program that is a %s, tells the application's provider",
    async (kind) => {
      expect(await run(consumer(`${kind}-there`, "there"), kind)).toEqual({
        kind: "refused",
        code: "ERR_IMDS_DISABLED",
        said: [["imds-guard", expect.any(String), "imds_guard.imds.refused_disabled"]],
      });
    },
  );

  test.each([["module"], ["commonjs"]] as const)("in a program that is a %s, is an error without one", async (kind) => {
    expect(await run(consumer(`${kind}-broken`, "broken"), kind)).toEqual({
      kind: "settings",
      code: "ERR_IMDS_GUARD_SETTING",
      cause: "MODULE_NOT_FOUND",
      said: [],
    });
  });
});
