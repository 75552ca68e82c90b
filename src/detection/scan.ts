/** Scans logs for traffic to the metadata service, streaming, with the same Sigma rules that are shipped for a SIEM. */
import type { Readable } from "node:stream";
import { createCorrelator } from "./sigma-correlation.js";
import { compileRule, readsFrom } from "./sigma-evaluator.js";
import type { CompiledRule } from "./sigma-evaluator.js";
import type { Level, SigmaRule } from "./sigma-rule.js";
import { LEVELS, isCorrelationRule, isDetectionRule, levelAtLeast } from "./sigma-rule.js";
import { SIGMA_RULES } from "./sigma-rules.js";
import { detectFormat, LOG_FORMATS } from "./log-formats.js";
import type { FormatName, LogFormat } from "./log-formats.js";
import { createLineSplitter, createRecordSplitter } from "./log-lines.js";
import type { OnLine, Splitter } from "./log-lines.js";
import type { LogRecord, RecordSource } from "./log-record.js";
import { LogStreamError, decompressed } from "./log-stream.js";
import { createPrefilter } from "./prefilter.js";
import type { Prefilter } from "./prefilter.js";
import { correlatedFinding, findingOf } from "./scan-finding.js";
import type { ScanFinding } from "./scan-finding.js";
import { FindingCounter } from "./scan-summary.js";
import type { ScanSummary, SourceSummary } from "./scan-summary.js";
import { withSuppression } from "./suppression.js";
import type { Suppression } from "./suppression.js";

/** One log. */
export interface ScanSource {
  /** Shown in findings, usually the path. */
  readonly name: string;
  /** Its bytes, plain, gzip or Zstandard. `openLog` makes one of a path. */
  readonly stream: AsyncIterable<Uint8Array>;
  /** Default: recognised by content. */
  readonly format?: FormatName | undefined;
}

/** How far a scan is. */
export interface ScanProgress {
  readonly source: string;
  /** Bytes read of this source so far, before decompression: comparable with the size of a file. */
  readonly read: number;
  /** Bytes of all sources so far, after decompression. */
  readonly bytes: number;
  readonly findings: number;
}

/** Options of {@link scan}. */
export interface ScanOptions {
  /** Default: the shipped rules. */
  readonly rules?: readonly SigmaRule[] | undefined;
  /** Networks that do have EC2 instances. Default: none. */
  readonly suppress?: Suppression | undefined;
  /** Format of every source that does not name its own. Default: recognised by content, for each source. */
  readonly format?: FormatName | undefined;
  /** Findings below are used for correlation and not reported. Default `low`. */
  readonly minLevel?: Level | undefined;
  /** Longer lines and records are passed over and counted. Bytes, default 1 MiB. */
  readonly maxLineBytes?: number | undefined;
  /**
   * Read each line, also those that no rule can match, so that all malformed ones are counted. Slower. Default `false`.
   */
  readonly thorough?: boolean | undefined;
  /** Called for each finding, in the order of the log. A promise holds up the scan until it is settled. */
  readonly onFinding?: ((finding: ScanFinding) => void | Promise<void>) | undefined;
  /** Called after each chunk of about 64 KiB. */
  readonly onProgress?: ((progress: ScanProgress) => void) | undefined;
  /** Stops the scan: the promise is then rejected with the reason of the signal. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds since the epoch, for times that were logged without a year. Default: the system's clock. */
  readonly now?: (() => number) | undefined;
}

const MAX_LINE_BYTES = 1024 * 1024;
/** What is looked at to recognise a format. */
const HEAD_BYTES = 256 * 1024;
const HEAD_LINES = 32;

/**
 * Reads each source to its end, one after the other, in memory that does not grow with them. A source that cannot be
 * read or recognised is told in the summary and does not end the scan.
 *
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE` for rules or suppression that cannot be used
 */
export async function scan(
  sources: Iterable<ScanSource> | AsyncIterable<ScanSource>,
  options: ScanOptions = {},
): Promise<ScanSummary> {
  const { onFinding, onProgress, signal, suppress = {} } = options;
  const rules = (options.rules ?? SIGMA_RULES.map(({ rule }) => rule)).map((rule) => withSuppression(rule, suppress));
  const compiled = rules.filter(isDetectionRule).map(compileRule);
  const correlator = createCorrelator(rules.filter(isCorrelationRule));
  const counter = new FindingCounter();
  const summaries: SourceSummary[] = [];
  const pending: ScanFinding[] = [];
  let bytes = 0;

  function report(finding: ScanFinding): void {
    if (!levelAtLeast(finding.rule.level, options.minLevel ?? "low")) return;
    counter.add(finding);
    if (onFinding !== undefined) pending.push(finding);
  }

  function judge(record: LogRecord, candidates: readonly CompiledRule[], source: string, line: number): void {
    for (const candidate of candidates) {
      if (!candidate.matches(record)) continue;
      const finding = findingOf(candidate, record, source, line);
      report(finding);
      for (const correlated of correlator.add(candidate.rule, record)) report(correlatedFinding(correlated, finding));
    }
  }

  async function scanSource(source: ScanSource): Promise<SourceSummary> {
    const before = counter.total;
    const start = bytes;
    let read = 0;
    let reading: Reading | undefined;
    let failure: SourceSummary["failure"];
    const head: Buffer[] = [];
    let headLength = 0;
    const stop = (): void => void (source.stream as Partial<Readable>).destroy?.();
    signal?.addEventListener("abort", stop, { once: true });

    /** Begins to read as soon as the format is known; what came before is held back until then. */
    function begin(last: boolean): void {
      const content = Buffer.concat(head, headLength);
      const format =
        source.format ??
        options.format ??
        (isRecordsDocument(content) ? "cloudtrail" : detectFormat(firstLines(content, last)));
      if (format !== undefined) {
        reading = createReading(LOG_FORMATS[format], compiled, content, options, (record, candidates, line) =>
          judge(record, candidates, source.name, line),
        );
        reading.splitter.write(content);
      } else if (last && content.some((byte) => byte > 0x20)) {
        failure = {
          code: "ERR_SCAN_FORMAT",
          message: "The format was not recognised",
          advice: `Name it: ${Object.keys(LOG_FORMATS).join(", ")}`,
        };
      } else return;
      head.length = 0;
    }

    try {
      for await (const chunk of decompressed(source.stream, (length) => (read += length))) {
        signal?.throwIfAborted();
        bytes += chunk.length;
        if (reading !== undefined) reading.splitter.write(chunk);
        else {
          head.push(chunk);
          headLength += chunk.length;
          begin(headLength >= HEAD_BYTES);
          if (failure !== undefined) break;
        }
        for (const finding of pending.splice(0)) await onFinding?.(finding);
        onProgress?.({ source: source.name, read, bytes, findings: counter.total });
      }
    } catch (error) {
      if (!(error instanceof LogStreamError)) throw error;
      signal?.throwIfAborted();
      failure = { code: error.code, message: error.message, advice: error.advice };
    } finally {
      signal?.removeEventListener("abort", stop);
    }
    if (reading === undefined && failure?.code !== "ERR_SCAN_FORMAT") begin(true);
    reading?.splitter.end();
    for (const finding of pending.splice(0)) await onFinding?.(finding);
    return {
      name: source.name,
      ...(reading && { format: reading.format }),
      lines: reading?.splitter.lines() ?? 0,
      bytes: bytes - start,
      malformed: reading?.malformed() ?? 0,
      oversized: reading?.splitter.oversized() ?? 0,
      findings: counter.total - before,
      ...(failure && { failure }),
    };
  }

  for await (const source of sources) summaries.push(await scanSource(source));
  const sum = (pick: (summary: SourceSummary) => number): number =>
    summaries.reduce((total, summary) => total + pick(summary), 0);
  const byRule = counter.rules();
  const highest = LEVELS.findLast((level) => byRule.some((rule) => rule.level === level));
  return {
    lines: sum(({ lines }) => lines),
    bytes,
    malformed: sum(({ malformed }) => malformed),
    oversized: sum(({ oversized }) => oversized),
    findings: counter.total,
    ...(highest && { highest }),
    byRule,
    ...counter.addresses(),
    ...(counter.first !== undefined && { first: counter.first }),
    ...(counter.last !== undefined && { last: counter.last }),
    correlation: { unplaced: correlator.unplaced(), forgotten: correlator.forgotten() },
    sources: summaries,
  };
}

/** A source being read in a known format. */
interface Reading {
  readonly format: FormatName;
  readonly splitter: Splitter;
  readonly malformed: () => number;
}

/** Where no rule reads the format, no line has to be read. */
const NOTHING: Prefilter = { next: () => -1 };

type OnRecord = (record: LogRecord, candidates: readonly CompiledRule[], line: number) => void;

function createReading(
  format: LogFormat,
  rules: readonly CompiledRule[],
  head: Buffer,
  options: ScanOptions,
  onRecord: OnRecord,
): Reading {
  const { maxLineBytes = MAX_LINE_BYTES, thorough = false, now = Date.now } = options;
  const relevant = rules.filter(({ rule }) => format.sources.some((source) => readsFrom(rule.logsource, source)));
  const candidates = new Map<string, readonly CompiledRule[]>();
  const read = format.open(now);
  let malformed = 0;

  function rulesFor(source: RecordSource): readonly CompiledRule[] {
    const key = `${source.category ?? ""}|${source.product ?? ""}|${source.service ?? ""}`;
    let found = candidates.get(key);
    if (found === undefined) {
      found = relevant.filter(({ rule }) => readsFrom(rule.logsource, source));
      // The names come from the log; a log that invents ever new ones must not fill the memory.
      if (candidates.size < 256) candidates.set(key, found);
    }
    return found;
  }

  const onLine: OnLine = (buffer, from, to, line) => {
    const text = buffer.toString("utf8", from, buffer[to - 1] === 0x0d ? to - 1 : to);
    const record = read(line === 1 && text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
    if (record === "malformed") {
      if (text.trim() !== "") malformed++;
    } else if (record !== "other") onRecord(record, rulesFor(record.source), line);
  };
  const prefilter = thorough ? undefined : relevant.length === 0 ? NOTHING : createPrefilter(format, relevant);
  const create = format.name === "cloudtrail" && isRecordsDocument(head) ? createRecordSplitter : createLineSplitter;
  return { format: format.name, splitter: create(maxLineBytes, onLine, prefilter?.next), malformed: () => malformed };
}

/** CloudTrail delivers files of one document; tools make lines of it. */
function isRecordsDocument(head: Buffer): boolean {
  return /^\ufeff?\s*\{\s*"Records"\s*:/.test(head.toString("utf8", 0, 256));
}

/**
 * The first lines that are not empty; one without its end only where no more can be waited for, or where it is all
 * there is.
 */
function firstLines(content: Buffer, last: boolean): string[] {
  const text = content.toString("utf8", 0, HEAD_BYTES).replace(/^\ufeff/, "");
  const lines = text.split(/\r?\n/, HEAD_LINES);
  if (!last && lines.length > 1 && lines.length < HEAD_LINES) lines.pop();
  return lines.filter((line) => line.trim() !== "");
}
