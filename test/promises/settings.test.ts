/** What SECURITY.md promises of settings, and attempts to break it. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { createGuard } from "../../src/sdk/application-guard.js";
import { fromIni } from "../../src/sdk/ini.js";
import { fromNodeProviderChain } from "../../src/sdk/node-chain.js";
import { inScene } from "../sdk/side-by-side.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";

const OURS = "111122223333";
const keys = `aws_access_key_id = ${accessKeyIdFor("999988887777")}\naws_secret_access_key = secret\n`;
const prod = `[profile prod]\nimds_guard_expected_accounts = ${OURS}\n${keys}`;

describe("P20: settings of the profile whose credentials are used", () => {
  test("hold for a shared guard, and for a client that names the profile", async () => {
    await inScene({ config: `[default]\n${keys}${prod}` }, async () => {
      const asked = { callerClientConfig: { profile: "prod" } } as never;
      for (const credentials of [
        () => fromIni({ profile: "prod", guard: createGuard() })(),
        () => fromNodeProviderChain({ guard: createGuard() })(asked),
        () => createGuard().clientConfig({ profile: "prod" }).credentials(),
      ])
        await expect(credentials()).rejects.toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNEXPECTED" });
      await expect(createGuard().clientConfig().credentials(asked)).rejects.toMatchObject({
        code: "ERR_IMDS_GUARD_SETTING",
      });
    });
  });
});

describe("P21: a setting takes effect or is an error", () => {
  test.each([
    ["in a file over 1 MiB", `${prod}#${"x".repeat(1024 * 1024)}\n`],
    ["behind a carriage return", `[profile prod]\nregion = x\rimds_guard_expected_accounts = ${OURS}\n${keys}`],
    ["that stands twice", `${prod}imds_guard_expected_accounts = 444455556666\n`],
  ])("%s", async (_, config) => {
    await inScene({ config }, async () => {
      for (const provider of [fromIni({ profile: "prod" }), fromNodeProviderChain({ profile: "prod" })])
        await expect(provider()).rejects.toMatchObject({ kind: "settings", tryNextLink: false });
    });
  });

  test("in options that are no plain object", () => {
    for (const guard of [Promise.resolve({}), new Map(), null, 5])
      expect(() => fromIni({ guard: guard as never })).toThrow(TypeError);
    for (const init of [Promise.resolve({}), new Map(), null, Object.create({ guard: {} }), createGuard()])
      for (const provider of [fromIni, fromNodeProviderChain]) expect(() => provider(init as never)).toThrow(TypeError);
    expect(() => fromIni({ expectedAccounts: [OURS] } as never)).toThrow("guard: { expectedAccounts }");
  });
});

describe("P22: a file of settings is bounded", () => {
  test.skipIf(process.platform === "win32")("a named pipe and a device end at once, in every link", async () => {
    await inScene({ config: "" }, async (home) => {
      const pipe = join(home, "pipe");
      execFileSync("mkfifo", [pipe]);
      for (const file of [pipe, "/dev/zero"]) {
        process.env["AWS_CONFIG_FILE"] = file;
        for (const provider of [fromIni(), fromNodeProviderChain(), createGuard().clientConfig().credentials])
          await expect(provider()).rejects.toMatchObject({ code: "ERR_IMDS_GUARD_CONFIG_FILE" });
      }
      const named = join(home, "named");
      writeFileSync(named, prod);
      process.env["AWS_CONFIG_FILE"] = named;
      await expect(fromIni({ profile: "prod" })()).rejects.toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNEXPECTED" });
    });
  });

  test.skipIf(process.platform === "win32").each(["fromIni", "fromNodeProviderChain", "fromTemporaryCredentials"])(
    "and ends the SDK's own %s under the preload",
    async (name) => {
      await inScene({ config: "" }, (home) => {
        const pipe = join(home, "pipe");
        execFileSync("mkfifo", [pipe]);
        for (const file of [pipe, "/dev/zero"]) {
          const program = `const { ${name} } = require("@aws-sdk/credential-providers");
            ${name}({ params: { RoleArn: "arn:aws:iam::${OURS}:role/r" } })()
              .then(() => "handed out", ({ code }) => code).then((told) => { console.log(told); process.exit(); });`;
          const out = execFileSync(process.execPath, ["-r", resolve("dist/register.cjs"), "-e", program], {
            env: { ...process.env, AWS_CONFIG_FILE: file, IMDS_GUARD_LOG: "off", IMDS_GUARD_PROBE: "off" },
            stdio: ["ignore", "pipe", "ignore"],
            timeout: 20_000,
            encoding: "utf8",
          });
          expect(out.trim()).toBe("ERR_IMDS_GUARD_CONFIG_FILE");
        }
        return Promise.resolve();
      });
    },
  );
});

describe("P23: what all objects inherit is no setting", () => {
  test("of the options, of the providers and of the environment", async () => {
    await inScene({ config: prod, env: { IMDS_GUARD_MODE: "ec2-only" } }, async () => {
      const polluted = Object.prototype as Record<string, unknown>;
      const names = { mode: "allow", guard: { mode: "allow" }, expectedAccounts: ["999988887777"], profile: "other" };
      Object.assign(polluted, names, { IMDS_GUARD_ON_UNKNOWN_ACCOUNT: "allow" });
      try {
        await expect(fromIni({ profile: "prod" })()).rejects.toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNEXPECTED" });
      } finally {
        for (const name of [...Object.keys(names), "IMDS_GUARD_ON_UNKNOWN_ACCOUNT"])
          Reflect.deleteProperty(polluted, name);
      }
    });
  });
});
