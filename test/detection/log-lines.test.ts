/** Cutting streams into lines and records: the same result however the stream is cut into chunks. */
import { describe, expect, it } from "vitest";
import { createLineSplitter, createDocumentSplitter } from "../../src/detection/log-lines.js";
import type { NextOfInterest, Splitter } from "../../src/detection/log-lines.js";
import { isRecordList } from "../../src/detection/log-wrappers.js";
import { fc } from "../support/properties.js";

type Cut = (
  maxBytes: number,
  onLine: (buffer: Buffer, from: number, to: number, line: number) => void,
  next?: NextOfInterest,
) => Splitter;

function run(create: Cut, content: Buffer, cuts: readonly number[], maxBytes = 1000, next?: NextOfInterest) {
  const out: [string, number][] = [];
  const splitter = create(
    maxBytes,
    (buffer, from, to, line) => out.push([buffer.toString("utf8", from, to), line]),
    next,
  );
  let at = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    const to = Math.min(cut, content.length);
    splitter.write(content.subarray(at, to));
    at = to;
  }
  splitter.write(content.subarray(at));
  splitter.end();
  return { out, lines: splitter.lines(), oversized: splitter.oversized() };
}

const cuts = fc.array(fc.nat(120), { maxLength: 6 });
const line = fc.array(fc.constantFrom("x", "yy", "hit", "\u00e9", ""), { maxLength: 6 }).map((parts) => parts.join(""));
const text = fc
  .tuple(fc.array(line, { maxLength: 12 }), fc.boolean())
  .map(([lines, ended]) => lines.join("\n") + (ended ? "\n" : ""));

describe("lines", { timeout: 60_000 }, () => {
  const expected = (content: string): { lines: [string, number][]; count: number } => {
    const lines = content.split("\n");
    if (lines.at(-1) === "") lines.pop();
    return {
      lines: lines.map((value, index): [string, number] => [value, index + 1]).filter(([value]) => value !== ""),
      count: lines.length,
    };
  };

  it("are those of the text, with their numbers", () => {
    fc.assert(
      fc.property(text, cuts, (content, at) => {
        const { out, lines } = run(createLineSplitter, Buffer.from(content), at);
        expect(out).toEqual(expected(content).lines);
        expect(lines).toBe(expected(content).count);
      }),
    );
  });

  it("are only those of interest, all being counted", () => {
    const next: NextOfInterest = (buffer, from, to) => {
      const at = buffer.indexOf("hit", from);
      return at === -1 || at + 3 > to ? -1 : at + 2;
    };
    fc.assert(
      fc.property(text, cuts, (content, at) => {
        const { out, lines } = run(createLineSplitter, Buffer.from(content), at, 1000, next);
        expect(out).toEqual(expected(content).lines.filter(([value]) => value.includes("hit")));
        expect(lines).toBe(expected(content).count);
      }),
    );
  });

  it("longer than allowed are passed over and counted", () => {
    fc.assert(
      fc.property(cuts, (at) => {
        const content = Buffer.from(`short\n${"x".repeat(50)}\nshort2\n${"y".repeat(11)}`);
        expect(run(createLineSplitter, content, at, 10)).toEqual({
          out: [
            ["short", 1],
            ["short2", 3],
          ],
          lines: 4,
          oversized: 2,
        });
      }),
    );
  });

  it("without an end take no more memory than allowed", () => {
    const splitter = createLineSplitter(100, () => expect.unreachable());
    for (let index = 0; index < 1000; index++) splitter.write(Buffer.alloc(64, 0x78));
    splitter.end();
    expect(splitter.oversized()).toBe(1);
  });
});

type Piece = [text: string, line: number, frame: boolean];

/** What a text is cut into, byte by byte, and its lines: what the splitter has to come to that passes over most bytes. */
function slowlyCut(content: string): { out: Piece[]; lines: number } {
  const out: Piece[] = [];
  const element = { from: -1, line: 0 };
  const around = { text: "", from: -1, line: 0 };
  let [depth, listDepth, line] = [0, 0, 1];
  let [inText, escaped, afterColon, cut] = [false, false, false, false];
  let text = "";

  function endAround(to: number, frame: boolean): void {
    const whole = around.text + (around.from === -1 ? "" : content.slice(around.from, to));
    if (whole !== "") out.push([whole, around.line, frame]);
    around.text = "";
    around.from = -1;
  }
  function endElement(to: number): void {
    out.push([content.slice(element.from, to), element.line, false]);
    element.from = -1;
  }
  function beginElement(from: number): void {
    element.from = from;
    element.line = line;
  }
  function restInLines(at: number): { out: Piece[]; lines: number } {
    endAround(at, false);
    const [from, first] = element.from === -1 ? [at, line] : [element.from, element.line];
    const rest = content.slice(from).split("\n");
    if (rest.at(-1) === "") rest.pop();
    for (const [index, value] of rest.entries()) if (value !== "") out.push([value, first + index, false]);
    return { out, lines: first - 1 + rest.length };
  }

  for (let at = 0; at < content.length; at++) {
    const char = content[at]!;
    if (char === "\n") {
      if (inText) return restInLines(at);
      line++;
    } else if (inText) {
      if (escaped) escaped = false;
      else if (char === "\\") escaped = true;
      else if (char === '"') {
        inText = false;
        if (listDepth > 0 && depth === listDepth) endElement(at + 1);
      }
      if (inText) text += char;
    } else if (char === '"') {
      if (depth === 0) return restInLines(at);
      inText = true;
      text = "";
      if (listDepth > 0 && depth === listDepth) beginElement(at);
    } else if (char === "{" || char === "[") {
      if (depth === 0) {
        around.from = at;
        around.line = line;
        afterColon = false;
      } else if (char === "{" && content[at - 1] === "\n" && depth !== listDepth) return restInLines(at);
      if (listDepth > 0 && depth === listDepth) beginElement(at);
      depth++;
      if (listDepth === 0 && char === "[" && (depth === 1 || (afterColon && isRecordList(text)))) {
        listDepth = depth;
        cut = true;
        around.text += content.slice(around.from, at + 1);
        around.from = -1;
      }
      afterColon = false;
    } else if (char === "}" || char === "]") {
      if (depth === 0) return restInLines(at);
      if (depth === listDepth) {
        listDepth = 0;
        around.from = at;
      }
      depth--;
      if (listDepth > 0 && depth === listDepth) endElement(at + 1);
      else if (depth === 0) {
        endAround(at + 1, cut);
        cut = false;
      }
    } else if (char === ":" || char === ",") afterColon = char === ":";
    else if (depth === 0 && char > " ") return restInLines(at);
  }
  if (element.from === -1) endAround(content.length, false);
  else endElement(content.length);
  return { out, lines: content === "" ? 0 : line };
}

function cutWithFrames(content: Buffer, at: readonly number[], next?: NextOfInterest) {
  const out: Piece[] = [];
  const splitter = createDocumentSplitter(
    1_000_000,
    (buffer, from, to, number, frame = false) => out.push([buffer.toString("latin1", from, to), number, frame]),
    next,
  );
  const places = [0, ...at.map((cut) => cut % (content.length + 1)).sort((a, b) => a - b), content.length];
  for (const [index, to] of places.entries()) if (index > 0) splitter.write(content.subarray(places[index - 1], to));
  splitter.end();
  return { out, lines: splitter.lines() };
}

const hits: NextOfInterest = (buffer, from, to) => {
  const at = buffer.subarray(from, to).indexOf("hit");
  return at === -1 ? -1 : from + at + 1;
};

describe("documents, passed over quickly,", { timeout: 60_000 }, () => {
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<unknown>("x", "hit", 'a"b', "c\\", "{", "}", "[", "\n", "\u00e9", "Records", 7, true, null),
      fc.array(tie("any"), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom("a", "hit", "Records", "records", 'q"', "events\\"), tie("any"), { maxKeys: 4 }),
    ),
  })).any;
  const printed = fc
    .tuple(
      fc.oneof(
        fc.array(value, { maxLength: 6 }),
        fc.record({ Records: fc.array(value, { maxLength: 6 }), more: value }),
        fc.record({ more: value, a: value }),
      ),
      fc.constantFrom(undefined, 1, 2, "\t"),
      fc.constantFrom("", "\n", " ", ",\n"),
    )
    .map(([content, indent, behind]) => JSON.stringify(content, null, indent) + behind);
  const garbage = fc.constantFrom(
    ...['"', "\\", "{", "}", "[", "]", "\n", "\n{", '{"a":1}\n', "x", ',"Records":[', '"\\"', "hit\n", " : [", ""],
  );
  /** Whole, broken off, or with something in it that does not belong there. */
  const documents = fc
    .tuple(fc.array(printed, { maxLength: 4 }), fc.option(fc.nat(400)), fc.option(fc.tuple(fc.nat(400), garbage)))
    .map(([parts, end, put]) => {
      const content = parts.join("").slice(0, end ?? undefined);
      return put === null ? content : content.slice(0, put[0]) + put[1] + content.slice(put[0]);
    });
  const noise = fc
    .array(fc.oneof(garbage, fc.constantFrom('"a"', '"hit"', '"Records"', ":", ",", "1", '{"Records": [{')))
    .map((parts) => parts.join(""));
  const places = fc.array(fc.nat(500), { maxLength: 6 });

  it("come to the same pieces, lines and frames as byte by byte, wherever they are cut", () => {
    fc.assert(
      fc.property(fc.oneof(documents, noise), places, (content, at) => {
        const bytes = Buffer.from(content);
        expect(cutWithFrames(bytes, at)).toEqual(slowlyCut(bytes.toString("latin1")));
      }),
      { numRuns: 2_000 },
    );
  });

  it("of which only what is of interest is handed on", () => {
    fc.assert(
      fc.property(fc.oneof(documents, noise), places, (content, at) => {
        const bytes = Buffer.from(content);
        const { out, lines } = slowlyCut(bytes.toString("latin1"));
        expect(cutWithFrames(bytes, at, hits)).toEqual({ out: out.filter(([piece]) => piece.includes("hit")), lines });
      }),
      { numRuns: 2_000 },
    );
  });

  it("of thousands of records lose none, however far it is from one that is of interest to the next", () => {
    fc.assert(
      fc.property(fc.nat(5_000), fc.array(fc.nat(5_000)), fc.boolean(), places, (count, which, list, at) => {
        const wanted = new Set(which);
        const records = Array.from(
          { length: count },
          (_, index) => `{"n":${index}${wanted.has(index) ? ',"b":"hit"' : ""}}`,
        );
        const content = Buffer.from(list ? `[${records.join(",")}]` : records.join("\n"));
        const { out } = cutWithFrames(content, at, hits);
        expect(out.map(([piece]) => piece)).toEqual(records.filter((_, index) => wanted.has(index)));
      }),
      { numRuns: 50 },
    );
  });

  it("find beside each other only what one record holds", () => {
    const both: NextOfInterest = (buffer, from, to) => {
      const part = buffer.toString("latin1", from, to);
      return part.includes("one") && part.includes("other") ? from + part.indexOf("one") : -1;
    };
    const records = ["x", "x", "x", "one", "other", "x", "one other"].map((text) => JSON.stringify({ text }));
    const { out } = cutWithFrames(Buffer.from(`[${records.join(",")}]`), [], both);
    expect(out).toEqual([[records.at(-1), 1, false]]);
  });
});

describe("records", { timeout: 60_000 }, () => {
  const record = fc.dictionary(
    fc.constantFrom("a", "b", "c"),
    fc.oneof(fc.constantFrom("{", "}", '"', "\\", '\\"', "\n", "[", "\u00e9"), fc.jsonValue({ maxDepth: 2 })),
    { maxKeys: 3 },
  );

  it("are the objects of the array, however it is printed and cut", () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 5 }), cuts, fc.constantFrom(undefined, 1, 2), (records, at, indent) => {
        const { out } = run(
          createDocumentSplitter,
          Buffer.from(JSON.stringify({ Records: records, more: 5 }, null, indent)),
          at,
          10_000,
        );
        // JSON has no negative zero. What is left around the records comes last.
        expect(out.map(([value]) => JSON.parse(value) as unknown)).toEqual([
          ...(JSON.parse(JSON.stringify(records)) as unknown[]),
          { Records: [], more: 5 },
        ]);
      }),
    );
  });

  it("know the line on which they begin", () => {
    const { out, lines } = run(createDocumentSplitter, Buffer.from('{"Records": [\n{"a":1},\n\n{"a":\n2}]}'), [7, 20]);
    expect(out).toEqual([
      ['{"a":1}', 2],
      ['{"a":\n2}', 4],
      ['{"Records": []}', 1],
    ]);
    expect(lines).toBe(5);
  });

  it("longer than allowed are passed over and counted", () => {
    fc.assert(
      fc.property(cuts, (at) => {
        const content = Buffer.from(JSON.stringify({ Records: [{ a: 1 }, { b: "x".repeat(60) }, { c: 2 }] }));
        const { out, oversized } = run(createDocumentSplitter, content, at, 20);
        expect(out.map(([value]) => value)).toEqual(['{"a":1}', '{"c":2}', '{"Records":[]}']);
        expect(oversized).toBe(1);
      }),
    );
  });

  it("that are broken off are handed on as they are, and nothing is thrown on anything", () => {
    expect(
      run(createDocumentSplitter, Buffer.from('{"Records":[{"a":1},{"b":'), [3]).out.map(([value]) => value),
    ).toEqual(['{"a":1}', '{"b":']);
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("{", "}", '"', "\\", "a", "\n", "[")).map((chars) => chars.join("")),
        cuts,
        (content, at) => {
          run(createDocumentSplitter, Buffer.from(content), at);
        },
      ),
    );
  });
});
