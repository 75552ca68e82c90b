/** Which credentials by certificate are named, when a line of the helper is read natively, and which links are shared. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { System } from "../../src/base/system.js";
import type { ChoiceInput, Links } from "../../src/guard/certificate-links.js";
import {
  boundsOf,
  chooseCertificate,
  helperLineOf,
  linkFor,
  SESSION_TIMEOUT_MS,
} from "../../src/guard/certificate-links.js";
import { golden, refusalOf } from "../support/wording.js";
import { machine } from "./guarded-host.js";

const folder = mkdtempSync(join(tmpdir(), "imds-guard-links-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
function program(name: string, content: string, mode = 0o755): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

const ACCOUNT = "111122223333";
const ANCHOR = `arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:trust-anchor/a-1`;
const PROFILE = `arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:profile/p-1`;
const ROLE = `arn:aws:iam::${ACCOUNT}:role/app`;
const LINE = `aws_signing_helper credential-process --certificate /c.pem --private-key /k.pem --trust-anchor-arn ${ANCHOR} --profile-arn ${PROFILE} --role-arn ${ROLE}`;
const FILES = {
  "c.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
  "k.pem": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
};

interface Given {
  readonly profile?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly environment?: ChoiceInput["environment"];
  readonly system?: System;
}

const choose = ({ profile = {}, env = {}, environment = "all", system }: Given): ReturnType<typeof chooseCertificate> =>
  chooseCertificate({ profile, environment, system: system ?? machine(FILES, env).system });

/** What is chosen, as the words that were said. */
function words(given: Given): unknown {
  const chosen = choose(given);
  if (chosen === undefined) return undefined;
  const { kind, certificateSettings } = chosen;
  const texts = Object.entries(certificateSettings)
    .filter(([, value]) => value !== undefined)
    .map(([word, value]) => {
      const { text, file, setting } = value as { text?: string; file?: string; setting?: string };
      return [word, text ?? file ?? value, setting] as const;
    });
  return [kind, ...texts.map(([word, text, setting]) => `${word} = ${String(text)} (${setting})`)];
}

describe("what names credentials", () => {
  const ALIAS = "imds_guard_iot_role_alias";
  const ROLE_KEY = "imds_guard_roles_anywhere_role_arn";
  const ENDPOINT = "IMDS_GUARD_ROLES_ANYWHERE_ENDPOINT";

  test.each<[string, Given, unknown]>([
    ["nothing", {}, undefined],
    ["a profile", { profile: { [ROLE_KEY]: ROLE } }, ["roles-anywhere", `role_arn = ${ROLE} (${ROLE_KEY})`]],
    ["a profile of the other kind", { profile: { [ALIAS]: "x" } }, ["iot", `role_alias = x (${ALIAS})`]],
    [
      "the environment",
      { env: { [ROLE_KEY.toUpperCase()]: ROLE } },
      ["roles-anywhere", `role_arn = ${ROLE} (${ROLE_KEY.toUpperCase()})`],
    ],
    [
      "the environment, where it only adds",
      { env: { [ROLE_KEY.toUpperCase()]: ROLE }, environment: "adds" },
      undefined,
    ],
    [
      "the environment, for the source of another",
      { env: { [ROLE_KEY.toUpperCase()]: ROLE }, environment: "endpoint" },
      undefined,
    ],
    ["what only adds names nothing", { env: { [ENDPOINT]: "https://x" } }, undefined],
    [
      "the environment before the profile, of another kind",
      { env: { IMDS_GUARD_IOT_ROLE_ALIAS: "x" }, profile: { [ROLE_KEY]: ROLE } },
      ["iot", "role_alias = x (IMDS_GUARD_IOT_ROLE_ALIAS)"],
    ],
    [
      "the environment adds to a profile that was asked for",
      { env: { [ENDPOINT]: "https://x" }, profile: { [ROLE_KEY]: ROLE }, environment: "adds" },
      ["roles-anywhere", `role_arn = ${ROLE} (${ROLE_KEY})`, `endpoint = https://x (${ENDPOINT})`],
    ],
    [
      "of the environment only the endpoint, for the source of another",
      {
        env: { [ENDPOINT]: "https://x", IMDS_GUARD_ROLES_ANYWHERE_DURATION: "900" },
        profile: { [ROLE_KEY]: ROLE },
        environment: "endpoint",
      },
      ["roles-anywhere", `role_arn = ${ROLE} (${ROLE_KEY})`, `endpoint = https://x (${ENDPOINT})`],
    ],
    [
      "no endpoint of AWS IoT, for the source of another",
      { env: { IMDS_GUARD_IOT_ENDPOINT: "x" }, profile: { [ALIAS]: "x" }, environment: "endpoint" },
      ["iot", `role_alias = x (${ALIAS})`],
    ],
  ])("%s", (_, given, wanted) => {
    expect(words(given)).toEqual(wanted);
  });

  test("both kinds in one place are too many", async () => {
    const profile = { [ROLE_KEY]: ROLE, [ALIAS]: "x" };
    const env = { [ROLE_KEY.toUpperCase()]: ROLE, [ALIAS.toUpperCase()]: "x" };
    const texts = {
      "in a profile": refusalOf(() => choose({ profile })),
      "in the environment": refusalOf(() => choose({ env, profile })),
    };
    await expect(golden(texts)).toMatchFileSnapshot("golden/certificate-choices.json");
    expect(words({ env, profile: { [ALIAS]: "y" }, environment: "adds" })).toBeDefined();
  });
});

describe("a line of the helper", () => {
  const profile = { credential_process: LINE };
  const flag = (name: string): string => `--${name} of credential_process`;

  test("is read natively, with what adds to it", () => {
    const line = `${LINE} --intermediates /i.pem --session-duration 900 --role-session-name me --region us-east-1 --endpoint https://line.example --pkcs8-password hunter2 --with-proxy`;
    const chosen = choose({
      profile: { credential_process: line, imds_guard_roles_anywhere_duration: "1000" },
      env: { IMDS_GUARD_ROLES_ANYWHERE_SESSION_NAME: "you" },
    });
    expect(chosen).toEqual({
      kind: "roles-anywhere",
      helperLine: true,
      exposed: true,
      certificateSettings: {
        certificate: { file: "/c.pem", setting: flag("certificate") },
        private_key: { file: "/k.pem", setting: flag("private-key") },
        intermediates: { file: "/i.pem", setting: flag("intermediates") },
        trust_anchor_arn: { text: ANCHOR, setting: flag("trust-anchor-arn") },
        profile_arn: { text: PROFILE, setting: flag("profile-arn") },
        role_arn: { text: ROLE, setting: flag("role-arn") },
        duration: { text: "900", setting: flag("session-duration") },
        session_name: { text: "me", setting: flag("role-session-name") },
        region: { text: "us-east-1", setting: flag("region") },
        endpoint: { text: "https://line.example", setting: flag("endpoint") },
        passphrase_file: { text: "hunter2", setting: flag("pkcs8-password") },
        proxy: true,
      },
    });
  });

  test("has no more than it says, and no proxy where it names none", () => {
    const chosen = choose({ profile });
    expect(chosen?.exposed).toBe(false);
    expect(chosen?.certificateSettings).toEqual({
      certificate: { file: "/c.pem", setting: flag("certificate") },
      private_key: { file: "/k.pem", setting: flag("private-key") },
      trust_anchor_arn: { text: ANCHOR, setting: flag("trust-anchor-arn") },
      profile_arn: { text: PROFILE, setting: flag("profile-arn") },
      role_arn: { text: ROLE, setting: flag("role-arn") },
      proxy: false,
    });
  });

  test("lets an endpoint of the user's own come before that of the line", () => {
    const env = { IMDS_GUARD_ROLES_ANYWHERE_ENDPOINT: "https://own.example" };
    const line = { credential_process: `${LINE} --endpoint https://line.example` };
    expect(choose({ profile: line, env })?.certificateSettings.endpoint?.text).toBe("https://own.example");
  });

  test.each<[string, Given, string | undefined]>([
    [
      "the profile says so",
      { profile: { ...profile, imds_guard_roles_anywhere: "helper" } },
      "imds_guard_roles_anywhere = helper",
    ],
    [
      "the environment says so",
      { profile, env: { IMDS_GUARD_ROLES_ANYWHERE: " helper" } },
      "imds_guard_roles_anywhere = helper",
    ],
    [
      "the environment says otherwise than the profile",
      { profile: { ...profile, imds_guard_roles_anywhere: "helper" }, env: { IMDS_GUARD_ROLES_ANYWHERE: "native" } },
      undefined,
    ],
    ["it says something that is not known", { profile: { credential_process: `${LINE} --x y` } }, "the flag --x"],
  ])("is run where %s", (_, given, obstacle) => {
    const { system } = machine(FILES, given.env ?? {});
    expect(helperLineOf(given.profile ?? {}, system)?.obstacle).toBe(obstacle);
    expect(choose(given) === undefined).toBe(obstacle !== undefined);
  });

  test("is no line of it where there is none, or where another program is run", () => {
    const { system } = machine(FILES);
    expect(helperLineOf({}, system)).toBeUndefined();
    expect(helperLineOf({ credential_process: "other aws_signing_helper" }, system)).toMatchObject({
      obstacle: "it is another program",
    });
    expect(helperLineOf({ credential_process: "other" }, system)).toBeUndefined();
  });

  test("that is told in another word than those two is an error", async () => {
    const texts = {
      "in the profile": refusalOf(() => choose({ profile: { ...profile, imds_guard_roles_anywhere: "nativ" } })),
      "in the environment": refusalOf(() => choose({ profile, env: { IMDS_GUARD_ROLES_ANYWHERE: "off" } })),
    };
    await expect(golden(texts)).toMatchFileSnapshot("golden/helper-words.json");
  });

  test.each<[string, Partial<Record<keyof typeof FILES, string>>, string | undefined]>([
    ["files that are as Node.js reads them", {}, undefined],
    ["a certificate in another form", { "c.pem": "0\u0082" }, "its certificate is in no form that is read here"],
    ["a certificate of OpenSSL's older label", { "c.pem": FILES["c.pem"].replaceAll("CERT", "X509 CERT") }, undefined],
    ["an empty certificate, which is being written", { "c.pem": " \n" }, undefined],
    ["a key in another form", { "k.pem": "0\u0082" }, "its private key is in no form that is read here"],
    [
      "two keys",
      { "k.pem": `${FILES["k.pem"]}\n${FILES["k.pem"]}` },
      "its private key is in no form that is read here",
    ],
    [
      "half a key behind one",
      { "k.pem": `${FILES["k.pem"]}\n-----BEGIN X-----` },
      "its private key is in no form that is read here",
    ],
    [
      "a key of a TPM",
      { "k.pem": "-----BEGIN TSS2 PRIVATE KEY-----\nAAAA\n-----END TSS2 PRIVATE KEY-----" },
      "its private key is one of a TPM",
    ],
    [
      "a key behind parameters",
      {
        "k.pem":
          "-----BEGIN EC PARAMETERS-----\nAAAA\n-----END EC PARAMETERS-----\n-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----",
      },
      undefined,
    ],
  ])("looks at its files: %s", (_, files, obstacle) => {
    expect(helperLineOf(profile, machine({ ...FILES, ...files }).system)?.obstacle).toBe(obstacle);
  });

  test("looks at its intermediates", () => {
    const line = { credential_process: `${LINE} --intermediates /i.pem` };
    const obstacle = (text: string | undefined): string | undefined =>
      helperLineOf(line, machine({ ...FILES, ...(text !== undefined && { "i.pem": text }) }).system)?.obstacle;
    for (const fine of [undefined, "", FILES["c.pem"]]) expect(obstacle(fine), fine).toBeUndefined();
    for (const odd of ["none", FILES["k.pem"], `${FILES["c.pem"]}\n-----BEGIN CERTIFICATE-----\nAAAA`])
      expect(obstacle(odd), odd).toBe("its intermediates are in no form that is read here");
  });

  test("that was read is left to the helper for lasting reasons alone", () => {
    const asked = machine(FILES);
    const files = { ...FILES };
    const system = {
      ...asked.system,
      readFile: (...call: Parameters<typeof asked.system.readFile>) => machine(files).system.readFile(...call),
    };
    expect(choose({ profile, system })).toBeDefined();
    files["k.pem"] = "-----BEGIN PRIVATE KEY-----\nAA";
    asked.advance(60_000);
    expect(choose({ profile, system })).toBeDefined();
    files["k.pem"] = "-----BEGIN TSS2 PRIVATE KEY-----\nAAAA\n-----END TSS2 PRIVATE KEY-----";
    expect(choose({ profile, system })).toBeDefined();
    asked.advance(60_000);
    expect(choose({ profile, system })).toBeUndefined();
  });

  test("leaves files that are not there for the link to complain of", () => {
    expect(helperLineOf(profile, machine({}).system)?.obstacle).toBeUndefined();
    expect(helperLineOf(profile, machine({ "c.pem": FILES["c.pem"] }).system)?.obstacle).toBeUndefined();
  });

  describe.skipIf(process.platform === "win32")("looks at its program", () => {
    const SCRIPT = "the program of that name is a script";
    const script = program("scripts/aws_signing_helper", "#!/bin/sh\nexit 1\n");
    const binary = program("binaries/aws_signing_helper", "\u007fELF");
    program("plain/aws_signing_helper", "#!/bin/sh\n", 0o644);
    program("short/aws_signing_helper", "#");
    mkdirSync(join(folder, "folders/aws_signing_helper"), { recursive: true });
    mkdirSync(join(folder, "pipes"));
    execFileSync("mkfifo", ["-m", "755", join(folder, "pipes/aws_signing_helper")]);
    const within = (...folders: string[]): string => folders.map((name) => join(folder, name)).join(":");

    test.each<[string, string, string | undefined, string | undefined]>([
      ["a script by its path", script, undefined, SCRIPT],
      ["a binary by its path", binary, within("scripts"), undefined],
      ["a script in PATH", "aws_signing_helper", within("empty", "scripts", "binaries"), SCRIPT],
      ["a binary in PATH before it", "aws_signing_helper", within("binaries", "scripts"), undefined],
      ["one that may not be run is none", "aws_signing_helper", within("plain", "binaries"), undefined],
      ["one that is shorter than two bytes", "aws_signing_helper", within("short"), undefined],
      ["a folder of that name", "aws_signing_helper", within("folders"), undefined],
      ["a pipe of that name, which is not waited for", "aws_signing_helper", within("pipes"), undefined],
      ["no PATH", "aws_signing_helper", undefined, undefined],
      ["a program that is not there", join(folder, "missing/aws_signing_helper"), within("scripts"), undefined],
    ])("%s", (_, name, PATH, obstacle) => {
      const { system } = machine(FILES, PATH === undefined ? {} : { PATH });
      const line = { credential_process: LINE.replace("aws_signing_helper", name) };
      expect(helperLineOf(line, system)?.obstacle).toBe(obstacle);
    });

    test("once in a second, and anew after it", () => {
      rmSync(within("later"), { recursive: true, force: true });
      const { system, advance } = machine(FILES, { PATH: within("later") });
      const asked = { ...system, monotonic: system.monotonic };
      expect(choose({ profile, system: asked })).toBeDefined();
      program("later/aws_signing_helper", "#!/bin/sh\n");
      advance(60_000);
      expect(choose({ profile, system: asked })).toBeUndefined();
    });
  });
});

test("the timeout of the guard counts for a session only where somebody has set it", () => {
  expect(boundsOf({ timeout: 3_000, maxRetries: 1, sources: {} })).toEqual({
    timeoutMs: SESSION_TIMEOUT_MS,
    maxRetries: 1,
  });
  expect(boundsOf({ timeout: 3_000, maxRetries: 2, sources: { timeout: "option" } })).toEqual({
    timeoutMs: 3_000,
    maxRetries: 2,
  });
});

describe("the links of a guard", () => {
  function owner(): { owner: Parameters<typeof linkFor>[2]; events: unknown[]; links: Links } {
    const events: unknown[] = [];
    const links: Links = new Map();
    const settings = { timeout: 3_000, maxRetries: 1, sources: {} };
    const { system } = machine(FILES);
    const reporter = { report: (...event: unknown[]) => void events.push(event) };
    return {
      owner: { links, system, reporter: reporter as never, settings, verify: () => Promise.resolve() },
      events,
      links,
    };
  }
  const choiceOf = (line: string): NonNullable<ReturnType<typeof chooseCertificate>> => {
    const choice = choose({ profile: { credential_process: line } });
    if (choice === undefined) throw new Error("nothing was chosen");
    return choice;
  };
  const aws = { system: machine(FILES).system, profile: {} };

  test("are one for each way of asking, and told of a passphrase once", () => {
    const { owner: ours, events, links } = owner();
    const [first, second] = [LINE, `${LINE} --pkcs8-password hunter2`].map(choiceOf) as [never, never];
    const link = linkFor(first, aws, ours);
    expect(linkFor(choiceOf(LINE), aws, ours)).toBe(link);
    expect(events).toEqual([]);
    const other = linkFor(second, aws, ours);
    expect(other).not.toBe(link);
    expect(linkFor(second, aws, ours)).toBe(other);
    expect(links.size).toBe(2);
    expect(events).toEqual([
      [
        "roles_anywhere.passphrase_exposed",
        {
          message: expect.stringMatching(
            /^The line of aws_signing_helper .* holds the passphrase of its key$/,
          ) as string,
          advice: expect.stringContaining("imds_guard_roles_anywhere_passphrase_file") as string,
        },
      ],
    ]);
    expect(JSON.stringify(events)).not.toContain("hunter2");
  });

  test("of a role alias are links, too", () => {
    const { owner: ours } = owner();
    const profile = {
      imds_guard_iot_role_alias: "x",
      imds_guard_iot_endpoint: "x.example",
      imds_guard_iot_certificate: "/c.pem",
      imds_guard_iot_private_key: "/k.pem",
    };
    const choice = choose({ profile });
    expect(choice?.kind).toBe("iot");
    expect(linkFor(choice as never, aws, ours)).toBeDefined();
  });

  test("are at most 64", () => {
    const { owner: ours, links } = owner();
    for (let at = 0; at < 64; at++) linkFor(choiceOf(`${LINE} --session-duration ${900 + at}`), aws, ours);
    expect(links.size).toBe(64);
    linkFor(choiceOf(`${LINE} --session-duration 2000`), aws, ours);
    expect(links.size).toBe(1);
  });
});
