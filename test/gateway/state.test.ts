/** What an installation leaves for the daemon, and whom the daemon believes. */
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { chmodSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { InstalledState } from "../../src/gateway/state.js";
import { readState, removeState, writeState } from "../../src/gateway/state.js";

const STATE: InstalledState = { uid: 123, port: 9_100, bridges: ["docker0"], user: "imds-guard", by: "nft" };
const isRoot = process.getuid?.() === 0;
let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "imds-guard-state-"));
  path = join(folder, "deep", "run", "gateway.json");
});
afterEach(() => rmSync(folder, { recursive: true }));

describe.skipIf(process.platform === "win32")("the state", () => {
  it("is written whole, for everybody to read, and taken away whether or not it is there", () => {
    writeState(STATE, path);
    writeState({ ...STATE, port: 9_101 }, path);
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ ...STATE, port: 9_101 });
    expect(readFileSync(path, "utf8").endsWith("}\n")).toBe(true);
    expect(readdirSync(dirname(path))).toEqual(["gateway.json"]);
    const modes = [path, dirname(path)].map((each) => statSync(each).mode & 0o777);
    expect(modes).toEqual([0o644 & ~process.umask(), 0o755 & ~process.umask()]);
    removeState(path);
    expect(existsSync(path)).toBe(false);
    removeState(path);
    expect(readState(path)).toBeUndefined();
  });

  it("is not written through what somebody laid where it is drafted", () => {
    mkdirSync(dirname(path), { recursive: true });
    const victim = join(folder, "victim");
    writeFileSync(victim, "");
    symlinkSync(victim, `${path}.${process.pid}`);
    expect(() => writeState(STATE, path)).toThrow("EEXIST");
    expect(readFileSync(victim, "utf8")).toBe("");
  });

  it.skipIf(isRoot)("of anybody but root says nothing", () => {
    writeState(STATE, path);
    expect(readState(path)).toBeUndefined();
  });

  const text = JSON.stringify(STATE);
  const laid = (content: string, mode = 0o644): void => {
    writeFileSync(path, content);
    chmodSync(path, mode);
  };
  it.skipIf(!isRoot).each<[string, boolean, () => unknown]>([
    ["of root", true, () => laid(text)],
    ["that root alone may read", true, () => laid(text, 0o600)],
    ["of the largest size", true, () => laid(text.padEnd(64 * 1_024))],
    ["that is larger", false, () => laid(text.padEnd(64 * 1_024 + 1))],
    ["that its group may write", false, () => laid(text, 0o664)],
    ["that everybody may write", false, () => laid(text, 0o646)],
    ["of another user", false, () => (laid(text), chownSync(path, 1, 0))],
    ["of another group", true, () => (laid(text), chownSync(path, 0, 1))],
    ["that is cut", false, () => laid(text.slice(0, -1))],
    ["that is null", false, () => laid("null")],
    ["without a user", false, () => laid(JSON.stringify({ ...STATE, uid: undefined }))],
    ["with a user that is no number", false, () => laid(JSON.stringify({ ...STATE, uid: "123" }))],
    ["with a port that is none", false, () => laid(JSON.stringify({ ...STATE, port: 1.5 }))],
    ["with bridges that are no list", false, () => laid(JSON.stringify({ ...STATE, bridges: "docker0" }))],
    ["that is a folder", false, () => mkdirSync(path)],
    ["that is a link", false, () => (writeFileSync(`${path}.x`, text), symlinkSync(`${path}.x`, path))],
  ])("%s is believed: %s", (_, believed, lay) => {
    mkdirSync(dirname(path), { recursive: true });
    lay();
    expect(readState(path)).toEqual(believed ? STATE : undefined);
  });
});
