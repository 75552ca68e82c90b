/** `imds-guard scan`: finds traffic to the metadata service in logs that people have. */
import { statSync } from "node:fs";
import type { FormatName } from "../detection/log-formats.js";
import type { ScanSource } from "../detection/scan.js";
import type { ScanFinding } from "../detection/scan-finding.js";
import type { ScanSummary } from "../detection/scan-summary.js";
import type { Level } from "../detection/sigma-rule.js";
import type { Command, ExitCode } from "./command.js";
import { fromUser, UsageError } from "./command.js";
import { SUPPRESSION_OPTIONS, suppressionOf } from "./suppression-options.js";
import type { Ui } from "./ui.js";

/** As in src/detection/log-formats.ts, which is not loaded to print help. */
export const FORMATS = [
  "zeek-tsv",
  "zeek-json",
  "suricata",
  "cloudtrail",
  "events",
  "sysmon",
  "vpc-flow",
  "squid",
  "access-log",
  "syslog",
] as const satisfies readonly FormatName[];
const LEVELS = ["informational", "low", "medium", "high", "critical"] as const satisfies readonly Level[];

/** Findings that are shown without --list. */
const SHOWN = 20;

export const command: Command = {
  name: "scan",
  summary: "find traffic to the metadata service in logs",
  usage: "[OPTIONS] FILE...",
  description: [
    'Reads logs as a stream, plain, gzip or Zstandard, and judges them by the same Sigma rules that "imds-guard sigma" prints. FILE may be - for standard input. The format is recognised by content: Zeek (JSON and TSV), Suricata EVE, squid, nginx and Apache access logs, VPC flow logs, kernel lines of iptables and nftables, CloudTrail, Sysmon, and events of imds-guard.',
    `Prints a summary and the first ${SHOWN} findings; --list prints all of them, one on a line.`,
    "Exit code 1 with any finding, 3 if a file could not be read or recognised. With --json one document: the summary, and examples (the first findings); with --list and --json one JSON line for each finding, and the summary as the last one.",
  ],
  options: [
    ...SUPPRESSION_OPTIONS,
    { name: "format", value: "NAME", words: FORMATS, summary: "format of every file" },
    { name: "min-level", value: "LEVEL", words: LEVELS, summary: "least level that is reported (default low)" },
    { name: "list", short: "l", summary: "print every finding" },
    { name: "thorough", summary: "read every line, to count all malformed ones; slower" },
  ],
  examples: [
    {
      command: "imds-guard scan /var/log/zeek/*/conn.*.log.gz --suppress 10.20.0.0/16",
      does: "connections from everywhere but the network with EC2 hosts",
    },
    { command: "journalctl -k | imds-guard scan -", does: "what the packet filter logged" },
    { command: "imds-guard scan --list --json eve.json | jq -r 'select(.rule) | .from'", does: "who asked" },
  ],
  async run({ options, words, json, ui, signal }) {
    if (words.length === 0) throw new UsageError("scan needs a file, or - for standard input");
    if (words.filter((word) => word === "-").length > 1) throw new UsageError("standard input can be read once");
    const suppress = suppressionOf(options);
    const [{ scan }, { openLog }, { withSuppression }, { SIGMA_RULES }] = await Promise.all([
      import("../detection/scan.js"),
      import("../detection/log-stream.js"),
      import("../detection/suppression.js"),
      import("../detection/sigma-rules.js"),
    ]);
    // Said before anything is read, and as wrong usage.
    fromUser(() => SIGMA_RULES.map(({ rule }) => withSuppression(rule, suppress)));
    const sources = words.map((word): ScanSource =>
      word === "-" ? { name: "-", stream: process.stdin } : { name: word, stream: openLog(word) },
    );
    const list = options["list"] === true;
    const examples: ScanFinding[] = [];
    const bar = progressBar(words);
    const summary = await scan(sources, {
      suppress,
      signal,
      thorough: options["thorough"] === true,
      format: options["format"] as FormatName | undefined,
      minLevel: options["min-level"] as Level | undefined,
      onFinding: (finding) => {
        if (list && json) ui.jsonLine(finding);
        else if (list) ui.line(findingLine(finding, ui));
        else if (examples.length < SHOWN) examples.push(finding);
      },
      onProgress: (progress) => ui.progress(bar(progress)),
    });
    ui.progress(undefined);
    if (json && list) ui.jsonLine({ summary: { version: 1, ...summary } });
    else if (json) ui.json({ version: 1, ...summary, examples });
    else printSummary(summary, examples, ui);
    for (const { name, failure } of summary.sources)
      if (failure !== undefined) ui.error(`${name}: ${failure.message}`, [failure.advice]);
    return exitCode(summary);
  },
};

function exitCode({ findings, sources }: ScanSummary): ExitCode {
  if (findings > 0) return 1;
  return sources.some(({ failure }) => failure !== undefined) ? 3 : 0;
}

const BAR = 24;

/** Share of the files' sizes that was read; of standard input only how much. */
function progressBar(
  words: readonly string[],
): (progress: { source: string; read: number; bytes: number; findings: number }) => string {
  const sizes = words.map(sizeOf);
  const total = sizes.every((size) => size !== undefined)
    ? sizes.reduce((sum: number, size) => sum + (size ?? 0), 0)
    : 0;
  return ({ source, read, bytes, findings }) => {
    const at = words.indexOf(source);
    const done = sizes.slice(0, at).reduce((sum: number, size) => sum + (size ?? 0), read);
    const share = total > 0 ? Math.min(1, done / total) : undefined;
    const filled = Math.round((share ?? 0) * BAR);
    const bar =
      share === undefined
        ? ""
        : `[${"#".repeat(filled)}${".".repeat(BAR - filled)}] ${String(Math.floor(share * 100)).padStart(3)}% `;
    return `${bar}${amount(bytes)}, ${findings} findings, ${source}`;
  };
}

function sizeOf(path: string): number | undefined {
  const stat = path === "-" ? undefined : statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true ? stat.size : undefined;
}

function amount(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  const power = Math.min(4, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1_000 ** power).toFixed(1)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}

function toned(level: Level, ui: Ui): string {
  return level === "critical" || level === "high" ? ui.paint(level, "finding") : level;
}

function findingLine({ rule, source, line, time, from, to, correlated }: ScanFinding, ui: Ui): string {
  const who = [from, to].filter((address) => address !== undefined).join(" -> ");
  const count = correlated === undefined ? "" : ` (${correlated.count} together)`;
  return [`${source}:${line}:`, toned(rule.level, ui), time, who === "" ? undefined : who, `${rule.title}${count}`]
    .filter((part) => part !== undefined)
    .join("  ");
}

const MOST_TALKERS = 5;

function printSummary(summary: ScanSummary, examples: readonly ScanFinding[], ui: Ui): void {
  const { findings, byRule, bySource, lines, bytes, malformed, oversized, first, last, sources } = summary;
  for (const finding of examples) ui.line(findingLine(finding, ui));
  if (examples.length > 0) ui.line();
  if (byRule.length > 0) {
    ui.table([
      ["COUNT", "LEVEL", "RULE"].map((title) => ui.paint(title, "strong")),
      ...byRule.map(({ count, level, name }) => [String(count).padStart(5), toned(level, ui), name]),
    ]);
    ui.line();
    ui.table([
      [
        "asked by",
        bySource
          .slice(0, MOST_TALKERS)
          .map(({ name, count }) => `${name} (${count})`)
          .join(", ") + (bySource.length > MOST_TALKERS ? `, and ${bySource.length - MOST_TALKERS} more` : ""),
      ],
      ...(first === undefined ? [] : [["between", `${first} and ${last}`]]),
    ]);
  }
  // None found where nothing was looked at is no good news.
  const incomplete = sources.some(({ failure }) => failure !== undefined);
  const formats = [...new Set(sources.flatMap(({ format }) => (format === undefined ? [] : [format])))].join(", ");
  const odd = [
    malformed > 0 ? `${malformed} malformed` : undefined,
    oversized > 0 ? `${oversized} too long` : undefined,
    incomplete ? "not everything was read" : undefined,
  ].filter((part) => part !== undefined);
  const shown =
    findings > examples.length && examples.length > 0
      ? ` (the first ${examples.length} are shown; --list shows all)`
      : "";
  ui.line(
    `${ui.paint(`${findings} finding${findings === 1 ? "" : "s"}`, findings > 0 ? "finding" : incomplete ? "unknown" : "ok")}${shown} in ${lines} lines, ${amount(bytes)}${formats === "" ? "" : ` of ${formats}`}${odd.length > 0 ? `; ${odd.join(", ")}` : ""}`,
  );
}
