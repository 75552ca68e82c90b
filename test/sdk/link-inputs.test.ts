import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasEnvironmentKeys, hasSharedFiles, hasWebIdentity } from "../../src/sdk/link-inputs.js";
import { realSystem } from "../../src/base/system.js";

const withEnv = (env: Record<string, string>) => ({ ...realSystem, env });

describe("hasEnvironmentKeys", () => {
  it.each([
    [{}, false],
    [{ AWS_ACCESS_KEY_ID: "AKIA" }, false],
    [{ AWS_SECRET_ACCESS_KEY: "s" }, false],
    [{ AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "s" }, false],
    [{ AWS_ACCESS_KEY_ID: "AKIA", AWS_SECRET_ACCESS_KEY: "s" }, true],
  ])("%j: %s", (env, expected) => {
    expect(hasEnvironmentKeys(withEnv(env as Record<string, string>))).toBe(expected);
  });
});

describe("hasWebIdentity", () => {
  it.each([
    [{}, {}, false],
    [{}, { AWS_WEB_IDENTITY_TOKEN_FILE: "/t" }, false],
    [{}, { AWS_ROLE_ARN: "arn" }, false],
    [{}, { AWS_WEB_IDENTITY_TOKEN_FILE: "/t", AWS_ROLE_ARN: "arn" }, true],
    [{ roleArn: "arn" }, { AWS_WEB_IDENTITY_TOKEN_FILE: "/t" }, true],
    [{ webIdentityTokenFile: "/t" }, { AWS_ROLE_ARN: "arn" }, true],
    [{ webIdentityTokenFile: "" }, { AWS_WEB_IDENTITY_TOKEN_FILE: "/t", AWS_ROLE_ARN: "arn" }, false],
  ])("%j with %j: %s", (init, env, expected) => {
    expect(hasWebIdentity(init, withEnv(env as Record<string, string>))).toBe(expected);
  });
});

describe("hasSharedFiles", () => {
  let home = "";
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "imds-guard-links-"));
    mkdirSync(join(home, "with", ".aws"), { recursive: true });
    mkdirSync(join(home, "without"));
    writeFileSync(join(home, "with", ".aws", "credentials"), "");
    writeFileSync(join(home, "elsewhere"), "");
  });
  afterAll(() => rmSync(home, { recursive: true }));

  const has = (env: Record<string, string>, init = {}) => hasSharedFiles(init, withEnv(env));

  it("looks where the SDK looks", () => {
    const without = { HOME: join(home, "without") };
    expect(has(without)).toBe(false);
    expect(has({ HOME: join(home, "with") })).toBe(true);
    expect(has({ ...without, AWS_CONFIG_FILE: join(home, "elsewhere") })).toBe(true);
    expect(has({ ...without, AWS_SHARED_CREDENTIALS_FILE: join(home, "nowhere") })).toBe(false);
    expect(has(without, { filepath: join(home, "elsewhere") })).toBe(true);
    expect(has(without, { configFilepath: join(home, "elsewhere") })).toBe(true);
  });

  it("leaves to the SDK what cannot be looked at", () => {
    expect(has({ HOME: join(home, "without"), AWS_CONFIG_FILE: "with a \0" })).toBe(true);
  });
});
