/** This package's own chain in a program that has loaded the SDK under the preload. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requireBuild, ROOT } from "./built.js";
import { start } from "./program.js";

const folder = mkdtempSync(join(tmpdir(), "imds-guard-preload-chain-"));
beforeAll(requireBuild);
afterAll(() => rmSync(folder, { recursive: true }));

test.each(["fromNodeProviderChain()", "fromIni()"])(
  "%s asks one guard, for no profile that nobody named",
  async (provider) => {
    const config = join(folder, "config");
    writeFileSync(config, "[profile other]\nregion = eu-central-1\n");
    const program = `
    require("@aws-sdk/credential-providers");
    require(${JSON.stringify(join(ROOT, "dist/index.cjs"))}).${provider}().catch(({ code, name }) => console.log(code ?? name));`;
    const { stdout, stderr } = await start(["-r", join(ROOT, "dist/register.cjs"), "-e", program], ROOT, {
      AWS_CONFIG_FILE: config,
      AWS_EC2_METADATA_DISABLED: "true",
    }).ended;
    expect(stdout.trim()).not.toBe("");
    expect(stderr).not.toContain("profile_missing");
  },
);
