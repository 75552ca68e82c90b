/** A process of tests that hangs says by whom, whatever its neighbours are at. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { beat, lastBeat, lastBeatAt } from "./heartbeat.mjs";
import { judge, watched } from "./watch.mjs";

const folder = mkdtempSync(join(tmpdir(), "imds-guard-watch-"));
afterAll(() => rmSync(folder, { recursive: true }));
/** Nothing here may be ended for being slow, unless it is silent for good. */
const PATIENCE = { startMs: 20_000, silenceMs: 20_000, everyMs: 20 };
const HEARTBEAT = new URL("./heartbeat.mjs", import.meta.url).href;
const at = (name: string): string => join(folder, name);
const atMutant = (mutant: string): Parameters<typeof beat>[1] => ({
  phase: "mutant",
  test: `a test of ${mutant}`,
  mutant,
  tried: true,
});

/** In the place of a process of tests, in a group of its own as that is. */
const shell = (program: string): ChildProcess => spawn("sh", ["-c", program], { detached: true, stdio: "ignore" });

describe("the heartbeat", () => {
  test("is the last one, or nothing", () => {
    expect(lastBeat(at("none"))).toBeUndefined();
    expect(lastBeatAt(at("none"))).toBeUndefined();
    beat(at("some"), atMutant("1"));
    beat(at("some"), atMutant("2"));
    expect(lastBeat(at("some"))).toEqual(atMutant("2"));
    expect(lastBeatAt(at("some"))).toBeTypeOf("bigint");
  });

  test("is whole, wherever the process that writes it is ended", () => {
    beat(at("whole"), atMutant("1"));
    writeFileSync(`${at("whole")}.next`, '{"phase":"mut');
    expect(lastBeat(at("whole"))).toEqual(atMutant("1"));
  });

  test("that cannot be read is an error, and no silence", () => {
    expect(() => lastBeat(folder)).toThrow(expect.objectContaining({ code: "EISDIR" }));
  });
});

describe("the watch", () => {
  test("ends a process in an endless loop, while a neighbour goes on with another mutant", async () => {
    const program = `import { beat } from ${JSON.stringify(HEARTBEAT)}; beat(${JSON.stringify(at("loop"))}, ${JSON.stringify(atMutant("1"))}); for (;;);`;
    const loop = spawn(process.execPath, ["--input-type=module", "--eval", program], {
      detached: true,
      stdio: "ignore",
    });
    const neighbour = setInterval(() => beat(at("neighbour"), atMutant("2")), 10);
    try {
      expect(await watched(loop, at("loop"), { ...PATIENCE, silenceMs: 100 })).toEqual({
        kind: "hang",
        how: "hangs",
        at: atMutant("1"),
      });
    } finally {
      clearInterval(neighbour);
    }
  });

  test("ends a process that is silent for longer than it said itself, and no longer than for all", async () => {
    for (const [name, silenceMs, patienceMs] of [
      ["said", PATIENCE.silenceMs, 50],
      ["for all", 50, PATIENCE.silenceMs],
    ] as const) {
      beat(at(name), { ...atMutant("1"), patienceMs });
      const { kind } = await watched(shell("sleep 60"), at(name), { ...PATIENCE, silenceMs });
      expect(kind).toBe("hang");
    }
  });

  test("ends a process that never begins", async () => {
    expect(await watched(shell("sleep 60"), at("never"), { ...PATIENCE, startMs: 100 })).toEqual({
      kind: "hang",
      how: "hangs",
      at: undefined,
    });
  });

  test.each([
    ["comes to its end", "exit 0", { kind: "end", how: "ends with exit code 0" }],
    ["fails", "exit 7", { kind: "failure", how: "ends with exit code 7" }],
    ["is ended by somebody else", "kill -TERM $$", { kind: "failure", how: "is ended by SIGTERM" }],
  ])("says how a process ended that %s, and where it was", async (name, program, ending) => {
    expect(await watched(shell(program), at(`nothing of what ${name}`), PATIENCE)).toEqual({
      ...ending,
      at: undefined,
    });
    beat(at(name), atMutant("3"));
    expect(await watched(shell(program), at(name), PATIENCE)).toEqual({ ...ending, at: atMutant("3") });
  });

  test("says of a program that is not there that it cannot be started", async () => {
    expect(await watched(spawn(at("no-program")), at("no-beat"), PATIENCE)).toEqual({
      kind: "failure",
      how: "cannot be started: ENOENT",
      at: undefined,
    });
  });
});

describe("the end of a process", () => {
  const FILE = "test/host/x.test.ts";
  const hang = { kind: "hang", how: "hangs" } as const;
  const failure = { kind: "failure", how: "ends with exit code 1" } as const;
  const quiet = { kind: "end", how: "ends with exit code 0" } as const;
  const during = (
    phase: Parameters<typeof beat>[1]["phase"],
    { mutant = "", tried = false } = {},
  ): { at: Parameters<typeof beat>[1] } => ({ at: { phase, test: "a > b", mutant, tried } });
  const aside = (phase: "between" | "end", tried: boolean): { at: Parameters<typeof beat>[1] } => ({
    at: { phase, test: "", mutant: "", tried },
  });
  const broken = (where: string, why: string): object => ({ broken: where, file: FILE, why });

  test.each([
    [
      "a hang with a mutant",
      { ...hang, ...during("mutant", { mutant: "7", tried: true }) },
      { caught: "7", by: `${FILE}: a > b: hangs` },
    ],
    [
      "a failure with a mutant",
      { ...failure, ...during("mutant", { mutant: "7", tried: true }) },
      { caught: "7", by: `${FILE}: a > b: ends with exit code 1` },
    ],
    [
      "an end with a mutant before the last test",
      { ...quiet, ...during("mutant", { mutant: "7", tried: true }) },
      { caught: "7", by: `${FILE}: a > b: ends with exit code 0` },
    ],
    [
      "a hang after a mutant that was caught",
      { ...hang, ...during("check", { mutant: "7", tried: true }) },
      { doubtful: "7", by: `${FILE}: a > b` },
    ],
    [
      "a hang of a test that is run again",
      { ...hang, ...during("again", { tried: true }) },
      { unrepeatable: `${FILE}: a > b` },
    ],
    ["a hang after mutants that passed", { ...hang, ...during("bare", { tried: true }) }, { spoilt: `${FILE}: a > b` }],
    [
      "a hang between tests, after mutants",
      { ...hang, ...aside("between", true) },
      { spoilt: `${FILE}: between tests` },
    ],
    ["a failure of the file, after mutants", { ...failure, ...aside("end", true) }, { spoilt: `${FILE}: as a whole` }],
    ["a hang before any mutant", { ...hang, ...during("bare") }, broken("a > b", "hangs")],
    [
      "a hang between tests, before any mutant",
      { ...hang, ...aside("between", false) },
      broken("between tests", "hangs"),
    ],
    [
      "a failure of the file, without any mutant",
      { ...failure, ...aside("end", false) },
      broken("as a whole", "ends with exit code 1"),
    ],
    ["a hang before any test", { ...hang, at: undefined }, broken("before any test", "hangs")],
    ["a failure before any test", { ...failure, at: undefined }, broken("before any test", "ends with exit code 1")],
    ["an end without any test", { ...quiet, at: undefined }, broken("before any test", "ends with exit code 0")],
    ["a good end", { ...quiet, ...aside("end", true) }, undefined],
    ["a hang when all is over", { ...hang, ...aside("end", true) }, undefined],
  ])("that is %s", (_, ending, entry) => {
    expect(judge(ending, FILE)).toEqual(entry);
  });
});
