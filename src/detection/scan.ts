/** Scans logs for traffic to the metadata service, streaming, with the same Sigma rules that are shipped for a SIEM. */
import type { Readable } from "node:stream";
import { findMention } from "../base/metadata-mention.js";
import { genericJudge, reportJudge, spellingJudge, ssrfJudge } from "./judges.js";
import type { Judge, Verdict } from "./judges.js";
import { FORMAT_NAMES, LOG_FORMATS } from "./log-formats.js";
import type { FormatName } from "./log-formats.js";
import { createSplitter } from "./log-lines.js";
import type { NextOfInterest } from "./log-lines.js";
import { createLogReader } from "./log-reader.js";
import type { OnRecord } from "./log-reader.js";
import { auditCallBefore } from "./log-text.js";
import type { LogRecord } from "./log-record.js";
import { openMembers } from "./log-stream.js";
import { LogStreamError } from "./log-stream-error.js";
import { createPrefilter } from "./prefilter.js";
import type { Prefilter, Wanted } from "./prefilter.js";
import { createRuleSet } from "./rule-set.js";
import type { RuleSet } from "./rule-set.js";
import { correlatedFinding, findingOf, text as shownText } from "./scan-finding.js";
import type { ScanFinding } from "./scan-finding.js";
import { FindingCounter } from "./scan-summary.js";
import type { ScanSummary, SourceSummary, Unjudged } from "./scan-summary.js";
import { createCorrelator } from "./sigma-correlation.js";
import { LEVELS, isCorrelationRule, levelAtLeast } from "./sigma-rule.js";
import type { Level, SigmaRule } from "./sigma-rule.js";
import { SIGMA_RULES } from "./sigma-rules.js";
import { createPlaces, withSuppression } from "./suppression.js";
import type { Suppression } from "./suppression.js";

/** One log. */
export interface ScanSource {
  /** Shown in findings, usually the path. */
  readonly name: string;
  /** Its bytes, packed or not; of an archive each file is a source of its own. `openLog` makes one of a path. */
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
  /** Names of the columns of lines that have no header, in their order. */
  readonly columns?: readonly string[] | undefined;
  /** What judges beside the rules. */
  readonly judges?: readonly Judge[] | undefined;
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
/** What is read to recognise a format. */
const SAMPLED_LINES = 32;
/** How far back the call is looked for that a record of the audit belongs to, bytes. */
const LOOK_BEHIND = 8 * 1024;
/** Nothing is known of what lies ahead. */
const NOTHING_AHEAD: Ahead = { from: 0, to: 0, found: -1 };
/** Lines that no rule judged are shown: so many of a source, and of all. */
const SHOWN_OF_SOURCE = 10;
const SHOWN_OF_ALL = 100;

/**
 * Reads each source to its end, one after the other, in memory that does not grow with them. A source that cannot be
 * read is told in the summary and does not end the scan, and so are lines that name a metadata service and that no rule
 * judged.
 *
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE` for rules or suppression that cannot be used
 */
export async function scan(
  sources: Iterable<ScanSource> | AsyncIterable<ScanSource>,
  options: ScanOptions = {},
): Promise<ScanSummary> {
  const { onFinding, onProgress, signal, suppress = {}, minLevel = "low" } = options;
  const shipped = options.rules ?? SIGMA_RULES.map(({ rule }) => rule);
  const rules = createRuleSet(shipped, suppress);
  const places = createPlaces(suppress);
  const judges: readonly Judge[] = [ssrfJudge, spellingJudge, reportJudge, genericJudge, ...(options.judges ?? [])];
  const correlator = createCorrelator(shipped.map((rule) => withSuppression(rule, suppress)).filter(isCorrelationRule));
  const thorough = options.thorough === true;
  const prefilter = prefilterOf(rules, judges);
  // Without a prefilter every line is read, and nothing is searched for.
  const search = prefilter && firstOfAll([prefilter.next, ...judges.flatMap(({ next }) => next ?? [])]);
  const seeksMore = judges.some(({ next }) => next !== undefined);
  const counter = new FindingCounter();
  const summaries: SourceSummary[] = [];
  const pending: ScanFinding[] = [];
  const unjudgedLines: Unjudged[] = [];
  let bytes = 0;

  function report(finding: ScanFinding): void {
    if (!levelAtLeast(finding.rule.level, minLevel)) return;
    counter.add(finding);
    if (onFinding !== undefined) pending.push(finding);
  }

  /** Whether anything matched the record, reported or suppressed. */
  function judge(record: LogRecord, source: string, line: number): boolean {
    const { matched, suppressed } = rules.match(record);
    const verdicts = judges.flatMap((one) =>
      (
        one.record?.(
          record,
          matched.map(({ rule }) => rule.id),
        ) ?? []
      ).map((verdict) => verdict),
    );
    const quiet = verdicts.length > 0 && places.holdRecord(record);
    for (const compiled of matched) {
      // The judge has looked closer than the rule of the same id.
      const closer = verdicts.find(({ rule }) => rule.id === compiled.rule.id);
      const finding = findingOf(
        closer === undefined ? compiled : merged(compiled.fields, closer),
        record,
        source,
        line,
      );
      report(finding);
      for (const correlated of correlator.add(compiled.rule, record)) report(correlatedFinding(correlated, finding));
    }
    for (const verdict of verdicts) {
      if (quiet || matched.some(({ rule }) => rule.id === verdict.rule.id)) continue;
      report(findingOf(merged([], verdict), record, source, line));
    }
    return matched.length > 0 || suppressed || verdicts.length > 0;
  }

  async function scanSource(source: ScanSource): Promise<void> {
    const stop = (): void => {
      (source.stream as Partial<Readable>).destroy?.();
    };
    signal?.addEventListener("abort", stop, { once: true });
    let read = 0;
    try {
      for await (const { name, chunks } of openMembers(source.stream, (length) => (read += length)))
        summaries.push(
          await scanLog(
            { ...source, name: name === undefined ? source.name : `${source.name}:${name}` },
            chunks,
            () => read,
          ),
        );
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  /** `read` tells how much of the file was read, for those who look on. */
  async function scanLog(
    source: Pick<ScanSource, "name" | "format">,
    chunks: AsyncIterable<Buffer>,
    read: () => number,
  ): Promise<SourceSummary> {
    const before = counter.total;
    const start = bytes;
    const formats = new Map<string, number>();
    const reader = createLogReader({
      format: source.format ?? options.format,
      columns: options.columns,
      now: options.now ?? Date.now,
    });
    let malformed = 0;
    let unjudged = 0;
    let readLines = 0;
    let ahead = NOTHING_AHEAD;
    let failure: SourceSummary["failure"];

    function onLine(buffer: Buffer, from: number, to: number, line: number, frame = false): void {
      const text = buffer.toString("utf8", from, buffer[to - 1] === 0x0d ? to - 1 : to);
      // Of a line that no rule can match and that names no metadata service, what tells when it was is enough.
      const forRules =
        prefilter === undefined ||
        (!seeksMore && !thorough) ||
        readLines < SAMPLED_LINES ||
        (ahead.buffer === buffer && from >= ahead.from && to <= ahead.to
          ? ahead.found !== -1 && ahead.found < to
          : prefilter.next(buffer, from, to, true) !== -1);
      // And where no time is asked for, that it is of a known format.
      const known = forRules || seeksMore ? undefined : reader.readAgain(text);
      if (known !== undefined) {
        formats.set(known, (formats.get(known) ?? 0) + 1);
        readLines++;
        return;
      }
      const before = text.includes("type=SOCKADDR")
        ? auditCallBefore(text, buffer.toString("latin1", Math.max(0, from - LOOK_BEHIND), from))
        : undefined;
      if (before !== undefined) reader.read(before, line, () => false);
      const records: LogRecord[] = [];
      const onRecord: OnRecord | undefined =
        forRules || seeksMore
          ? (made) => {
              const record = made();
              records.push(record);
              return forRules ? judge(record, source.name, line) : record.time !== undefined;
            }
          : undefined;
      const outcome = reader.read(text, line, onRecord);
      readLines++;
      if (outcome.malformed) malformed++;
      if (outcome.format !== undefined) formats.set(outcome.format, (formats.get(outcome.format) ?? 0) + 1);
      else if (thorough && !frame && text.trim() !== "" && !outcome.malformed) malformed++;
      if (!forRules && !seeksMore) return;
      let { judged } = outcome;
      const inside = outcome.packed.length === 0 ? text : [text, ...outcome.packed].join("\n");
      const whole = { text: inside, records, row: outcome.row, source: source.name, line };
      // A line may tell thousands of accounts, and what their findings have in common is made once.
      let common: ScanFinding | undefined;
      for (const one of judges) {
        for (const verdict of one.line?.(whole) ?? []) {
          const record = records.at(-1) ?? { source: {}, fields: {}, text };
          if (verdict.foreign !== undefined) {
            common ??= findingOf(merged([], verdict), record, source.name, line);
            report({ ...common, rule: verdict.rule, ...verdict.foreign });
            continue;
          }
          const finding = findingOf(merged([], verdict), record, source.name, line);
          judged = true;
          if (!places.holdText(text)) report(finding);
        }
      }
      const mention = judged || !forRules ? undefined : findMention(inside);
      if (mention === undefined || places.holdText(text)) return;
      unjudged++;
      if (unjudged <= SHOWN_OF_SOURCE && unjudgedLines.length < SHOWN_OF_ALL)
        unjudgedLines.push({
          source: source.name,
          line,
          found: shownText(mention.written),
          text: shownText(text.trim()),
        });
    }

    // The first lines are read in any case, to tell the format of a source in which nothing is of interest.
    const interest =
      search &&
      ((buffer: Buffer, from: number, to: number, record?: boolean): number => {
        if (readLines < SAMPLED_LINES) return from;
        if (!thorough) return search(buffer, from, to, record);
        // Every line is read: which of them the rules look at is found out for many at once.
        // A record that goes over lines comes alone, and is looked at when it is read.
        if (record !== true && (ahead.buffer !== buffer || (ahead.found !== -1 && ahead.found < from)))
          ahead = { buffer, from, to, found: prefilter!.next(buffer, from, to) };
        return from;
      });
    const splitter = createSplitter(options.maxLineBytes ?? MAX_LINE_BYTES, onLine, interest);
    try {
      for await (const chunk of chunks) {
        signal?.throwIfAborted();
        bytes += chunk.length;
        ahead = NOTHING_AHEAD;
        splitter.write(chunk);
        for (const finding of pending.splice(0)) await onFinding?.(finding);
        onProgress?.({ source: source.name, read: read(), bytes, findings: counter.total });
      }
    } catch (error) {
      if (!(error instanceof LogStreamError)) throw error;
      signal?.throwIfAborted();
      failure = { code: error.code, message: error.message, advice: error.advice };
    }
    splitter.end();
    for (const finding of pending.splice(0)) await onFinding?.(finding);
    if (failure === undefined && readLines > 0 && formats.size === 0) {
      failure = {
        code: "ERR_SCAN_FORMAT",
        message: `The format was not recognised: it was only searched for ${seeksMore ? "accounts, and for " : ""}addresses and paths of the metadata service`,
        advice: `Name it: ${FORMAT_NAMES.join(", ")}`,
      };
    }
    const [format] = [...formats].sort(([, a], [, b]) => b - a)[0] ?? [];
    return {
      name: source.name,
      ...(format !== undefined && { format }),
      lines: splitter.lines(),
      bytes: bytes - start,
      malformed,
      unjudged,
      oversized: splitter.oversized(),
      findings: counter.total - before,
      ...(failure && { failure }),
    };
  }

  for await (const source of sources) await scanSource(source);
  const sum = (pick: (summary: SourceSummary) => number): number =>
    summaries.reduce((total, summary) => total + pick(summary), 0);
  const byRule = counter.rules();
  const highest = LEVELS.findLast((level) => byRule.some((rule) => rule.level === level));
  return {
    lines: sum(({ lines }) => lines),
    bytes,
    malformed: sum(({ malformed }) => malformed),
    unjudged: sum(({ unjudged }) => unjudged),
    oversized: sum(({ oversized }) => oversized),
    findings: counter.total,
    unjudgedLines,
    ...(highest && { highest }),
    byRule,
    ...counter.together(),
    ...counter.addresses(),
    ...(counter.first !== undefined && { first: counter.first }),
    ...(counter.last !== undefined && { last: counter.last }),
    correlation: { unplaced: correlator.unplaced(), forgotten: correlator.forgotten() },
    sources: summaries,
  };
}

function merged(fields: readonly string[], { rule, fields: made }: Verdict) {
  return { rule, fields, made };
}

/** What a search has found, and where it began. */
interface Ahead {
  readonly buffer?: Buffer;
  readonly from: number;
  readonly to: number;
  readonly found: number;
}

/** The least position of several searches. What one has found farther on is kept until the others have come so far. */
function firstOfAll(searches: readonly NextOfInterest[]): NextOfInterest {
  if (searches.length === 1) return searches[0]!;
  const ahead = searches.map((): Ahead => ({ from: 0, to: 0, found: -1 }));
  return (buffer, from, to, record) => {
    let least = -1;
    for (const [index, next] of searches.entries()) {
      const last = ahead[index]!;
      const known =
        last.buffer === buffer && last.to === to && last.from <= from && (last.found === -1 || last.found >= from);
      const found = known ? last.found : next(buffer, from, to, record);
      if (!known) ahead[index] = { buffer, from, to, found };
      if (found !== -1 && (least === -1 || found < least)) least = found;
    }
    return least;
  };
}

/** Which lines are worth reading, or `undefined` where each is because a rule has no text that every match contains. */
function prefilterOf(rules: RuleSet, judges: readonly Judge[]): Prefilter | undefined {
  const wanted = rules.wanted();
  if (wanted === undefined) return undefined;
  const headers: Wanted = { texts: LOG_FORMATS.flatMap(({ headers: own }) => own ?? []) };
  return createPrefilter([...wanted, headers, ...judges.flatMap((judge) => judge.wanted ?? [])]);
}
