/** The output rules: what reaches a terminal, what a pipe, and what neither. */
import { describe, expect, it } from "vitest";
import type { Ui } from "../../src/cli/ui.js";
import { createUi, layOut, wrap } from "../../src/cli/ui.js";
import { fc } from "../support/properties.js";

interface Written {
  readonly ui: Ui;
  readonly out: () => string;
  readonly err: () => string;
}

function uiOn({
  terminal = false,
  columns = 80,
  env = {},
}: { terminal?: boolean; columns?: number; env?: Record<string, string> } = {}): Written {
  let out = "";
  let err = "";
  const stream = (write: (text: string) => void) => ({ isTTY: terminal, columns, write });
  const ui = createUi({ stdout: stream((text) => (out += text)), stderr: stream((text) => (err += text)), env });
  return { ui, out: () => out, err: () => err };
}

describe("colour", () => {
  it.each([
    ["a terminal", true, {}, true],
    ["a pipe", false, {}, false],
    ["NO_COLOR", true, { NO_COLOR: "1" }, false],
    ["an empty NO_COLOR", true, { NO_COLOR: "" }, true],
    ["a dumb terminal", true, { TERM: "dumb" }, false],
    ["FORCE_COLOR in a pipe", false, { FORCE_COLOR: "1" }, true],
    ["FORCE_COLOR=0 on a terminal", true, { FORCE_COLOR: "0" }, false],
    ["both", false, { FORCE_COLOR: "1", NO_COLOR: "1" }, false],
  ])("%s", (_name, terminal, env, coloured) => {
    const { ui, out } = uiOn({ terminal, env });
    ui.line(ui.paint("x", "finding"));
    expect(out().includes("\u001b[")).toBe(coloured);
  });
});

describe("text from outside", () => {
  it("steers no terminal", () => {
    for (const terminal of [true, false]) {
      const { ui, out, err } = uiOn({ terminal });
      ui.line("a\u001b]0;title\u0007b\u001b[2Jc\rd\u009b2Je\u202ef");
      ui.error("x\u001b[2Jy");
      // eslint-disable-next-line no-control-regex -- these are what must not be there
      expect(out() + err()).not.toMatch(/[\u0007\r\u001b\u009b\u202e]/);
      expect(out()).toContain("\\u001b[2Jc\\u000dd");
    }
  });

  it("is harmless whatever it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const { ui, out } = uiOn();
        ui.line(text);
        // eslint-disable-next-line no-control-regex -- these are what must not be there
        expect(out()).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f]/);
      }),
    );
  });
});

describe("errors and notes", () => {
  it("go to stderr, hints apart", () => {
    const { ui, out, err } = uiOn();
    ui.error("it failed", ["try this"]);
    ui.note("by the way");
    expect(err()).toBe("imds-guard: error: it failed\nimds-guard: hint: try this\nimds-guard: by the way\n");
    expect(out()).toBe("");
  });
});

describe("progress", () => {
  it("is silent in a pipe, and in the first second on a terminal", () => {
    for (const terminal of [true, false]) {
      const { ui, err } = uiOn({ terminal });
      ui.progress("half");
      ui.progress(undefined);
      expect(err()).toBe("");
    }
  });
});

describe("tables", () => {
  it("stay on one line in a pipe", () => {
    const { ui, out } = uiOn({ columns: 40 });
    ui.table([
      ["a", "word ".repeat(30).trim()],
      ["long", "x"],
    ]);
    expect(out().split("\n")).toEqual([`a     ${"word ".repeat(30).trim()}`, "long  x", ""]);
  });

  it("wrap the last column on a terminal", () => {
    expect(layOut([["name", "one two three four five six"]], 30)).toEqual([
      "name  one two three four five",
      "      six",
    ]);
  });

  it("put a last column that has no room below", () => {
    expect(layOut([["a".repeat(30), "one two"]], 36)).toEqual(["a".repeat(30), "    one two"]);
  });

  it("align by what is seen", () => {
    expect(
      layOut([
        ["\u001b[1mab\u001b[0m", "x"],
        ["abcd", "y"],
      ]),
    ).toEqual(["\u001b[1mab\u001b[0m    x", "abcd  y"]);
  });

  it("keep every word, and no line is too long unless a word is", () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }),
        fc.integer({ min: 12, max: 60 }),
        (words, width) => {
          const lines = wrap(words.join(" "), width);
          expect(lines.join(" ")).toBe(words.join(" "));
          expect(lines.every((line) => line.length <= width)).toBe(true);
        },
      ),
    );
  });
});
