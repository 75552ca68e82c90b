/** Where nothing was said about the firewall, reading it properly comes to the same. */
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { readEarlySettings } from "../../src/settings/early.js";
import { SETTINGS } from "../../src/settings/table.js";
import {
  isUnconfigured,
  EARLY_DEFAULTS,
  EARLY_VARIABLES,
  reportingVariables,
} from "../../src/settings/early-defaults.js";
import type { EarlySettings } from "../../src/settings/early-defaults.js";
import { MACHINE_FILE } from "../../src/settings/locations.js";
import type { System } from "../../src/base/system.js";
import { realSystem } from "../../src/base/system.js";
import { fc } from "../support/properties.js";

function system(env: Record<string, string>, files: Readonly<Record<string, string>> = {}): System {
  return {
    ...realSystem,
    env: { HOME: "/home/a", ...env },
    readFile: (path) =>
      files[path] === undefined ? { kind: "absent" } : { kind: "content", bytes: Buffer.from(files[path]) },
  };
}

const CONFIG = "/home/a/.aws/config";
const CREDENTIALS = "/home/a/.aws/credentials";

it("knows the variable of every setting", () => {
  expect(Object.keys(EARLY_VARIABLES)).toEqual(Object.keys(EARLY_DEFAULTS));
  for (const [setting, variable] of Object.entries(EARLY_VARIABLES))
    expect(SETTINGS.find(({ name }) => name === setting)?.env).toBe(variable);
});

type Case = readonly [env: Record<string, string>, files: Record<string, string>];

describe("nothing is said", () => {
  it.each<Case>([
    [{}, {}],
    [{ IMDS_GUARD_FIREWALL: "block" }, {}],
    [{ IMDS_GUARD_FIREWALL: "", IMDS_GUARD_LOG: "" }, {}],
    // Settings of the guard, which the firewall has no use for.
    [{ IMDS_GUARD_MODE: "deny", IMDS_GUARD_EXPECTED_ACCOUNTS: "111122223333", IMDS_GUARD_PROBE: "off" }, {}],
    [{}, { [CONFIG]: "[default]\nregion = eu-central-1\n", [CREDENTIALS]: "" }],
    [{ AWS_CONFIG_FILE: "/etc/other" }, { [CONFIG]: "[default]\nimds_guard_firewall = off\n" }],
    [{}, { [CONFIG]: "no file of settings" }],
  ])("in %j and %j", (env, files) => {
    expect(isUnconfigured(system(env, files))).toBe(true);
    expect(readEarlySettings({}, system(env, files))).toEqual(EARLY_DEFAULTS);
  });
});

describe("something is said", () => {
  it.each<Case>([
    ...Object.values(EARLY_VARIABLES).map((variable): Case => [{ [variable]: "report" }, {}]),
    [{ IMDS_GUARD_FIREWALL: "BLOCK" }, {}],
    [{ IMDS_GUARD_FIREWALL: " block" }, {}],
    [{ IMDS_GUARD_LOG: "block" }, {}],
    [{}, { [CONFIG]: "[default]\nimds_guard_firewall = off\n" }],
    [{}, { [CREDENTIALS]: "[profile other]\nIMDS_GUARD_LOG = off\n" }],
    [{ AWS_CONFIG_FILE: "/etc/other" }, { "/etc/other": "# imds_guard_" }],
    [{ AWS_SHARED_CREDENTIALS_FILE: "~/keys" }, { "/home/a/keys": "\xff imds_guard_" }],
  ])("in %j and %j", (env, files) => {
    expect(isUnconfigured(system(env, files))).toBe(false);
  });
});

it("is not found where a file cannot be read, or the machine has one of its own", () => {
  const reading = (kind: "unreadable" | "content", path: string, platform: NodeJS.Platform = "linux"): boolean =>
    isUnconfigured({
      ...system({}),
      platform,
      readFile: (read) =>
        read !== path
          ? { kind: "absent" }
          : kind === "content"
            ? { kind, bytes: Buffer.alloc(0) }
            : { kind, code: "EACCES" },
    });
  expect(reading("unreadable", CONFIG)).toBe(false);
  expect(reading("unreadable", CREDENTIALS)).toBe(false);
  expect(reading("content", CREDENTIALS)).toBe(true);
  expect(reading("content", MACHINE_FILE)).toBe(false);
  expect(reading("unreadable", MACHINE_FILE)).toBe(false);
  expect(reading("content", MACHINE_FILE, "win32")).toBe(true);
});

it.each<[Partial<EarlySettings>, Record<string, string>]>([
  [{}, {}],
  [{ firewall: "off", egress: "report" }, {}],
  [
    { log: "off", eventFormat: "ecs", telemetry: "opentelemetry" },
    { IMDS_GUARD_LOG: "off", IMDS_GUARD_EVENT_FORMAT: "ecs", IMDS_GUARD_TELEMETRY: "opentelemetry" },
  ],
  [{ eventsFile: "/var/log/events" }, { IMDS_GUARD_EVENTS_FILE: resolve("/var/log/events") }],
  // A child may start in another directory.
  [{ eventsFile: "events" }, { IMDS_GUARD_EVENTS_FILE: resolve("events") }],
])("hands %j on to children as %j", (settings, variables) => {
  expect(reportingVariables({ ...EARLY_DEFAULTS, ...settings })).toEqual(variables);
});

it("never passes over anything that would be read", () => {
  const value = fc.constantFrom("", "block", "report", "off", "blok", "dns", "error", "/tmp/x", "ecs");
  const variables = fc.dictionary(
    fc.constantFrom(...Object.values(EARLY_VARIABLES), "IMDS_GUARD_MODE", "AWS_PROFILE"),
    value,
    { maxKeys: 3 },
  );
  const line = fc.constantFrom(
    "[default]",
    "[profile off]",
    "region = x",
    "imds_guard_firewall = off",
    "imds_guard_log=off",
    "IMDS_GUARD_LOG = off",
    "imds_guard",
    "[",
    "# imds_guard_firewall = off",
    "  imds_guard_telemetry = opentelemetry",
  );
  const file = fc.array(line, { maxLength: 4 }).map((lines) => lines.join("\n"));
  fc.assert(
    fc.property(variables, file, file, (env, config, credentials) => {
      const surroundings = system(env, { [CONFIG]: config, [CREDENTIALS]: credentials });
      if (isUnconfigured(surroundings)) expect(readEarlySettings({}, surroundings)).toEqual(EARLY_DEFAULTS);
    }),
  );
});
