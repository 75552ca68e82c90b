/** The picture of the bench: well-formed, whole, and the same figures that went in. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SaxesParser } from "saxes";
import { expect, test } from "vitest";
import { evaluate, oursAtMost, ratioAtLeast, speedupAtLeast } from "../../bench/figures.mjs";
import { plot } from "../../bench/plot-svg.mjs";

const MEASURED = {
  measured: "2026-03-01",
  machine: { node: "v24.1.0", platform: "linux arm64", cpu: "Make & Model <7>", cores: 2 },
  namespaces: true,
  sections: [
    {
      title: 'Refusal: "dropped" & <gone>',
      rows: [
        { what: "a pair", unit: "ms", ours: [1, 2, 3], stock: [2000], goals: [speedupAtLeast(500)] },
        { what: "no stock figure", unit: "ms", ours: [0.5], goals: [oursAtMost(5)] },
        { what: "no goal", unit: "ms", ours: [7], stock: [8] },
      ].map(evaluate),
    },
    {
      title: "Throughput",
      rows: [
        { what: "more is better", unit: "requests/s", ours: [990], stock: [1000], goals: [ratioAtLeast(0.98)] },
        { what: "nothing, and less than nothing", unit: "us", ours: [-0.25], stock: [0], goals: [oursAtMost(0)] },
      ].map(evaluate),
    },
  ],
};

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  text: string;
}

/** Every element in order; throws for what is no well-formed XML. */
function elementsOf(svg: string): readonly Element[] {
  const parser = new SaxesParser({ xmlns: true });
  const [elements, open] = [[] as Element[], [] as Element[]];
  parser.on("error", (error) => {
    throw error;
  });
  parser.on("opentag", ({ name, attributes }) => {
    const element = {
      name,
      attributes: Object.fromEntries(Object.entries(attributes).map(([key, { value }]) => [key, value])),
      text: "",
    };
    elements.push(element);
    open.push(element);
  });
  parser.on("text", (text) => {
    for (const element of open.slice(-1)) element.text += text;
  });
  parser.on("closetag", () => void open.pop());
  parser.write(svg).close();
  return elements;
}

const svg = plot(MEASURED);
const elements = elementsOf(svg);
const bars = elements.filter(
  ({ name, attributes }, index) =>
    name === "rect" && elements[index + 1]?.name === "title" && /^(ours|stock)$/.test(attributes["class"] ?? ""),
);
const texts = elements.filter(({ name }) => name === "text").map(({ text }) => text);

test("every row with a goal has a bar of ours, and one of stock where that was measured", () => {
  expect(elements.filter(({ attributes }) => attributes["class"] === "row")).toHaveLength(4);
  expect(bars.map(({ attributes }) => attributes["class"])).toEqual([
    "ours",
    "stock",
    "ours",
    "ours",
    "stock",
    "ours",
    "stock",
  ]);
  expect(texts).toEqual(
    expect.arrayContaining([
      "a pair",
      "no stock figure",
      "stock: no such figure",
      "more is better",
      'Refusal: "dropped" & <gone>',
    ]),
  );
  expect(texts).not.toContain("no goal");
  expect(texts).toEqual(
    expect.arrayContaining(["2 ms", "2,000 ms", "990 requests/s", "-0.25 us", "goal 500 x faster: met"]),
  );
});

test("the scale is logarithmic, the same for all rows of a unit, and no bar leaves it", () => {
  const [ours, stock, alone] = bars.map(({ attributes }) => Number(attributes["width"]));
  const decade = (stock! - ours!) / Math.log10(2000 / 2);
  expect(ours! - alone!).toBeCloseTo(decade * Math.log10(2 / 0.5), 0);
  for (const { attributes } of bars) {
    expect(Number(attributes["width"])).toBeGreaterThanOrEqual(2);
    expect(Number(attributes["x"]) + Number(attributes["width"])).toBeLessThanOrEqual(780.05);
  }
});

test("it says when and on what, needs nothing else, and knows both themes", () => {
  const { text } = elements.find(({ name }) => name === "desc")!;
  expect(text).toContain(
    "Measured on 1 March 2026 with Node.js 24.1.0 under Linux, two cores of a 64-bit ARM processor (Make & Model <7>), in network namespaces.",
  );
  expect(texts.join(" ")).toContain("1 March 2026");
  expect(svg).toContain("@media (prefers-color-scheme: dark)");
  expect(svg.replace('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/https?:|href|<script|url\(/);
});

test("no figures are no picture", () => {
  expect(() => plot({ ...MEASURED, sections: [] })).toThrow("none of these figures has a goal");
});

test("npm run bench:plot writes what it read, and says how to come by it", () => {
  const folder = mkdtempSync(join(tmpdir(), "imds-guard-plot-"));
  try {
    const [input, output] = [join(folder, "figures.json"), join(folder, "below/bench.svg")];
    const run = () =>
      execFileSync(process.execPath, ["bench/plot.mjs", input, output], { encoding: "utf8", stdio: "pipe" });
    expect(run).toThrow(/npm run bench -- --json/);
    writeFileSync(input, JSON.stringify(MEASURED));
    expect(run()).toContain(output);
    expect(readFileSync(output, "utf8")).toBe(svg);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
