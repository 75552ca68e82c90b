import { describe, expect, test } from "vitest";
import type { FileRead } from "../../src/base/system.js";
import { realSystem } from "../../src/base/system.js";
import { readEarlySettings } from "../../src/settings/early.js";
import { MACHINE_FILE } from "../../src/settings/locations.js";
import { readMachineFile } from "../../src/settings/machine-file.js";
import type { GuardOptions, Settings } from "../../src/settings/options.js";
import { resolveSettings } from "../../src/settings/resolve.js";
import { isUnconfigured } from "../../src/settings/early-defaults.js";
import { fc } from "../support/properties.js";

const A = "111122223333";
const B = "444455556666";

const file = (text: string, owner = { uid: 0, mode: 0o644 }): FileRead => ({
  kind: "content",
  bytes: Buffer.from(text),
  owner,
});

function system(read: FileRead, env: Record<string, string> = {}, config = ""): typeof realSystem {
  return {
    ...realSystem,
    platform: "linux",
    env: { HOME: "/home/a", ...env },
    readFile: (path) =>
      path === MACHINE_FILE
        ? read
        : path === "/home/a/.aws/config"
          ? { kind: "content", bytes: Buffer.from(config) }
          : { kind: "absent" },
  };
}

const resolve = async (text: string, options: GuardOptions = {}, env: Record<string, string> = {}): Promise<Settings> =>
  (await resolveSettings(options, system(file(text), env))).settings;

describe("the settings of the machine", () => {
  test("tighten the defaults, the environment and code", async () => {
    const text = `# by the administrator\n[default]\nimds_guard_mode = ec2-only ; why\nimds_guard_expected_accounts = ${A}, ${B}\n`;
    const found = await resolve(text, { mode: "allow", expectedAccounts: [B] }, { IMDS_GUARD_MODE: "allow" });
    expect([found.mode, found.expectedAccounts, found.sources["mode"]]).toEqual(["ec2-only", [B], "machine"]);
    expect((await resolve(text)).expectedAccounts).toEqual([A, B]);
    expect((await resolve(text, { profile: "x" })).expectedAccounts).toEqual([A, B]);
  });

  test("never loosen: neither a default nor what somebody said", async () => {
    const loose = [
      "imds_guard_mode = allow",
      "imds_guard_attestation = off",
      "imds_guard_on_unknown_account = allow",
      "imds_guard_verify_with_sts = off",
      "imds_guard_firewall = off",
      "imds_guard_firewall_allow = gcp",
    ].join("\n");
    const { sources, ...found } = await resolve(loose);
    const { sources: _, ...usual } = await resolve("");
    expect([found, sources]).toEqual([usual, {}]);
    const options = { mode: "deny", attestation: "required", verifyWithSts: "on" } as const;
    expect(await resolve(loose, options)).toMatchObject(options);
  });

  test("leave fewer exceptions of the firewall, and may leave none", async () => {
    const options = { firewallAllow: ["ecs", "dns"] } as const;
    expect((await resolve("imds_guard_firewall_allow = dns, ntp", options)).firewallAllow).toEqual(["dns"]);
    expect((await resolve("imds_guard_firewall_allow = ntp", options)).firewallAllow).toEqual([]);
  });

  test("that have nothing in common with what is expected are an error", async () => {
    await expect(resolve(`imds_guard_expected_accounts = ${A}`, { expectedAccounts: [B] })).rejects.toMatchObject({
      code: "ERR_IMDS_GUARD_SETTING",
      message: `Nothing is left of expectedAccounts: its sources have no entry in common (option = ${B}; imds_guard_expected_accounts of the machine = ${A}). See docs/errors.md#ERR_IMDS_GUARD_SETTING`,
    });
  });

  const UNTRUSTED = "it has to be owned by root and writable by nobody else";

  test.each<[string, FileRead, string]>([
    ["of another user", file("", { uid: 1000, mode: 0o644 }), UNTRUSTED],
    ["that nobody is known to have", { kind: "content", bytes: Buffer.alloc(0) }, UNTRUSTED],
    ["that its group may write", file("", { uid: 0, mode: 0o620 }), UNTRUSTED],
    ["that everybody may write", file("", { uid: 0, mode: 0o602 }), UNTRUSTED],
    ["that is no text", { ...file(""), bytes: Buffer.from([0xff]) } as FileRead, "it is not UTF-8 text"],
    [
      "with a key that cannot tighten",
      file("imds_guard_timeout = 100"),
      'line 1: "imds_guard_timeout" cannot be set there, where settings can only be tightened; did you mean imds_guard_mode?',
    ],
    [
      "with a key that is none",
      file("# one\n\nimds_guard_egres = report"),
      'line 3: "imds_guard_egres" cannot be set there, where settings can only be tightened; did you mean imds_guard_egress?',
    ],
    [
      "with a key of AWS's",
      file("ec2_metadata = true"),
      'line 1: "ec2_metadata" cannot be set there, where settings can only be tightened',
    ],
    [
      "for one profile",
      file("\n[profile x]\nimds_guard_mode = deny"),
      "line 2 begins a section; it has none but [default]",
    ],
    ["with prose", file("imds_guard_mode = deny\ndeny all"), 'line 2 is not "name = value"'],
    ["with a value alone", file("= deny"), 'line 1 is not "name = value"'],
    [
      "with a key twice",
      file("imds_guard_mode = deny\r\n\r\nimds_guard_mode = deny"),
      "line 3 sets imds_guard_mode once more",
    ],
    ["that may not be read", { kind: "unreadable", code: "EACCES" }, "it cannot be read (EACCES)"],
    ["that is a directory", { kind: "unreadable", code: "EISDIR" }, "it is a directory"],
    ["that is too large", { kind: "too-large", limit: 1 }, "it is larger than 1048576 bytes"],
  ])("in a file %s are an error, and never without effect", async (_, read, says) => {
    const refusal = {
      code: "ERR_IMDS_GUARD_CONFIG_FILE",
      tryNextLink: false,
      message: `The settings of this machine, ${MACHINE_FILE}, cannot be used: ${says}${says.endsWith("?") ? "" : "."} See docs/errors.md#ERR_IMDS_GUARD_CONFIG_FILE`,
      evidence: [{ source: MACHINE_FILE, says }],
      advice: `Let the administrator of this machine repair or remove ${MACHINE_FILE}. Allowed: imds_guard_mode, imds_guard_attestation, imds_guard_expected_accounts, imds_guard_expected_roles, imds_guard_expected_regions, imds_guard_on_unknown_account, imds_guard_verify_with_sts, imds_guard_emulator, imds_guard_firewall, imds_guard_firewall_allow, imds_guard_firewall_answers, imds_guard_egress.`,
    };
    await expect(resolveSettings({}, system(read))).rejects.toMatchObject(refusal);
    expect(() => readEarlySettings({}, system(read))).toThrow(MACHINE_FILE);
    expect(isUnconfigured(system(read))).toBe(false);
  });

  test("that Node.js was not allowed to read are an error that names its flag", async () => {
    await expect(resolveSettings({}, system({ kind: "unreadable", code: "ERR_ACCESS_DENIED" }))).rejects.toMatchObject({
      evidence: [{ source: MACHINE_FILE, says: "it cannot be read (ERR_ACCESS_DENIED)" }],
      advice: expect.stringContaining(`--allow-fs-read=${MACHINE_FILE} `) as string,
    });
  });

  test("with a word that is none is an error", async () => {
    await expect(resolve("imds_guard_mode = denny")).rejects.toMatchObject({ code: "ERR_IMDS_GUARD_SETTING" });
    await expect(resolve("imds_guard_mode =")).rejects.toMatchObject({ code: "ERR_IMDS_GUARD_SETTING" });
  });

  test("are read before the program starts, too", () => {
    const surroundings = system(file("imds_guard_firewall = block"), { IMDS_GUARD_FIREWALL: "off" });
    expect(isUnconfigured(surroundings)).toBe(false);
    expect(readEarlySettings({}, surroundings).firewall).toBe("block");
  });

  test("win against any combination of the other sources", async () => {
    const words = ["allow", "ec2-only", "deny"] as const;
    const word = fc.option(fc.constantFrom(...words), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(word, word, word, word, async (machine, option, variable, key) => {
        const line = (text: string | undefined) => (text === undefined ? "" : `imds_guard_mode = ${text}`);
        const env: Record<string, string> = variable === undefined ? {} : { IMDS_GUARD_MODE: variable };
        const resolved = (text: string) =>
          resolveSettings({ mode: option }, system(file(text), env, `[default]\n${line(key)}\n`));
        const without = (await resolved("")).settings.mode;
        const { mode } = (await resolved(line(machine))).settings;
        expect(words.indexOf(mode)).toBe(Math.max(words.indexOf(without), machine ? words.indexOf(machine) : 0));
      }),
      { numRuns: 100 },
    );
  });
});

describe("the keys of the file", () => {
  const read = (given: FileRead, platform: NodeJS.Platform = "linux"): Record<string, string> =>
    Object.fromEntries(readMachineFile({ ...system(given), platform }));

  test.each<[string, string, Record<string, string>]>([
    ["an empty file", "", {}],
    ["white space and comments", " \t\n# one\n; two\n  # three\n", {}],
    ["a key", "imds_guard_mode = deny", { imds_guard_mode: "deny" }],
    ["a key without spaces", "imds_guard_mode=deny", { imds_guard_mode: "deny" }],
    ["a key in a section", "[default]\nimds_guard_mode = deny\n", { imds_guard_mode: "deny" }],
    ["indented lines of Windows", "  [default] \r\n\timds_guard_mode = deny \r\n", { imds_guard_mode: "deny" }],
    ["a comment behind a section", "[default] # all\nimds_guard_mode = deny ; why\n", { imds_guard_mode: "deny" }],
    ["equals signs and number signs within", "imds_guard_mode = a=b#c;d", { imds_guard_mode: "a=b#c;d" }],
    ["a key without a value", "imds_guard_mode =", { imds_guard_mode: "" }],
    [
      "two keys",
      "imds_guard_mode = deny\nimds_guard_egress = report",
      { imds_guard_mode: "deny", imds_guard_egress: "report" },
    ],
  ])("%s", (_, text, keys) => {
    expect(read(file(text))).toEqual(keys);
  });

  test("are none where there is no file, and on Windows", () => {
    expect(read({ kind: "absent" })).toEqual({});
    expect(read(file("imds_guard_mode = deny"), "win32")).toEqual({});
  });

  test.each([0o644, 0o600, 0o755, 0o4755, 0o1711])("are read from a file of root's with mode %o", (mode) => {
    expect(read(file("imds_guard_mode = deny", { uid: 0, mode }))).toEqual({ imds_guard_mode: "deny" });
  });
});
