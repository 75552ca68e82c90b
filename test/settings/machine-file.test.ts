import { describe, expect, test } from "vitest";
import type { FileRead } from "../../src/base/system.js";
import { realSystem } from "../../src/base/system.js";
import { readEarlySettings } from "../../src/settings/early.js";
import { MACHINE_FILE } from "../../src/settings/locations.js";
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

  test.each<[string, FileRead]>([
    ["of another user", file("", { uid: 1000, mode: 0o644 })],
    ["that its group may write", file("", { uid: 0, mode: 0o664 })],
    ["that everybody may write", file("", { uid: 0, mode: 0o646 })],
    ["that is no text", { ...file(""), bytes: Buffer.from([0xff]) } as FileRead],
    ["with a key that cannot tighten", file("imds_guard_timeout = 100")],
    ["with a key that is none", file("imds_guard_mod = deny")],
    ["with a key of AWS's", file("disable_ec2_metadata = true")],
    ["for one profile", file("[profile x]\nimds_guard_mode = deny")],
    ["with prose", file("deny all")],
    ["with a key twice", file("imds_guard_mode = deny\nimds_guard_mode = deny")],
    ["that may not be read", { kind: "unreadable", code: "EACCES" }],
    ["that is a directory", { kind: "unreadable", code: "EISDIR" }],
    ["that is too large", { kind: "too-large", limit: 1 }],
  ])("in a file %s are an error, and never without effect", async (_, read) => {
    await expect(resolveSettings({}, system(read))).rejects.toMatchObject({
      code: "ERR_IMDS_GUARD_CONFIG_FILE",
      tryNextLink: false,
    });
    expect(() => readEarlySettings({}, system(read))).toThrow(MACHINE_FILE);
    expect(isUnconfigured(system(read))).toBe(false);
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
