/** The sample logs beside the rules, and how they are run through the scanner. */
import { existsSync, readFileSync } from "node:fs";
import { createLogReader } from "../../src/detection/log-reader.js";
import type { LogRecord } from "../../src/detection/log-record.js";
import { scan } from "../../src/detection/scan.js";
import type { ScanOptions } from "../../src/detection/scan.js";
import type { ScanFinding } from "../../src/detection/scan-finding.js";
import { compileRule } from "../../src/detection/sigma-evaluator.js";
import { isDetectionRule } from "../../src/detection/sigma-rule.js";
import type { ShippedRule } from "../../src/detection/sigma-rule.js";
import { SIGMA_RULES } from "../../src/detection/sigma-rules.js";

export type Kind = "positive" | "negative";

/**
 * Raw lines of a sample. A line that is a JSON text stands for a log of free text, one that is an object for JSON
 * lines.
 */
export function sampleLines(file: string, kind: Kind): string[] {
  const path = new URL(`./samples/${file}/${kind}.jsonl`, import.meta.url);
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => {
      const value: unknown = JSON.parse(line);
      return typeof value === "string" ? value : line;
    });
}

/** What the reader of one source makes of lines: the first record of each, or what else it says of it. */
export function readLines(format: string | undefined, ...lines: string[]): (LogRecord | "other" | "malformed")[] {
  const reader = createLogReader({ format, now: () => Date.UTC(2026, 10, 21, 12) });
  return lines.map((line, index) => {
    let first: LogRecord | undefined;
    const { malformed } = reader.read(line, index + 2, (record) => {
      first ??= record();
      return true;
    });
    return first ?? (malformed ? "malformed" : "other");
  });
}

/** The format in which a line is read, if any. */
export function formatOfLine(line: string): string | undefined {
  return createLogReader({ now: () => 0 }).read(line, 2, () => true).format;
}

export async function* bytesOf(...texts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield typeof text === "string" ? Buffer.from(text) : text;
}

/** Titles of the rules that match each line, every line being a source of its own. */
export async function scanLines(
  lines: readonly string[],
  options: ScanOptions = {},
): Promise<{ matched: string[][]; findings: ScanFinding[]; unknown: number[] }> {
  const matched: string[][] = lines.map(() => []);
  const findings: ScanFinding[] = [];
  const summary = await scan(
    lines.map((line, index) => ({ name: String(index), stream: bytesOf(`${line}\n`) })),
    {
      minLevel: "informational",
      now: () => Date.UTC(2026, 10, 21),
      ...options,
      onFinding(finding) {
        findings.push(finding);
        matched[Number(finding.source)]!.push(finding.rule.id);
      },
    },
  );
  return {
    matched,
    findings,
    unknown: summary.sources.flatMap(({ format }, index) => (format === undefined ? [index] : [])),
  };
}

/** Logs of the `dns` category have no format of their own: their samples are records with the names of the taxonomy. */
export function matchRecord(shipped: readonly ShippedRule[], line: string, source: LogRecord["source"]): string[] {
  const record: LogRecord = { source, fields: JSON.parse(line) as Record<string, unknown>, text: line };
  return shipped.flatMap(({ rule }) =>
    isDetectionRule(rule) && rule.logsource.category === source.category && compileRule(rule).matches(record)
      ? [rule.id]
      : [],
  );
}

export { SIGMA_RULES };
