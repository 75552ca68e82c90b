/** Profiles and variables that name a certificate: chain, `fromIni`, guard, and the helper's lines. */
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { createGuard } from "../../src/sdk/application-guard.js";
import { fromIni } from "../../src/sdk/ini.js";
import { fromInstanceMetadata } from "../../src/sdk/instance-metadata.js";
import { fromNodeProviderChain } from "../../src/sdk/node-chain.js";
import { issue } from "../support/certificates.mjs";
import type { Service } from "../support/roles-anywhere-service.mjs";
import { startRolesAnywhereService } from "../support/roles-anywhere-service.mjs";

const ACCOUNT = "111122223333";
const root = issue({ name: "Root", ca: true });
const leaf = issue({ name: "app", issuer: root });
const ANCHOR = `arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:trust-anchor/6f0e2c1a`;
const PROFILE = `arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:profile/9a2b4c6d`;
const ROLE = `arn:aws:iam::${ACCOUNT}:role/app`;

let service: Service;
let folder: string;
let events: GuardEvent[];

beforeEach(async () => {
  service = await startRolesAnywhereService({ anchors: [root.cert] });
  events = [];
  folder = mkdtempSync(join(tmpdir(), "imds-guard-roles-"));
  writeFileSync(join(folder, "tls.crt"), leaf.cert);
  writeFileSync(join(folder, "tls.key"), leaf.key, { mode: 0o600 });
  for (const name of Object.keys(process.env)) if (/^(?:AWS|IMDS_GUARD)_/.test(name)) vi.stubEnv(name, undefined);
  vi.stubEnv("IMDS_GUARD_PROBE", "off");
  vi.stubEnv("AWS_CONFIG_FILE", join(folder, "config"));
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(folder, "credentials"));
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await service.close();
  rmSync(folder, { recursive: true });
});

const keys = (): Record<string, string> => ({
  imds_guard_roles_anywhere_certificate: join(folder, "tls.crt"),
  imds_guard_roles_anywhere_private_key: join(folder, "tls.key"),
  imds_guard_roles_anywhere_trust_anchor_arn: ANCHOR,
  imds_guard_roles_anywhere_profile_arn: PROFILE,
  imds_guard_roles_anywhere_role_arn: ROLE,
  imds_guard_roles_anywhere_endpoint: service.url,
});
const helperLine = (program = "aws_signing_helper"): string =>
  `${program} credential-process --certificate ${join(folder, "tls.crt")} --private-key ${join(folder, "tls.key")} --role-arn ${ROLE} --profile-arn ${PROFILE} --trust-anchor-arn ${ANCHOR}`;
const config = (profiles: Record<string, Record<string, string>>): void => {
  const sections = Object.entries(profiles).map(([name, values]) => [
    name === "default" ? "[default]" : `[profile ${name}]`,
    ...Object.entries(values).map(([key, value]) => `${key} = ${value}`),
  ]);
  writeFileSync(join(folder, "config"), sections.flat().join("\n"));
};
const guard = () => ({ log: "off", onEvent: (event: GuardEvent) => events.push(event) }) as const;
const codes = () => events.map(({ code }) => code);

describe("a profile with keys of this package", () => {
  test("through chain, fromIni and guard, with one session for a guard", async () => {
    config({ premises: keys() });
    const shared = createGuard({ ...guard(), profile: "premises" });
    const [first, second, third] = await Promise.all([
      fromNodeProviderChain({ profile: "premises", guard: shared })(),
      fromIni({ profile: "premises", guard: shared })(),
      shared.credentials(),
    ]);
    expect(first.accountId).toBe(ACCOUNT);
    expect([second.accessKeyId, third.accessKeyId]).toEqual([first.accessKeyId, first.accessKeyId]);
    expect(service.requests).toHaveLength(1);
    await shared.close();
    await expect(shared.credentials()).rejects.toMatchObject({ code: "ERR_IMDS_GUARD_CLOSED" });
  });

  test("as the source of another profile, for a role on top", async () => {
    config({ premises: keys(), top: { role_arn: "arn:aws:iam::444455556666:role/top", source_profile: "premises" } });
    const assumed: string[] = [];
    const credentials = await fromIni({
      profile: "top",
      guard: guard(),
      roleAssumer: (source, { RoleArn }) => {
        assumed.push(source.accessKeyId, RoleArn ?? "");
        return Promise.resolve({ accessKeyId: "AKIAEXAMPLE", secretAccessKey: "x" });
      },
    })();
    expect(credentials.accessKeyId).toBe("AKIAEXAMPLE");
    expect(assumed).toEqual([expect.stringMatching(/^ASIA/), "arn:aws:iam::444455556666:role/top"]);
    expect(service.requests).toHaveLength(1);
  });

  test("has no IMDS link behind it, whatever fails", async () => {
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", undefined);
    await service.close();
    config({ premises: keys() });
    vi.stubEnv("IMDS_GUARD_PROBE", "on");
    const chain = fromNodeProviderChain({ profile: "premises", guard: { ...guard(), maxRetries: 0 } });
    await expect(chain()).rejects.toMatchObject({ code: "ERR_ROLES_ANYWHERE_UNREACHABLE" });
    // Neither asked nor refused.
    expect(codes()).toEqual(["roles_anywhere.failed"]);
    service = await startRolesAnywhereService({ anchors: [root.cert] });
  });

  test("is told what is missing", async () => {
    config({ premises: { imds_guard_roles_anywhere_certificate: "/c.pem", imds_guard_roles_anywhere_role_arn: ROLE } });
    const error: unknown = await fromIni({ profile: "premises", guard: guard() })().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "ERR_ROLES_ANYWHERE_SETTINGS" });
    expect((error as { advice: string }).advice).toContain("imds_guard_roles_anywhere_trust_anchor_arn");
  });

  test("and settings of both kinds are refused", async () => {
    config({ premises: { ...keys(), imds_guard_iot_role_alias: "alias" } });
    await expect(fromIni({ profile: "premises", guard: guard() })()).rejects.toMatchObject({
      code: "ERR_ROLES_ANYWHERE_SETTINGS",
    });
  });

  test("is not what fromInstanceMetadata asks for", async () => {
    config({ default: keys() });
    await expect(fromInstanceMetadata({ guard: guard() })()).rejects.toMatchObject({ code: "ERR_IMDS_DISABLED" });
    await expect(createGuard(guard()).region()).rejects.toMatchObject({ code: "ERR_IMDS_NO_REGION" });
    expect(service.requests).toEqual([]);
  });
});

test("variables name it for the whole process, and win over a profile", async () => {
  config({ default: { ...keys(), imds_guard_roles_anywhere_role_arn: "arn:aws:iam::999999999999:role/other" } });
  for (const [name, value] of Object.entries(keys())) vi.stubEnv(name.toUpperCase(), value);
  vi.stubEnv("IMDS_GUARD_ROLES_ANYWHERE_DURATION", "900");
  const credentials = await fromNodeProviderChain({ guard: guard() })();
  expect(credentials.accountId).toBe(ACCOUNT);
  expect(service.requests[0]?.body).toBe('{"durationSeconds":900}');
});

test("a variable that is none is refused by name", async () => {
  vi.stubEnv("IMDS_GUARD_ROLES_ANYWHERE_CERTIFICAT", "x");
  await expect(createGuard(guard()).credentials()).rejects.toThrow(/IMDS_GUARD_ROLES_ANYWHERE_CERTIFICATE\?/);
});

describe("a line of aws_signing_helper", () => {
  test("is read and not run, and an endpoint of ours counts", async () => {
    config({ premises: { credential_process: helperLine("/nowhere/aws_signing_helper") } });
    vi.stubEnv("IMDS_GUARD_ROLES_ANYWHERE_ENDPOINT", service.url);
    const credentials = await fromNodeProviderChain({ profile: "premises", guard: guard() })();
    expect(credentials.accountId).toBe(ACCOUNT);
    expect(service.requests).toHaveLength(1);
  });

  test.each([
    ["a script of that name", {}],
    ["what is switched off", { imds_guard_roles_anywhere: "helper" }],
  ])("%s is run", async (_, more) => {
    const program = join(folder, "aws_signing_helper");
    const answer = JSON.stringify({ Version: 1, AccessKeyId: "AKIAEXAMPLE", SecretAccessKey: "x" });
    writeFileSync(program, `#!/bin/sh\necho '${answer}'\n`);
    chmodSync(program, 0o700);
    config({ premises: { credential_process: helperLine(program), ...more } });
    const credentials = await fromIni({ profile: "premises", guard: guard() })();
    expect(credentials.accessKeyId).toBe("AKIAEXAMPLE");
    expect(service.requests).toEqual([]);
  });

  test("that is run and fails is not followed by IMDS, either", async () => {
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", undefined);
    config({ default: { credential_process: `${helperLine("/nowhere/aws_signing_helper")} --debug` } });
    const error: unknown = await fromNodeProviderChain({ guard: guard() })().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Error);
    expect(codes().filter((code) => code.startsWith("imds."))).toEqual([]);
  });

  test("with a passphrase on it is an event, and the passphrase in none", async () => {
    config({
      premises: { credential_process: `${helperLine("/nowhere/aws_signing_helper")} --pkcs8-password hunter2` },
    });
    vi.stubEnv("IMDS_GUARD_ROLES_ANYWHERE_ENDPOINT", service.url);
    await fromIni({ profile: "premises", guard: guard() })();
    expect(codes()).toContain("roles_anywhere.passphrase_exposed");
    expect(JSON.stringify(events)).not.toContain("hunter2");
  });

  /** No script, which would be run in any case: Node.js itself, which prints this before anything else. */
  const program = (answer: string, code = 0): string => {
    const path = join(folder, "aws_signing_helper");
    symlinkSync(process.execPath, path);
    const said = join(folder, "said.cjs");
    writeFileSync(said, `require("node:fs").writeSync(1, ${JSON.stringify(answer)}); process.exit(${code});`);
    vi.stubEnv("NODE_OPTIONS", `--require ${said}`);
    return path;
  };
  const write = (name: string, content: string | Buffer): void =>
    writeFileSync(join(folder, name), content, { mode: 0o600 });
  const other = issue({ name: "other", issuer: root });
  const half = leaf.cert.slice(0, 300);
  const der = Buffer.from(leaf.cert.replace(/-----.*-----/g, ""), "base64");
  const FORMS: readonly [string, string, string | Buffer][] = [
    ["a certificate in DER", "tls.crt", der],
    ["half a certificate behind it", "tls.crt", leaf.cert + half],
    ["half a certificate in front of it", "tls.crt", half + leaf.cert],
    ["more than is read", "tls.crt", leaf.cert + "#".repeat(300_000)],
    ["two keys", "tls.key", leaf.key + other.key],
    ["a key with a space in it", "tls.key", leaf.key.replace("MI", "M I")],
    ["a key of a TPM", "tls.key", leaf.key.replaceAll("PRIVATE", "TSS2 PRIVATE")],
    ["no key", "tls.key", leaf.cert],
    ["intermediates that are none", "more.pem", "none"],
  ];

  test.each(FORMS)("with %s is left to the helper, which may read it", async (_, name, content) => {
    const line = helperLine(program(JSON.stringify({ Version: 1, AccessKeyId: "AKIAEXAMPLE", SecretAccessKey: "x" })));
    write(name, content);
    const more = name === "more.pem" ? ` --intermediates ${join(folder, name)}` : "";
    config({ premises: { credential_process: `${line}${more} --endpoint ${service.url}` } });
    const credentials = await fromIni({ profile: "premises", guard: guard() })();
    expect(credentials.accessKeyId).toBe("AKIAEXAMPLE");
    expect(service.requests).toEqual([]);
  });

  test.each(FORMS)(
    "with %s that the helper does not read, either, is an error that says it",
    async (_, name, content) => {
      const line = helperLine(program("", 1));
      write(name, content);
      const more = name === "more.pem" ? ` --intermediates ${join(folder, name)}` : "";
      config({ premises: { credential_process: `${line}${more} --pkcs8-password hunter2` } });
      const error = await fromIni({ profile: "premises", guard: guard() })().catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: `ERR_ROLES_ANYWHERE_${name === "tls.key" ? "KEY" : "CERTIFICATE"}`,
        tryNextLink: false,
      });
      const ofGuard = createGuard({ ...guard(), profile: "premises" }).credentials();
      await expect(ofGuard).rejects.toMatchObject({ code: (error as { code: unknown }).code });
      expect(inspect(error)).not.toContain("hunter2");
    },
  );

  test("that fails for another reason is not shown: a passphrase may stand on it", async () => {
    const line = `${helperLine(program("", 1))} --debug --pkcs8-password hunter2`;
    config({ premises: { credential_process: line } });
    const error = await fromIni({ profile: "premises", guard: guard() })().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Error);
    expect(inspect(error)).not.toContain("hunter2");
  });

  test("that was read is not run because a file is being renewed", async () => {
    config({
      premises: { credential_process: `${helperLine("/nowhere/aws_signing_helper")} --endpoint ${service.url}` },
    });
    const provide = fromIni({ profile: "premises", guard: guard() });
    await provide();
    for (const [name, content] of [
      ["tls.crt", ""],
      ["tls.crt", half],
      ["tls.key", leaf.key.slice(0, 60)],
    ] as const) {
      write("tls.crt", leaf.cert);
      write("tls.key", leaf.key);
      write(name, content);
      // Files are looked at once in a second.
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      expect((await provide({ forceRefresh: true } as object)).accountId).toBe(ACCOUNT);
    }
    expect(service.requests).toHaveLength(4);
  });

  test("names its flags where a value is wrong, and takes a host for an endpoint, as the helper does", async () => {
    const line = helperLine("/nowhere/aws_signing_helper");
    config({ premises: { credential_process: `${line} --role-arn app` } });
    await expect(fromIni({ profile: "premises", guard: guard() })()).rejects.toMatchObject({
      code: "ERR_ROLES_ANYWHERE_SETTINGS",
      message: expect.stringContaining('--role-arn of credential_process is "app"') as string,
    });
    config({ premises: { credential_process: `${line} --endpoint ${new URL(service.url).host}` } });
    const impatient = { ...guard(), maxRetries: 0 };
    await expect(fromIni({ profile: "premises", guard: impatient })()).rejects.toMatchObject({
      code: "ERR_ROLES_ANYWHERE_UNREACHABLE",
      message: expect.stringContaining("ERR_SSL_WRONG_VERSION_NUMBER") as string,
    });
  });

  test("a word that switches nothing is refused", async () => {
    config({ premises: { credential_process: helperLine(), imds_guard_roles_anywhere: "of" } });
    await expect(fromIni({ profile: "premises", guard: guard() })()).rejects.toMatchObject({
      code: "ERR_ROLES_ANYWHERE_SETTINGS",
      message: expect.stringContaining("native, helper") as string,
    });
  });
});
