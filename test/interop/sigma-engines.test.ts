/**
 * The rules, converted by pySigma and run by engines that take the queries, over the records of all sample logs: they find
 * what they find here.
 */
import { afterAll, describe, expect, it } from "vitest";
import { createLogReader } from "../../src/detection/log-reader.js";
import type { LogRecord } from "../../src/detection/log-record.js";
import { expressibleBy } from "../../src/detection/sigma-backends.js";
import { compileRule, readsFrom } from "../../src/detection/sigma-evaluator.js";
import { isCorrelationRule, isDetectionRule } from "../../src/detection/sigma-rule.js";
import { withSuppression } from "../../src/detection/suppression.js";
import type { Suppression } from "../../src/detection/suppression.js";
import { CORPUS, contentOf } from "../detection/corpus.js";
import { sampleLines, SIGMA_RULES } from "../detection/samples.js";
import { enginesHere, foundBy } from "./engines.js";
import type { Asked } from "./engines.js";
import { pythonEnvironments } from "./pysigma.js";

const environments = pythonEnvironments();
const engines = enginesHere(environments);
afterAll(() => environments.close());

function recordsOf(lines: readonly string[]): LogRecord[] {
  const reader = createLogReader({ now: () => Date.UTC(2026, 10, 21, 12) });
  const records: LogRecord[] = [];
  for (const [index, line] of lines.entries())
    reader.read(line, index + 1, (record) => {
      records.push(record());
      return false;
    });
  return records;
}

const samples = SIGMA_RULES.flatMap(({ file }) => [...sampleLines(file, "positive"), ...sampleLines(file, "negative")]);
const records = [
  ...samples.flatMap((line) => recordsOf([line])),
  ...CORPUS.flatMap((sample) => recordsOf(contentOf(sample).split("\n"))),
];
const SITES: Readonly<Record<string, Suppression>> = {
  "any site": {},
  "a site that has EC2 in a subnet": { subnets: ["10.0.0.0/24"] },
  "a site that has EC2 on a VLAN": { vlans: [7] },
};

describe.skipIf(engines.length === 0).each(engines)("$name", (engine) => {
  const expressed = expressibleBy({ backend: engine.name });

  const sites = Object.entries(SITES).filter(([, { subnets }]) => engine.networks || subnets === undefined);
  it.each(sites)("finds for %s by each rule what it finds here", (_, site) => {
    const asked = SIGMA_RULES.flatMap(({ file, rule: shipped }): Asked[] => {
      const rule = withSuppression(shipped, site);
      if (!isDetectionRule(rule) || !expressed(file)) return [];
      return [{ file, rule, records: records.filter(({ source }) => readsFrom(rule.logsource, source)) }];
    });
    const here = asked.map(({ file, rule, records: read }) => {
      const { matches } = compileRule(rule as never);
      return [file, read.flatMap((record, index) => (matches(record as LogRecord) ? [index] : []))];
    });
    expect(foundBy(environments, engine, asked)).toEqual(Object.fromEntries(here));
  });

  it("finds what comes about together, and nothing where it does not", () => {
    const asked = SIGMA_RULES.flatMap(({ file, rule }): Asked[] => {
      if (!isCorrelationRule(rule) || !expressed(file)) return [];
      const joined = SIGMA_RULES.flatMap((other) =>
        isDetectionRule(other.rule) && rule.correlation.rules.includes(other.rule.name ?? "") ? [other.rule] : [],
      );
      return (engine.timespans ? (["positive", "negative"] as const) : (["positive"] as const)).map((kind) => ({
        file: `${file} ${kind}`,
        rule,
        joined,
        records: sampleLines(file, kind).flatMap((line) => recordsOf([line])),
      }));
    });
    const found = Object.entries(foundBy(environments, engine, asked)).map(([file, groups]) => [
      file,
      groups.length > 0,
    ]);
    expect(found).toEqual(asked.map(({ file }) => [file, file.endsWith(" positive")]));
  });
});
