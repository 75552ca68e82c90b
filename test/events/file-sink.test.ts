import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { MAX_PENDING, fileSink } from "../../src/events/file-sink.js";
import type { Sink } from "../../src/events/sinks.js";
import { bundleProgram } from "./program.js";
import { eventOf } from "./samples.js";

let folder: string;
let file: string;
let failures: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "imds-guard-file-"));
  file = join(folder, "events.jsonl");
  failures = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (path = file): Sink => fileSink(path, { every: true, onFailure: (code) => void failures.push(code) });
const numbered = (n: number): GuardEvent => eventOf("imds.identity_changed", { message: `number ${n}` });
const lines = (path = file): unknown[] =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
const messages = (path = file): unknown[] => lines(path).map((line) => (line as Partial<GuardEvent>).message ?? line);

describe("fileSink", () => {
  test("opens nothing before the first event, then appends JSON lines readable by the owner alone", () => {
    const sink = open();
    expect(existsSync(file)).toBe(false);
    const events = [eventOf("imds.no_role"), numbered(1)];
    for (const event of events) sink.write(event);
    expect(lines()).toEqual(events);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("keeps what is in the file, and its mode", () => {
    writeFileSync(file, '{"earlier":true}\n');
    chmodSync(file, 0o640);
    open().write(numbered(1));
    expect(messages()).toEqual([{ earlier: true }, "number 1"]);
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  test("writes what the encoder makes of an event", () => {
    fileSink(file, { encode: ({ code }) => ({ code }) }).write(numbered(1));
    expect(lines()).toEqual([{ code: "imds.identity_changed" }]);
  });

  test("creates a rotated or deleted file again", () => {
    const sink = open();
    sink.write(numbered(1));
    renameSync(file, `${file}.1`);
    sink.write(numbered(2));
    rmSync(file);
    sink.write(numbered(3));
    expect(messages(`${file}.1`)).toEqual(["number 1"]);
    expect(messages()).toEqual(["number 3"]);
  });

  test("waits in order while the folder is missing, and says so once", async () => {
    const late = join(folder, "late");
    const sink = open(join(late, "events.jsonl"));
    for (const n of [1, 2, 3]) sink.write(numbered(n));
    expect(failures).toEqual(["ENOENT"]);
    mkdirSync(late);
    sink.write(numbered(4));
    expect(messages(join(late, "events.jsonl"))).toEqual(["number 1", "number 2", "number 3", "number 4"]);
    rmSync(late, { recursive: true });
    sink.write(numbered(5));
    expect(failures).toEqual(["ENOENT", "ENOENT"]);
    mkdirSync(late);
    await sink.close?.();
    expect(messages(join(late, "events.jsonl"))).toEqual(["number 5"]);
  });

  test("drops the newest beyond the bound and tells how many", () => {
    const late = join(folder, "late");
    const sink = open(join(late, "events.jsonl"));
    for (let n = 0; n < MAX_PENDING + 7; n += 1) sink.write(numbered(n));
    mkdirSync(late);
    sink.write(numbered(1_000));
    sink.write(numbered(1_001));
    const kept = Array.from({ length: MAX_PENDING }, (_, n) => `number ${n}`);
    expect(messages(join(late, "events.jsonl"))).toEqual([...kept, "number 1000", { dropped: 7 }, "number 1001"]);
  });

  test.each<[string, string, () => string]>([
    ["a directory", "EISDIR", () => folder],
    ["a path through a file", "ENOTDIR", () => (writeFileSync(file, ""), join(file, "events.jsonl"))],
    ["a path with a NUL", "ERR_INVALID_ARG_VALUE", () => `${file}\0`],
    ["a device", "ENOTREG", () => "/dev/null"],
    ["a pipe nobody reads", "ENXIO", () => (execFileSync("mkfifo", [file]), file)],
    [
      "a symbolic link",
      "ELOOP",
      () => {
        writeFileSync(join(folder, "target"), "");
        symlinkSync(join(folder, "target"), file);
        return file;
      },
    ],
  ])("%s is refused with %s", async (_what, code, path) => {
    const sink = open(path());
    sink.write(numbered(1));
    await sink.close?.();
    expect(failures).toEqual([code]);
    if (existsSync(join(folder, "target"))) expect(readFileSync(join(folder, "target"), "utf8")).toBe("");
  });

  test("an observer of failures that throws changes nothing", () => {
    const sink = fileSink(folder, {
      every: true,
      onFailure: () => {
        throw new Error("broken");
      },
    });
    expect(() => sink.write(numbered(1))).not.toThrow();
  });

  test("close without events touches nothing", async () => {
    await open().close?.();
    expect(existsSync(file)).toBe(false);
  });
});

// To a writer a file size limit looks like a full disk: it takes a part of the line, then fails. A process may raise
// its soft limit again, and then there is room.
const PROGRAM = `
  import { execFileSync, spawnSync } from "node:child_process";
  import { fileSink } from "src/events/file-sink.ts";
  const sink = fileSink(process.argv[2], { every: true, onFailure: (code) => console.log(code) });
  const write = (n) => sink.write({ severity: "error", n, padding: "x".repeat(280) });
  process.on("SIGXFSZ", () => {});
  for (let n = 0; n < 6; n += 1) write(n);
  execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=1000000"]);
  write(6);
`;

function missing(command: string): boolean {
  return spawnSync(command, ["--version"]).error !== undefined;
}

describe.skipIf(missing("prlimit"))("a disk that fills up", () => {
  test("tears one line, and the event is written again in full once there is room", async () => {
    const program = await bundleProgram(folder, PROGRAM);
    const args = ["-c", 'ulimit -S -f 2; exec "$0" "$@"', process.execPath, program, file];
    const stdout = execFileSync("/bin/sh", args, { encoding: "utf8" });
    expect(stdout).toBe("EFBIG\n");
    const written = readFileSync(file, "utf8").trimEnd().split("\n");
    const torn = written.splice(3, 1)[0] as string;
    expect(torn).toMatch(/^\{"severity":"error","n":3,"padding":"x+$/);
    expect(written.map((line) => (JSON.parse(line) as { n: number }).n)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });
});

test("a flood of one kind is two lines: the first at once, the rest with its count at the end", async () => {
  const sink = fileSink(file);
  for (let n = 0; n < 500; n += 1) sink.write(numbered(n));
  expect(readFileSync(file, "utf8").split("\n")).toHaveLength(2);
  await sink.close();
  const lines = readFileSync(file, "utf8").trim().split("\n");
  expect(lines).toHaveLength(2);
  expect(JSON.parse(lines[1] ?? "")).toMatchObject({ message: "number 499", repeats: 499 });
});
