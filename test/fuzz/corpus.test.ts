/**
 * Every input that a search kept, and every finding, holds to all promises; and the search finds what it is there to
 * find.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { blocksOf, wordsOf } from "./blocks.mjs";
import { readCorpus, readFindings } from "./corpus.mjs";
import { MOST_BYTES, MOST_FILES } from "./minimise.mjs";
import { declared, hold, holdsItsTongue, SECRETS } from "./oracle.mjs";
import { play, prepare } from "./session.mjs";
import { readSettings, targetOfFile } from "./settings.mjs";
import { TARGETS } from "./targets.mjs";
import { TARGETS as PLANTED } from "./planted/targets.mjs";

const load = (name: string): Promise<unknown> => import(/* @vite-ignore */ `../../src/${name}.ts`);
const NAMES = TARGETS.map(({ name }) => name);
const FINDINGS = readFindings(NAMES);

describe.each(TARGETS.map((target) => [target.name, target] as const))("%s", (name, target) => {
  test("keeps its promises for every seed, every input of its corpus and every finding", async () => {
    const run = await target.open(load);
    const findings = FINDINGS.filter((finding) => finding.target === name).map(({ input }) => input);
    for (const input of [...target.seeds(), ...readCorpus(name), ...findings]) await run(input);
  });

  test("has a corpus that is small", () => {
    const corpus = readCorpus(name);
    expect(corpus.length).toBeLessThanOrEqual(MOST_FILES);
    expect(corpus.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(MOST_BYTES);
  });
});

test("every finding belongs to a target, and every target has a name of its own and a sentence", () => {
  expect(FINDINGS.filter(({ target }) => target === undefined)).toEqual([]);
  expect(new Set(NAMES).size).toBe(NAMES.length);
  expect(TARGETS.filter(({ name, sentence }) => !/^[a-z0-9-]+$/.test(name) || sentence.length < 20)).toEqual([]);
});

test("every source that a target names is there", () => {
  const named = TARGETS.flatMap(({ sources, also = [] }) => [...sources, ...also]).map(
    (source) => source.split("#")[0],
  );
  const missing = named.filter((name) => !existsSync(new URL(`../../src/${name}.ts`, import.meta.url)));
  expect(missing).toEqual([]);
});

describe("the search", () => {
  let prepared: ReturnType<typeof prepare>;
  beforeAll(() => {
    const here = fileURLToPath(new URL("planted", import.meta.url));
    prepared = prepare(PLANTED, { targetsUrl: new URL("planted/targets.mjs", import.meta.url).href, from: here });
  });
  afterAll(() => prepared.remove());
  const planted = (name: string) => PLANTED.find((target) => target.name === name)!;

  test("finds a bug behind four bytes, and makes its input small", async () => {
    const { findings } = await play(prepared, planted("planted"), {
      mode: "explore",
      runs: 100_000,
      seed: 3,
      untilFound: true,
    });
    expect(findings.map(({ kind, input }) => [kind, input.toString("hex")])).toEqual([["error", "7f45d399"]]);
    expect(findings[0]!.signature).toContain("RangeError");
  });

  test("does the same for the same seed, and something else for another", async () => {
    const runOf = async (seed: number) => {
      const { kept, executions, done } = await play(prepared, planted("planted"), {
        mode: "explore",
        runs: 2_000,
        seed,
      });
      return {
        executions,
        kept: kept.map((input) => input.toString("hex")),
        reached: done.reached,
        outcomes: done.outcomes,
      };
    };
    const first = await runOf(7);
    expect(first.executions).toBeGreaterThanOrEqual(2_000);
    expect(await runOf(7)).toEqual(first);
    expect((await runOf(8)).kept).not.toEqual(first.kept);
  });

  test("ends an input that never does, and says which", async () => {
    const { findings, kept } = await play(prepared, planted("endless"), {
      mode: "explore",
      runs: 400_000,
      seed: 1,
      deadlineMs: 300,
    });
    expect(findings.map(({ kind, input }) => [kind, input.toString("hex").slice(0, 8)])).toEqual([
      ["hang", "504b0304"],
    ]);
    expect(kept.length).toBeGreaterThan(0);
  });

  test("names the input of an error that nobody caught", async () => {
    const { findings } = await play(prepared, planted("bursting"), { mode: "explore", runs: 10_000, seed: 1 });
    expect(findings.map(({ kind, input }) => [kind, input.length > 20])).toEqual([["uncaught", true]]);
  });

  test("keeps of a corpus what no smaller input reaches", async () => {
    const inputs = ["7f", "7f00", "7f45000000", "7f4500", "7f45d30000"].map((hex) => Buffer.from(hex, "hex"));
    const { done } = await play(prepared, planted("planted"), { mode: "minimise", inputs });
    expect((done as Uint8Array[]).map((input) => Buffer.from(input).toString("hex"))).toEqual(["7f", "7f45", "7f45d3"]);
  });
});

describe("blocks", () => {
  test.each([
    ["function f() { return 1; }", 1],
    ["if (a) b(); else c();", 2],
    ["const x = a ? b : c || d;", 3],
    ["for (const x of y) z(x);", 1],
    ["switch (a) { case 1: b(); break; default: c(); }", 2],
    ["function f(a) { if (a) return 1; return 2; }", 3],
    ["try { a(); } catch { b(); }", 1],
    ["const f = (a) => a ?? b;", 2],
  ])("of %s", (text, count) => {
    expect(blocksOf(text)).toHaveLength(count);
  });

  test("words are what a source compares with", () => {
    const words = wordsOf('import x from "y"; if (a === "HTTP/1.") b(/^content-(?:length)$/i, 0x1f8b);');
    expect(words.map((word) => word.toString("latin1")).toSorted()).toEqual(
      ["HTTP/1.", "content-", "length", "\x1f\x8b", "\x8b\x1f"].toSorted(),
    );
  });
});

describe("settings", () => {
  test("have defaults", () => {
    expect(readSettings([], NAMES)).toEqual({
      targets: [],
      seconds: 20,
      runs: undefined,
      seed: 1,
      minimise: false,
      list: false,
      keep: true,
      replay: undefined,
      json: undefined,
    });
  });

  test.each([
    [["--tiem", "5"], "--tiem is no setting; allowed: --target, --time"],
    [["--time", "0"], '--time is "0"; allowed: a whole number from 1 to 86400'],
    [["--time", "1.5"], '--time is "1.5"; allowed'],
    [["--seed=-1"], '--seed is "-1"; allowed: a whole number from 0 to 4294967295'],
    [["--target", "url"], '--target is "url"; allowed: identity-message, '],
    [["--target"], "--target has no value"],
    [["--json", "--list"], "--json has no value"],
    [["--minimise=yes"], '--minimise is "yes"; it takes no value'],
    [["--seed", "1", "--seed", "2"], "--seed is given twice"],
    [["--time", "1", "--runs", "1"], "--time and --runs are both given"],
    [["ber"], '"ber" is no setting; targets are named by --target'],
  ])("%j are refused by name", (words, message) => {
    expect(() => readSettings(words, NAMES)).toThrow(message);
  });

  test("that are wrong end the program with code 2", () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [fileURLToPath(new URL("./run.mjs", import.meta.url)), "--replay", "nothing"],
      { encoding: "utf8" },
    );
    expect([status, stderr]).toEqual([
      2,
      expect.stringContaining('--replay is "nothing", whose name tells no target; add --target: '),
    ]);
  });

  test("tell the target of a file", () => {
    expect(targetOfFile("test/fuzz/corpus/ber/0123", NAMES)).toBe("ber");
    expect(targetOfFile("findings/identity-text-x", ["identity", "identity-text"])).toBe("identity-text");
  });
});

describe("oracles", () => {
  test("let announced errors pass and no others", () => {
    const error = Object.assign(new TypeError("x"), { code: "ERR_INVALID_ARG_VALUE" });
    expect(declared(error, { TypeError: ["ERR_INVALID_ARG_VALUE"] })).toBe("ERR_INVALID_ARG_VALUE");
    expect(() => declared(error, { RangeError: ["ERR_INVALID_ARG_VALUE"] })).toThrow(error);
    expect(() => declared(new TypeError("x"), { TypeError: ["ERR_INVALID_ARG_VALUE"] })).toThrow("x");
  });

  test("see part of a secret in an error or its cause", () => {
    const input = `key = ${SECRETS.key}`;
    expect(() => holdsItsTongue(new Error("fine"), input)).not.toThrow();
    expect(() => holdsItsTongue(new Error("x", { cause: new Error(SECRETS.key.slice(3, 20)) }), input)).toThrow(
      "repeats no secret",
    );
    expect(() => hold(false, "it holds", { a: 1 })).toThrow("it holds: { a: 1 }");
  });
});
