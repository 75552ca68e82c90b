/** What a mutation run is asked for is done, or refused by name before anything else is looked at. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { readArguments, ROOMS } from "./arguments.mjs";

/** A package of the test's own. */
const root = mkdtempSync(join(tmpdir(), "imds-guard-arguments-"));
afterAll(() => rmSync(root, { recursive: true }));
const SOURCES = [
  "host/b.ts",
  "host/a.ts",
  "host/deep/c.ts",
  "settings/d.ts",
  "imds/e.ts",
  "attest/aws-public-keys.ts",
  "attest/f.ts",
  "guard/g.ts",
  "sdk/h.ts",
  "firewall/i.ts",
  "roles-anywhere/j.ts",
  "gateway/k.ts",
];
const OTHERS = ["host/notes.txt", "cli/main.ts", "index.ts"];
for (const path of [...SOURCES, ...OTHERS].map((name) => inSrc(name))) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "");
}

function inSrc(name: string): string {
  return join(root, "src", name);
}

const ALL = readdirSync(join(root, "src"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort();
const read = (...words: string[]): ReturnType<typeof readArguments> => readArguments(words, root);

function refusal(...words: string[]): unknown {
  try {
    return read(...words);
  } catch (error) {
    return error;
  }
}

describe("what is asked for", () => {
  test("is every room, two processes at a time, where nothing is said", () => {
    const all = [
      "host/a.ts",
      "host/b.ts",
      "host/deep/c.ts",
      "settings/d.ts",
      "imds/e.ts",
      "attest/f.ts",
      "guard/g.ts",
      "sdk/h.ts",
      "firewall/i.ts",
      "roles-anywhere/j.ts",
      "gateway/k.ts",
    ].map(inSrc);
    expect(read()).toEqual({ paths: all, rooms: ROOMS, jobs: 2, json: undefined, percent: 100, since: undefined });
  });

  test("is of rooms that are there", () => {
    for (const room of ROOMS)
      expect(existsSync(fileURLToPath(new URL(`../../src/${room}`, import.meta.url)))).toBe(true);
  });

  test("is some rooms", () => {
    const since = join(root, "src/index.ts");
    const words = ["--jobs", "64", "--json", "x.json", "--sample", "7", "--since", since];
    expect(read("--rooms", "imds,host,imds", ...words)).toEqual({
      paths: ["imds/e.ts", "host/a.ts", "host/b.ts", "host/deep/c.ts"].map(inSrc),
      rooms: ["imds", "host"],
      jobs: 64,
      json: "x.json",
      percent: 7,
      since,
    });
  });

  test("is some files, each once", () => {
    expect(read(inSrc("host/a.ts"), inSrc("settings/d.ts"), inSrc("settings/../host/a.ts"), "--jobs=1")).toEqual({
      paths: ["host/a.ts", "settings/d.ts"].map(inSrc),
      rooms: ["host", "settings"],
      jobs: 1,
      json: undefined,
      percent: 100,
      since: undefined,
    });
  });
});

describe("what cannot be", () => {
  test.each(["NaN", "0", "65", "-1", "1.5", "1e1", "two", "", " 2"])("%j processes at a time", (jobs) => {
    expect(refusal(`--jobs=${jobs}`)).toEqual(
      new TypeError(`--jobs is ${JSON.stringify(jobs)}; allowed: a whole number from 1 to 64`),
    );
  });

  test.each(["0", "101", "-1", "1.5", "half", ""])("a sample of %j percent", (percent) => {
    expect(refusal(`--sample=${percent}`)).toEqual(
      new TypeError(`--sample is ${JSON.stringify(percent)}; allowed: a whole number from 1 to 100`),
    );
  });

  test("figures that are not there", () => {
    expect(refusal("--since", "/nowhere.json")).toEqual(
      new TypeError('--since is "/nowhere.json"; allowed: the path of a file that --json has written'),
    );
  });

  test.each(["", "provider", "host,", "Host", "host,constructor"])("the rooms %j", (rooms) => {
    const wrong = rooms.split(",").at(-1);
    expect(refusal("--rooms", rooms)).toEqual(
      new TypeError(`--rooms names ${JSON.stringify(wrong)}; allowed: ${ALL.join(", ")}`),
    );
  });

  const elsewhere = [
    inSrc("index.ts"),
    inSrc("../src-host/a.ts"),
    join(root, "test/host/a.ts"),
    "/",
    "src/host/a.ts/../../../a.ts",
  ];
  test.each(elsewhere)("a file in no room: %s", (path) => {
    expect(refusal(path)).toEqual(
      new TypeError(`${JSON.stringify(path)} is in no room; allowed: files in a folder of src`),
    );
  });

  test.each(["host/nope.ts", "host", "host/notes.txt", "host/a.ts/b.ts", "attest/aws-public-keys.ts"].map(inSrc))(
    "what is no source: %s",
    (path) => {
      expect(refusal(inSrc("host/a.ts"), path)).toEqual(
        new TypeError(
          `${JSON.stringify(path)} is no source that is there; allowed: files of TypeScript, aws-public-keys.ts left out`,
        ),
      );
    },
  );

  test("rooms and files, and no file for the figures", () => {
    expect(refusal("--rooms", "host", "x.ts")).toEqual(
      new TypeError('--rooms is "host" and "x.ts" is named, too; allowed: either rooms or files'),
    );
    expect(refusal("--json", "")).toEqual(new TypeError('--json is ""; allowed: the path of a file'));
  });

  test("an option that there is not, in the words of Node.js", () => {
    expect(refusal("--job", "2")).toMatchObject({ name: "TypeError", code: "ERR_PARSE_ARGS_UNKNOWN_OPTION" });
  });
});

test.each([
  ["--jobs", "none"],
  ["--rooms", "--json"],
])("%j is refused in one line, before it is tried whether a network can be made", (...words) => {
  const run = fileURLToPath(new URL("./run.mjs", import.meta.url));
  // Without a PATH there is no unshare, which would be exit code 3.
  const { status, stdout, stderr } = spawnSync(process.execPath, [run, ...words], {
    env: { PATH: root },
    encoding: "utf8",
  });
  expect({ status, stdout, lines: stderr.split("\n").length }).toEqual({ status: 2, stdout: "", lines: 2 });
  expect(stderr).toContain(words[0]?.split("=")[0]);
});
