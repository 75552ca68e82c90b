import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ImdsGuardSettingsError } from "../../src/base/errors.js";
import { readEarlySettings, readExpectedAccounts } from "../../src/settings/early.js";
import { resolveSettings } from "../../src/settings/resolve.js";
import { realSystem } from "../../src/base/system.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "imds-guard-early-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function system(env: Record<string, string>, files: Readonly<Record<string, string>> = {}): typeof realSystem {
  for (const name of ["config", "credentials"]) writeFileSync(join(folder, name), files[name] ?? "");
  const paths = { AWS_CONFIG_FILE: join(folder, "config"), AWS_SHARED_CREDENTIALS_FILE: join(folder, "credentials") };
  return { ...realSystem, env: { ...paths, ...env } };
}

it.each<[Record<string, string>, Record<string, string>, readonly string[]]>([
  [{}, {}, []],
  [{ IMDS_GUARD_EXPECTED_ACCOUNTS: "111122223333" }, {}, ["111122223333"]],
  [{ AWS_PROFILE: "a" }, { config: "[profile a]\nimds_guard_expected_accounts = 444455556666\n" }, ["444455556666"]],
])("the accounts that %j and %j expect are %j", (env, files, accounts) => {
  expect(readExpectedAccounts(system(env, files))).toEqual(accounts);
});

describe("readEarlySettings", () => {
  const cases: [string, Record<string, string>, Record<string, string>][] = [
    ["nothing", {}, {}],
    [
      "the environment",
      {
        IMDS_GUARD_FIREWALL: "report",
        IMDS_GUARD_FIREWALL_ALLOW: "ecs, dns",
        IMDS_GUARD_LOG: "error",
        IMDS_GUARD_EVENTS_FILE: "/tmp/events",
        IMDS_GUARD_EVENT_FORMAT: "ecs",
        IMDS_GUARD_TELEMETRY: "opentelemetry",
      },
      {},
    ],
    [
      "the default profile",
      {},
      { config: "[default]\nregion = x\nimds_guard_firewall = report\nimds_guard_firewall_allow = gcp ; why\n" },
    ],
    [
      "a named profile",
      { AWS_PROFILE: "work" },
      {
        config:
          "[default]\nimds_guard_firewall = off\n[profile work]\nimds_guard_firewall = report\n[profile other]\nimds_guard_log = off\n",
      },
    ],
    [
      "the credentials file",
      { AWS_PROFILE: "work" },
      {
        config: "[profile work]\nimds_guard_log = error\n",
        credentials: "[work]\nimds_guard_firewall = report\nimds_guard_log = off\n",
      },
    ],
    [
      "a section without the word profile, which is none",
      { AWS_PROFILE: "work" },
      { config: "[work]\nimds_guard_firewall = off\n" },
    ],
    [
      "a section that is closed twice, which is none",
      { AWS_PROFILE: "work" },
      { config: "[profile work]]\nimds_guard_firewall = off\n", credentials: "[work]]\nimds_guard_firewall = off\n" },
    ],
    [
      "a section that only begins like the profile's",
      { AWS_PROFILE: "work" },
      { config: "[profile work] x]\nimds_guard_log = off\n" },
    ],
    ["a section with a comment", {}, { config: "[default] ; mine\nimds_guard_firewall = report\n" }],
    ["the strictest word", { IMDS_GUARD_FIREWALL: "off" }, { config: "[default]\nimds_guard_firewall = block\n" }],
    [
      "environment before profile",
      { IMDS_GUARD_FIREWALL: "off", IMDS_GUARD_FIREWALL_ALLOW: "ecs" },
      { config: "[default]\nimds_guard_firewall = report\nimds_guard_firewall_allow = gcp\n" },
    ],
    ["CRLF", {}, { config: "[default]\r\nimds_guard_firewall = report\r\n" }],
  ];
  it.each(cases)("reads %s as the guard itself does", async (_, env, files) => {
    const surroundings = system(env, files);
    const early = readEarlySettings({}, surroundings);
    const {
      settings,
      problem: _problem,
      profile: _profile,
      warnings: _warnings,
      ...destinations
    } = await resolveSettings({}, surroundings);
    const { firewall, firewallAllow, firewallAnswers, egress } = settings;
    expect(early).toEqual({ firewall, firewallAllow, firewallAnswers, egress, ...destinations });
  });

  it.each([
    [{ IMDS_GUARD_FIREWALL: "blok" }, {}],
    [{ IMDS_GUARD_FIREWALL_ALLOW: "ec2" }, {}],
    [{ IMDS_GUARD_EVENT_FORMAT: "cef" }, {}],
    [{}, { config: "[default]\nimds_guard_firewall = on\n" }],
    [{ AWS_PROFILE: "my work" }, { config: '[profile "my work"]\nimds_guard_firewall=off\n' }],
    [{}, { config: "[default\nimds_guard_firewall = off\n" }],
  ] as [Record<string, string>, Record<string, string>][])("refuses %j %j", (env, files) => {
    expect(() => readEarlySettings({}, system(env, files))).toThrow(ImdsGuardSettingsError);
  });
});
