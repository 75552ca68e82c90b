/** A line with the address put anywhere into a record of any format, in any wrapper, is found or said, never silent. */
import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { FORMAT_NAMES } from "../../src/detection/log-formats.js";
import { scan } from "../../src/detection/scan.js";
import { CORPUS, contentOf, harmless } from "./corpus.js";
import { LINES, WRAPPERS, planted } from "./log-lines.js";
import { bytesOf, formatOfLine, sampleLines, SIGMA_RULES } from "./samples.js";
import { fc } from "../support/properties.js";

const SPELLINGS = [
  "169.254.169.254",
  "http://169.254.169.254/latest/meta-data/",
  "fd00:ec2::254",
  "http://2852039166/",
  "%31%36%39.254.169.254",
  "::ffff:169.254.169.254",
  "/latest/meta-data/iam/security-credentials/",
];

/** What a file is packed in. */
const PACKED: Readonly<Record<string, (content: Buffer) => Uint8Array>> = {
  plain: (content) => content,
  gzip: (content) => gzipSync(content),
  "gzip twice": (content) => gzipSync(gzipSync(content)),
  zip: (content) => zipSync({ "logs/a.log": content }),
  "UTF-16": (content) => Buffer.from(`\ufeff${content.toString("utf8")}`, "utf16le"),
};
/** As many lines as are read in any case: what follows them is read where the quick look finds something. */
const BEFORE = "nothing here\n".repeat(40);

describe("a line that names the metadata service", { timeout: 240_000 }, () => {
  const samples = SIGMA_RULES.flatMap(({ file }) => sampleLines(file, "negative"));
  const corpus = CORPUS.flatMap((sample) => harmless(contentOf(sample)).split("\n")).filter((one) => one.trim() !== "");
  const line = fc.oneof(
    fc.constantFrom(...Object.values(LINES), ...samples),
    fc.constantFrom(...corpus.filter((one) => !one.startsWith("#"))),
  );
  const wrappers = fc.array(fc.constantFrom(...Object.keys(WRAPPERS)), { maxLength: 3 });

  it("is found or said, wherever it stands and whatever is around it", async () => {
    await fc.assert(
      fc.asyncProperty(
        line,
        fc.nat(80),
        fc.constantFrom(...SPELLINGS),
        wrappers,
        fc.constantFrom("\n", "\r\n", ""),
        fc.constantFrom(...Object.keys(PACKED)),
        async (plain, slot, text, around, end, packed) => {
          const wrapped = around.reduce((inner, name) => WRAPPERS[name]!(inner), planted(plain, slot, text));
          const content = Buffer.from(`${BEFORE}${wrapped}${end}`);
          const { findings, unjudged, malformed, oversized } = await scan(
            [{ name: "x", stream: bytesOf(PACKED[packed]!(content)) }],
            { minLevel: "informational" },
          );
          if (findings + unjudged + malformed + oversized === 0) throw new Error(`silent: ${wrapped}`);
        },
      ),
      { numRuns: 1500 },
    );
  });

  it("is found or said in any wrapper within any other, behind words or twice in it, too", async () => {
    const names = Object.keys(WRAPPERS);
    const nested = names.flatMap((inner) =>
      names.flatMap((outer) => [
        [inner, outer],
        [inner, outer, "prose"],
        [inner, outer, outer],
      ]),
    );
    const silent: string[] = [];
    for (const around of nested) {
      const wrapped = around.reduce((text, name) => WRAPPERS[name]!(text), `asked 169.254.169.254 for x`);
      const stream = bytesOf(Buffer.from(`${BEFORE}${wrapped}\n`));
      const { findings, unjudged, malformed, oversized } = await scan([{ name: "x", stream }], {
        minLevel: "informational",
      });
      if (findings + unjudged + malformed + oversized === 0) silent.push(around.join(" in "));
    }
    expect(silent).toEqual([]);
  });

  it("that is printed over many lines is judged as in one", async () => {
    const harmless = Array.from({ length: 40 }, (_, index) => ({ index, note: "nothing here" }));
    const silent: string[] = [];
    for (const { file } of SIGMA_RULES) {
      const records = sampleLines(file, "positive").filter((one) => one.startsWith("{"));
      const documents = records.map((one) => JSON.parse(one) as object);
      const told = async (text: string): Promise<string> => {
        const options = { minLevel: "informational" } as const;
        const { byRule, unjudged } = await scan([{ name: "x", stream: bytesOf(text) }], options);
        return JSON.stringify({ unjudged, rules: byRule.map(({ id, count }) => [id, count]) });
      };
      const inLines = await told([...harmless.map((one) => JSON.stringify(one)), ...records].join("\n"));
      const printed = await told(JSON.stringify([...harmless, ...documents], null, 2));
      if (printed !== inLines) silent.push(`${file}: ${printed} for ${inLines}`);
    }
    expect(silent).toEqual([]);
  });

  it.each(Object.entries(LINES).filter(([name]) => !["csv", "unknown"].includes(name)))(
    "is read as %s, in any wrapper",
    (name, sample) => {
      expect(FORMAT_NAMES).toContain(name);
      // Behind words of somebody's a line may be read as another of the formats that fit a part of it.
      const wrong = Object.entries(WRAPPERS)
        .filter(([wrapper]) => wrapper !== "prose")
        .flatMap(([wrapper, wrap]) => {
          const format = formatOfLine(wrap(sample));
          return format === name ? [] : [`${wrapper}: ${String(format)}`];
        });
      expect(wrong).toEqual([]);
    },
  );
});
