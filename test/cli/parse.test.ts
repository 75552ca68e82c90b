/** Words of the command line: what is understood, and what is said about the rest. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FORMATS } from "../../src/cli/scan.js";
import { UsageError } from "../../src/cli/command.js";
import { COMMANDS } from "../../src/cli/commands.js";
import { optionsOf, parseWords } from "../../src/cli/parse.js";
import { FORMAT_NAMES } from "../../src/detection/log-formats.js";
import { fc } from "../support/properties.js";

const command = {
  name: "try",
  options: [
    { name: "flag", short: "f", summary: "" },
    { name: "dir", short: "d", value: "DIR", summary: "" },
    { name: "many", value: "X", multiple: true, summary: "" },
    { name: "level", value: "L", words: ["low", "high"], summary: "" },
  ],
};

describe("parseWords", () => {
  it.each([
    [[], {}, []],
    [["--flag", "a", "b"], { flag: true }, ["a", "b"]],
    [["-f", "-d", "x"], { flag: true, dir: "x" }, []],
    [["--dir=--odd"], { dir: "--odd" }, []],
    [["--many", "1", "--many=2"], { many: ["1", "2"] }, []],
    [["--flag", "--flag"], { flag: true }, []],
    [["-"], {}, ["-"]],
    [["--dir", "-"], { dir: "-" }, []],
    [["--", "--flag", "-x"], {}, ["--flag", "-x"]],
    [["a", "--", "b", "--"], {}, ["a", "b", "--"]],
    [["--level", "high"], { level: "high" }, []],
  ])("%j", (args, options, words) => {
    expect(parseWords(command, args)).toEqual({ options, words, json: false, help: false });
  });

  it.each([
    [["--falg"], "try has no option --falg", "did you mean --flag?"],
    [["-x"], "try has no option -x", undefined],
    [["--dir"], "--dir needs a value: --dir DIR", undefined],
    [["--dir", "--flag"], "--dir needs a value: --dir DIR", "write --dir=--flag if --flag is meant"],
    [["--dir="], "--dir needs a value: --dir DIR", undefined],
    [["--flag=1"], "--flag takes no value", undefined],
    [["--dir", "a", "--dir", "b"], "--dir is given twice", undefined],
    [["--level", "hihg"], "hihg is not a value of --level", "did you mean high?"],
    [["--level", "zzzzzz"], "zzzzzz is not a value of --level", "known: low, high"],
  ])("%j is refused", (args, message, hint) => {
    let error: unknown;
    try {
      parseWords(command, args);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ message, ...(hint !== undefined && { hint }) });
  });

  it("reads --json and --help of every command; help wins over whatever else is wrong", () => {
    expect(parseWords(command, ["--json"]).json).toBe(true);
    expect(parseWords(command, ["--nonsense", "-h"]).help).toBe(true);
    expect(parseWords(command, ["--", "--help"]).help).toBe(false);
  });

  it("gives words or a UsageError for anything", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom(
        "--flag",
        "-f",
        "--dir",
        "--many",
        "--",
        "-",
        "--level",
        "low",
        "--__proto__",
        "--constructor",
        "--toString=1",
      ),
    );
    fc.assert(
      fc.property(fc.array(word), (args) => {
        try {
          const { words, options } = parseWords(command, args);
          expect(words.every((text) => args.includes(text))).toBe(true);
          expect(Object.keys(options).every((name) => command.options.some((option) => option.name === name))).toBe(
            true,
          );
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
    );
  });
});

describe("the commands", () => {
  it("are named as they are listed, and say what they do in one line", async () => {
    for (const described of await COMMANDS.loadAll()) {
      expect(await COMMANDS.load(described.name)).toBe(described);
      for (const text of [described.summary, ...described.options.map(({ summary }) => summary)]) {
        expect(text, described.name).toMatch(/^[^\n]+[^.\n]$/);
        expect(text.length, text).toBeLessThan(100);
      }
    }
  });

  it("have no option twice", async () => {
    for (const described of await COMMANDS.loadAll()) {
      const names = optionsOf(described).flatMap(({ name, short }) => (short === undefined ? [name] : [name, short]));
      expect(new Set(names).size, described.name).toBe(names.length);
    }
  });

  it("are in docs/commands.md as they describe themselves", async () => {
    const page =
      readFileSync(new URL("../../docs/commands.md", import.meta.url), "utf8").split("<!-- commands: ")[1] ?? "";
    const rows = [...(page.split("\n\n")[0]?.matchAll(/^\| `([\w-]+)` \| (.*) \|$/gm) ?? [])].map(
      ([, name, summary]) => [name, summary],
    );
    expect(rows).toEqual((await COMMANDS.loadAll()).map(({ name, summary }) => [name, summary]));
  });

  it("scan offers every format there is", () => {
    expect(FORMATS).toEqual(FORMAT_NAMES);
  });
});
