/** The built package under the permission model of Node.js: what is denied is said with all the flags that are missing. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requireBuild, ROOT } from "./built.js";

const FLAG = Number(process.versions.node.split(".")[0]) < 24 ? "--experimental-permission" : "--permission";
const PROGRAM = `
const { createGuard } = require(${JSON.stringify(ROOT)});
createGuard().credentials().catch(({ code, advice }) => console.log(JSON.stringify({ code, advice })));`;

const folder = mkdtempSync(join(tmpdir(), "imds-guard permission-"));
const program = join(folder, "program.cjs");

beforeAll(() => {
  requireBuild();
  writeFileSync(program, PROGRAM);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function run(flags: readonly string[]): { readonly code: string; readonly advice: string } {
  const own = [`--allow-fs-read=${ROOT}/*`, `--allow-fs-read=${folder}/*`];
  const { stdout, stderr } = spawnSync(process.execPath, [FLAG, ...own, ...flags, program], {
    encoding: "utf8",
    // Nothing is sent, wherever this runs.
    env: { HOME: folder, IMDS_GUARD_MODE: "deny", IMDS_GUARD_PROBE: "off", IMDS_GUARD_LOG: "off" },
  });
  expect(stdout, stderr).not.toBe("");
  return JSON.parse(stdout) as { readonly code: string; readonly advice: string };
}

test.skipIf(process.platform !== "linux")("the advice has every flag, quoted for a shell", () => {
  const machine = "--allow-fs-read=/etc/imds-guard/config";
  const refused = run([]);
  expect(refused.code).toBe("ERR_IMDS_GUARD_CONFIG_FILE");
  expect(refused.advice).toContain(` ${machine} --allow-fs-read='/sys/class/dmi/id/*',`);

  const homeless = run([machine, "--allow-fs-read=/sys/class/dmi/id/*"]);
  expect(homeless.code).toBe("ERR_IMDS_DISABLED");
});
