/** Cutting streams into lines and records: the same result however the stream is cut into chunks. */
import { describe, expect, it } from "vitest";
import { createLineSplitter, createDocumentSplitter } from "../../src/detection/log-lines.js";
import type { NextOfInterest, Splitter } from "../../src/detection/log-lines.js";
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
