/** A setting that somebody wrote has its effect or is an error; and a trifle in a file that says nothing is neither. */
import { describe, expect, test } from "vitest";
import type { GuardOptions } from "../../src/settings/options.js";
import { snapshotOptions } from "../../src/settings/check-options.js";
import type { Resolved } from "../../src/settings/resolve.js";
import { resolveSettings } from "../../src/settings/resolve.js";
import { makeHome } from "./home.js";

interface Files {
  readonly config?: string | Buffer;
  readonly credentials?: string | Buffer;
}

const resolve = (files: Files, env: Record<string, string> = {}, options: GuardOptions = {}): Promise<Resolved> =>
  resolveSettings(options, makeHome(files).system(env));

const A = "111122223333";
const B = "444455556666";

describe("both files count", () => {
  test.each<[string, string]>([
    ["deny", "allow"],
    ["allow", "deny"],
  ])("mode %s in config beside %s in credentials is deny", async (config, credentials) => {
    const { settings } = await resolve({
      config: `[default]\nimds_guard_mode = ${config}\n`,
      credentials: `[default]\nimds_guard_mode = ${credentials}\n`,
    });
    expect(settings.mode).toBe("deny");
  });

  test("lists narrow each other; of other settings the credentials file has the word, as in the SDK", async () => {
    const files = {
      config: `[default]\nimds_guard_expected_accounts = ${A},${B}\nimds_guard_timeout = 100\n`,
      credentials: `[default]\nimds_guard_expected_accounts = ${B}\nimds_guard_timeout = 200\n`,
    };
    expect((await resolve(files)).settings).toMatchObject({ expectedAccounts: [B], timeout: 200 });
  });
});

describe("[default] beside [profile default], and a key that stands twice", () => {
  const both = (first: string, second: string): string[] => [
    `[default]\n${first}\n[profile default]\n${second}\n`,
    `[profile default]\n${first}\n[default]\n${second}\n`,
    `[default]\n${first}\n${second}\n`,
    `[default]\n${first}\n[default]\n${second}\n`,
  ];

  test.each([
    ["imds_guard_mode = deny", "imds_guard_mode = allow", { mode: "deny" }],
    ["imds_guard_mode = allow", "imds_guard_mode = ec2-only", { mode: "ec2-only" }],
    ["imds_guard_attestation = off", "imds_guard_attestation = required", { attestation: "required" }],
    [`imds_guard_expected_accounts = ${A},${B}`, `imds_guard_expected_accounts = ${B}`, { expectedAccounts: [B] }],
    ["imds_guard_timeout = 100", "imds_guard_timeout = 100", { timeout: 100 }],
    ["imds_guard_timeout = 100", "imds_guard_mode = deny", { timeout: 100, mode: "deny" }],
  ])("both %s and %s count", async (first, second, expected) => {
    for (const config of [...both(first, second), ...both(second, first)])
      expect((await resolve({ config })).settings).toMatchObject(expected);
  });

  test.each([
    ["imds_guard_timeout = 100", "imds_guard_timeout = 200"],
    ["imds_guard_probe = on", "imds_guard_probe = off"],
    [`imds_guard_expected_accounts = ${A}`, `imds_guard_expected_accounts = ${B}`],
    ["imds_guard_firewall_allow = dns", "imds_guard_firewall_allow = ntp"],
  ])("%s and %s contradict each other", async (first, second) => {
    for (const config of both(first, second))
      await expect(resolve({ config })).rejects.toMatchObject({ code: "ERR_IMDS_GUARD_SETTING" });
  });
});

describe("an empty text", () => {
  test.each(["IMDS_GUARD_EXPECTED_ACCOUNTS", "IMDS_GUARD_EXPECTED_ROLES", "IMDS_GUARD_EXPECTED_REGIONS"])(
    "of %s is an error, as an empty list is in code",
    async (variable) => {
      const failure = { code: "ERR_IMDS_GUARD_SETTING", evidence: [{ source: variable }] };
      await expect(resolve({}, { [variable]: "" })).rejects.toMatchObject(failure);
      await expect(resolve({ config: `[default]\n${variable.toLowerCase()} =\n` })).rejects.toMatchObject({
        code: "ERR_IMDS_GUARD_SETTING",
      });
    },
  );

  test("of any other setting says nothing", async () => {
    const empty = { IMDS_GUARD_MODE: "", IMDS_GUARD_TIMEOUT: "", IMDS_GUARD_CERTIFICATES: "" };
    expect((await resolve({ config: "[default]\nimds_guard_mode =\n" }, empty)).settings.sources).toEqual({});
  });
});

describe("what the SDK does not read as it was meant is an error in a file that speaks of this package", () => {
  test.each<[string, string | Buffer]>([
    ["a carriage return within a line", "[default]\nregion = x\rimds_guard_mode = deny\n"],
    ["carriage returns as line ends", "[default]\rimds_guard_mode = deny\r"],
    ["a comment that ends in a carriage return alone", "# comment\r[default]\rimds_guard_mode = deny\n"],
    ["U+0085 within a line", "[default]\nregion = x\u0085imds_guard_mode = deny\n"],
    ["U+0085 before a key", "[default]\n\u0085imds_guard_mode = deny\n"],
    ["U+2028 within a line", "[default]\nregion = x\u2028imds_guard_mode = deny\n"],
    ["a form feed within a line", "[default]\nregion = x\fimds_guard_mode = deny\n"],
    ["a word before the key", "[default]\nexport imds_guard_mode = deny\n"],
    ["a character that nobody sees in a key", "[default]\nimds_gu\u200bard_mode = deny\n"],
    ["a character that nobody sees in a section", "[defa\u00adult]\nimds_guard_mode = deny\n"],
    ["a colon", "[default]\nimds_guard_mode: deny\n"],
    ["no section", "imds_guard_mode = deny\n[default]\nx = y\n"],
    ["UTF-16", Buffer.from("\ufeff[default]\nimds_guard_mode = deny\n", "utf16le")],
    ["UTF-16 of the other order", Buffer.from("\ufeff[default]\nimds_guard_mode = deny\n", "utf16le").swap16()],
    ["Latin-1", Buffer.from("[default]\n# \xfcber\nimds_guard_mode = deny\n", "latin1")],
    ["NULs", "[default]\ni\0m\0d\0s\0_guard_mode = deny\n"],
    ["a hyphen", "[default]\nimds-guard-mode = deny\n"],
    ["nothing between the words", "[default]\nIMDSGuard_mode = deny\n"],
  ])("%s", async (_, config) => {
    await expect(resolve({ config })).rejects.toMatchObject({ kind: "settings", tryNextLink: false });
  });
});

describe("a file that speaks neither of this package nor of IMDS is no reason to refuse", () => {
  const kept = [
    "[default]\nregion: us-west-2\n",
    "[default]#main\nregion = us-west-2\n",
    "[default]\rregion = us-west-2\r",
    "[default]\nregion = us-west-2\nendpoint_discovery_enabled\n",
    "[default]\nregion = us-west-2\ns3 =\n    some words here\n",
    "[default]\nregion = us-west-2\nexport AWS_PAGER=\nset -e\n",
    "region = us-west-2\n[default]\noutput = json\n",
    "[default\nregion = x\n",
    "{}\n",
    "<<<<<<< HEAD\n[default]\n",
    "\0\0\0",
  ].map((text): [string, Buffer] => [JSON.stringify(text), Buffer.from(text)]);
  const others: [string, Buffer][] = [
    ["Latin-1", Buffer.from("[default]\nrole_session_name = J\xfcrg\n", "latin1")],
    ["UTF-16", Buffer.from("\ufeff[default]\r\nregion = us-west-2\r\n", "utf16le")],
    ["random bytes", Buffer.from(Array.from({ length: 4_000 }, (_, index) => (index * 7_919) % 251))],
  ];

  test.each([...kept, ...others])("%s", async (_, bytes) => {
    for (const files of [{ config: bytes }, { credentials: bytes }]) {
      const { problem, warnings, settings } = await resolve(files);
      expect([problem, warnings, settings.sources]).toEqual([undefined, [], {}]);
    }
  });

  test.each(["ec2_metadata_service_endpoint: http://10.0.0.1", "disable_ec2_metadata true", "EC2_METADATA"])(
    "but it is where it says %s: IMDS is refused, and nothing else",
    async (line) => {
      const { problem } = await resolve({ config: `[default]\n${line}\n` });
      expect(problem?.code).toBe("ERR_IMDS_GUARD_CONFIG_FILE");
    },
  );
});

describe("a profile that is named and does not exist", () => {
  test("is told, whoever named it", async () => {
    const files = { config: "[default]\nregion = x\n" };
    for (const { settings, warnings } of [
      await resolve(files, { AWS_PROFILE: "prd" }),
      await resolve(files, {}, { profile: "prd" }),
      await resolve({}, {}, { profile: "prd" }),
    ]) {
      expect(settings.missingProfile).toBe("prd");
      expect(warnings.map(({ code }) => code)).toEqual(["settings.profile_missing"]);
    }
  });

  test("is one that neither file has a section of", async () => {
    for (const files of [{ config: "[profile prd]\n" }, { credentials: "[prd]\n" }])
      expect((await resolve(files, { AWS_PROFILE: "prd" })).warnings).toEqual([]);
    expect((await resolve({})).warnings).toEqual([]);
  });
});

describe("options", () => {
  class Chosen {
    get mode(): "deny" {
      return "deny";
    }
  }
  test.each<[string, unknown]>([
    ["a promise", Promise.resolve({ mode: "deny" })],
    ["a Map", new Map([["mode", "deny"]])],
    ["an instance with getters", new Chosen()],
    ["an object that inherits them", Object.create({ mode: "deny" })],
    ["a list", [{ mode: "deny" }]],
    ["a date", new Date(0)],
    ["certificates in a Map", { certificates: new Map([["eu-west-1", "PEM"]]) }],
  ])("that would vanish are a TypeError: %s", (_, options) => {
    expect(() => snapshotOptions(options as GuardOptions)).toThrow(TypeError);
  });

  test("are taken as they were when they were given, own getters included", async () => {
    const accounts = [A];
    const options = {
      expectedAccounts: accounts,
      get mode(): "deny" {
        return "deny";
      },
    };
    const snapshot = snapshotOptions(options);
    accounts.length = 0;
    accounts.push(B);
    expect((await resolve({}, {}, snapshot)).settings).toMatchObject({ expectedAccounts: [A], mode: "deny" });
    expect(Object.isFrozen(snapshot)).toBe(true);
  });

  test("of another realm are options", async () => {
    const { runInNewContext } = await import("node:vm");
    const options = runInNewContext("({ mode: 'deny', expectedAccounts: ['111122223333'] })") as GuardOptions;
    expect(snapshotOptions(options)).toMatchObject({ mode: "deny", expectedAccounts: [A] });
  });
});
