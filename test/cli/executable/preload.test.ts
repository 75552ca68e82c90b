/** Where a single executable writes its preload, and whom it does not trust with that. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PreloadUnwritableError, writePreload } from "../../../src/cli/executable/preload.js";

const FILES = new Map([
  ["register.cjs", Buffer.from('require("./other.cjs");')],
  ["other.cjs", Buffer.from("// other")],
]);
let home: string;
let before: string | undefined;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "imds-guard-preload-"));
  before = process.env["TMPDIR"];
  process.env["TMPDIR"] = join(home, "temporary");
});
afterEach(() => {
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  rmSync(home, { recursive: true, force: true });
});

const write = (env: Record<string, string> = { HOME: home }): string => writePreload(FILES, { env, platform: "linux" });

describe.skipIf(process.platform === "win32")("the preload of a single executable", () => {
  test("is written into the user's cache, for this user alone", () => {
    const path = write();
    expect(path.startsWith(join(home, ".cache/imds-guard/preload-"))).toBe(true);
    expect(readdirSync(dirname(path)).sort()).toEqual(["other.cjs", "register.cjs"]);
    expect(readFileSync(path, "utf8")).toBe('require("./other.cjs");');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
  });

  test("stays as it is where it is there", () => {
    const { ino } = statSync(write());
    expect(statSync(write()).ino).toBe(ino);
    expect(readdirSync(join(home, ".cache/imds-guard"))).toHaveLength(1);
  });

  test.each([
    ["other text", (path: string) => writeFileSync(path, "process.exit(1)")],
    ["others may write to", (path: string) => chmodSync(path, 0o666)],
    ["cut short", (path: string) => writeFileSync(path, "")],
    ["gone", (path: string) => rmSync(path)],
    [
      "a link",
      (path: string) => {
        rmSync(path);
        symlinkSync("/dev/null", path);
      },
    ],
  ])("is replaced where a file of it is %s", (_, change) => {
    const path = write();
    change(path);
    expect(write()).toBe(path);
    expect(readFileSync(path, "utf8")).toBe('require("./other.cjs");');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(home, ".cache/imds-guard"))).toHaveLength(1);
  });

  test("prefers the folder that systemd gives a service, then XDG_CACHE_HOME", () => {
    const service = join(home, "service");
    expect(write({ CACHE_DIRECTORY: `${service}:/x`, XDG_CACHE_HOME: "/x", HOME: home })).toContain(`${service}/`);
    expect(write({ XDG_CACHE_HOME: join(home, "xdg"), HOME: home })).toContain(join(home, "xdg/imds-guard"));
    expect(write({ XDG_CACHE_HOME: "relative", HOME: home })).toContain(join(home, ".cache"));
  });

  test.each([
    ["a link", (path: string) => symlinkSync("/tmp", path)],
    ["a file", (path: string) => writeFileSync(path, "")],
    [
      "a folder that others may write to",
      (path: string) => {
        mkdirSync(path);
        chmodSync(path, 0o777);
      },
    ],
  ])("goes elsewhere where its folder is %s", (_, make) => {
    mkdirSync(join(home, ".cache"));
    make(join(home, ".cache/imds-guard"));
    expect(write()).toContain(join(home, "temporary/imds-guard-"));
  });

  test("says what to do where it can be written nowhere", () => {
    process.env["TMPDIR"] = "/proc/nowhere";
    expect(() => write({ HOME: "/dev/null" })).toThrow(PreloadUnwritableError);
    expect(() => write({ HOME: "/dev/null" })).toThrow(/XDG_CACHE_HOME or TMPDIR/);
    expect(existsSync("/dev/null/.cache")).toBe(false);
  });

  test("is nothing that another user made", () => {
    mkdirSync(join(home, ".cache/imds-guard"), { recursive: true, mode: 0o700 });
    expect(writePreload(FILES, { env: { HOME: home }, platform: "linux" }, process.getuid!())).toContain(".cache");
    expect(() => writePreload(FILES, { env: { HOME: home }, platform: "linux" }, 4_294_967)).toThrow(
      PreloadUnwritableError,
    );
  });
});
