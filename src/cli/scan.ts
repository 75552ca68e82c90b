/** `imds-guard scan`: finds traffic to the metadata service in logs that people have. */
import { statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import type { FormatName } from "../detection/log-formats.js";
import type { ScanSource } from "../detection/scan.js";
import type { ScanFinding } from "../detection/scan-finding.js";
import type { ScanSummary } from "../detection/scan-summary.js";
import type { Level } from "../detection/sigma-rule.js";
import { terminalLine } from "../base/text.js";
import type { Command, ExitCode } from "./command.js";
import { fromUser, UsageError } from "./command.js";
import { isImdsGuardError } from "../base/errors.js";
import type { System } from "../base/system.js";
import type { AccountJudge, AccountsSummary } from "../detection/account-judge.js";
import { ACCOUNTS_OPTION, accountsOf } from "./account-list.js";
import { SHOWN, amount, findingLine, isComplete, printSummary } from "./scan-text.js";
import { SUPPRESSION_OPTIONS, suppressionOf } from "./suppression-options.js";
import type { Ui } from "./ui.js";

/** As in src/detection/log-formats.ts, which is not loaded to print help. */
export const FORMATS: readonly FormatName[] = [
  "events",
  "suricata",
  "cloudtrail",
  "guardduty",
  "zeek-json",
  "sysmon",
  "falco",
  "tetragon",
  "hubble",
  "osquery",
  "laurel",
  "ocsf",
  "caddy",
  "tshark",
  "aws-waf",
  "vpc-flow-json",
  "ecs",
  "dns-json",
  "web-json",
  "endpoint",
  "flow-json",
  "zeek-tsv",
  "w3c",
  "vpc-flow",
  "squid",
  "access-log",
  "aws-lb",
  "envoy",
  "haproxy",
  "s3-access",
  "conntrack",
  "aws-nlb",
  "azure-flow",
  "strace",
  "arp",
  "sockets",
  "api-gateway",
  "apache-error",
  "ltsv",
  "windows-xml",
  "cef",
  "leef",
  "fortigate",
  "check-point",
  "f5-asm",
  "juniper",
  "netfilter",
  "cisco",
  "palo-alto",
  "filterlog",
  "auditd",
  "dns-text",
  "windows-text",
  "arrow",
  "request-line",
  "proxy-words",
  "pairs",
  "row",
  "syslog",
];
const LEVELS = ["informational", "low", "medium", "high", "critical"] as const satisfies readonly Level[];

export const command: Command = {
  name: "scan",
  summary: "find traffic to the metadata service in logs",
  usage: "[OPTIONS] FILE...",
  description: [
    'Reads logs as a stream, plain, gzip or Zstandard, and judges them by the same Sigma rules that "imds-guard sigma" prints. FILE may be - for standard input. Each line finds its own format by content, behind syslog, journald, CRI, Docker, CloudWatch and the envelopes of log shippers: sensors (Zeek, Suricata), web servers, proxies and load balancers, firewalls, flow logs, audit and endpoint logs, CloudTrail, DNS, what SIEMs export (ECS, OCSF, CEF, LEEF), and any JSON, CSV or name=value line with an address in a field.',
    `Prints a summary and what was found: who asked for what, when (in UTC; a time without a zone is taken for UTC), how often, and whether it was answered. What is alike is told once, ${SHOWN} of it; --list prints all findings, one on a line, and --html writes a page with a timeline. A line that names the metadata service and that no rule judged is shown, too.`,
    "With --accounts, or where the profile sets imds_guard_expected_accounts, every account that is not listed is a finding, egress.foreign_account: signed requests (high), presigned URLs that write (high) or read (low), sessions of foreign instances (high), names of hosts (medium), ARNs and fields (low), also in lines of no known format. Key ids are masked, signatures are never shown. Keys from before about 2019 tell no account.",
    "Exit code 1 with any finding; 3 without one if a line was judged by no rule, was malformed or too long, or a file could not be read or recognised. With --json one document: the summary with all groups and the timeline, and examples (the first findings); with --list and --json one JSON line for each finding, and the summary as the last one.",
  ],
  options: [
    ...SUPPRESSION_OPTIONS,
    { name: "format", value: "NAME", words: FORMATS, summary: "format of every file" },
    { name: "fields", value: "NAMES", summary: "columns of lines without a header, such as those of VPC flow logs" },
    { name: "min-level", value: "LEVEL", words: LEVELS, summary: "least level that is reported (default low)" },
    { name: "list", short: "l", summary: "print every finding" },
    { name: "html", value: "FILE", summary: "write a report as one HTML file, too" },
    { ...ACCOUNTS_OPTION, summary: "accounts of your own (ids or @FILE): what is of others is a finding" },
    { name: "learn", summary: "print the accounts that the logs tell, as a list for --accounts, and no findings" },
    { name: "thorough", summary: "read every line, to count all malformed ones; slower" },
  ],
  examples: [
    {
      command: "imds-guard scan --accounts 111122223333 /var/log/squid/access.log",
      does: "who signs with keys of an account that is not ours?",
    },
    {
      command: "imds-guard scan --learn proxy.log > ours.txt",
      does: "a list to begin with, once somebody has read it",
    },
    { command: "imds-guard scan --html report.html /var/log/nginx/*", does: "a page to look at and to send" },
    {
      command: "imds-guard scan /var/log/zeek/*/conn.*.log.gz --suppress 10.20.0.0/16",
      does: "connections from everywhere but the network with EC2 hosts",
    },
    { command: "journalctl -k | imds-guard scan -", does: "what the packet filter logged" },
    { command: "imds-guard scan --list --json eve.json | jq -r 'select(.rule) | .from'", does: "who asked" },
  ],
  async run({ options, words, json, ui, signal, system }) {
    if (words.length === 0) throw new UsageError("scan needs a file, or - for standard input");
    if (words.filter((word) => word === "-").length > 1) throw new UsageError("standard input can be read once");
    const suppress = suppressionOf(options);
    const learn = options["learn"] === true;
    const listed = accountsOf(options);
    if (learn && options["html"] !== undefined) throw new UsageError("--learn has no findings to report");
    if (learn && listed !== undefined) throw new UsageError("--learn writes the list that --accounts would take");
    const accounts = listed ?? (learn ? [] : await expectedAccounts(system, ui));
    const judge = await judgeOf(accounts, learn);
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
      ...(judge && { judges: [judge] }),
      ...(learn && { rules: [] }),
      suppress,
      signal,
      thorough: options["thorough"] === true,
      format: options["format"] as FormatName | undefined,
      columns: columnsOf(options["fields"]),
      minLevel: options["min-level"] as Level | undefined,
      onFinding: (finding) => {
        if (learn) return;
        if (list && json) ui.jsonLine(finding);
        else if (list) ui.line(findingLine(finding, ui));
        else if (json && examples.length < SHOWN) examples.push(finding);
      },
      onProgress: (progress) => ui.progress(bar(progress)),
    });
    ui.progress(undefined);
    const seen = judge?.summary();
    if (learn) printLearned(summary, seen!, json, ui);
    else if (json && list) ui.jsonLine({ summary: { version: 1, ...summary, ...(seen && { egress: seen }) } });
    else if (json) ui.json({ version: 1, ...summary, ...(seen && { egress: seen }), examples });
    else printSummary(summary, ui, seen, list);
    const page = options["html"];
    if (typeof page === "string") await writePage(page, summary, system);
    for (const { name, failure } of summary.sources)
      if (failure !== undefined && !(learn && failure.code === "ERR_SCAN_FORMAT"))
        ui.error(`${terminalLine(name)}: ${terminalLine(failure.message)}`, [failure.advice]);
    if (learn) return summary.oversized === 0 && summary.sources.every(isRead) ? 0 : 3;
    return exitCode(summary);
  },
};

/** What the settings of the profile expect. A setting that cannot be used is said, and does not stop a look at logs. */
async function expectedAccounts(system: System, ui: Ui): Promise<readonly string[]> {
  const { resolveSettings } = await import("../settings/resolve.js");
  try {
    return (await resolveSettings({}, system)).settings.expectedAccounts;
  } catch (error) {
    if (!isImdsGuardError(error)) throw error;
    ui.error(`${terminalLine(error.message)}; accounts are not looked at`, [terminalLine(error.advice)]);
    return [];
  }
}

async function judgeOf(accounts: readonly string[], learn: boolean): Promise<AccountJudge | undefined> {
  if (accounts.length === 0 && !learn) return undefined;
  const { createAccountJudge } = await import("../detection/account-judge.js");
  return createAccountJudge({ accounts, learn });
}

/** Written by its owner alone: it tells who was where. */
async function writePage(path: string, summary: ScanSummary, system: System): Promise<void> {
  const { scanPage } = await import("./scan-page.js");
  try {
    await writeFile(path, scanPage(summary, system.now()), { mode: 0o600 });
  } catch (error) {
    throw new UsageError(`${path} cannot be written: ${(error as NodeJS.ErrnoException).code ?? "unknown"}`);
  }
}

/** Whether a source was read to its end, of whatever format it is. */
function isRead({ failure }: ScanSummary["sources"][number]): boolean {
  return failure === undefined || failure.code === "ERR_SCAN_FORMAT";
}

/** The list is one that `--accounts @FILE` takes. */
function printLearned({ lines, sources }: ScanSummary, seen: AccountsSummary, json: boolean, ui: Ui): void {
  if (json) {
    ui.json({ version: 1, lines, ...seen, sources });
    return;
  }
  ui.line(`# Accounts in ${lines} lines: strike out what is not yours.`);
  for (const { account, count, forms, first, last } of seen.accounts) {
    const counts = Object.entries(forms).map(([form, times]) => `${form} ${times}`);
    ui.line(`${account}  # ${count}: ${counts.join(", ")}${first === undefined ? "" : `; ${first} to ${last}`}`);
  }
  if (seen.unknownKeys > 0) ui.line(`# ${seen.unknownKeys} keys tell no account: made before about 2019, or examples`);
  if (seen.uncounted > 0) ui.line(`# ${seen.uncounted} lines have further accounts: there are too many different ones`);
}

/** @throws UsageError */
function columnsOf(option: unknown): readonly string[] | undefined {
  if (typeof option !== "string") return undefined;
  const names = option.trim().split(/[\s,]+/);
  const wrong = names.find((name) => !/^[A-Za-z][\w()-]*$/.test(name));
  if (wrong !== undefined || names.length < 2)
    throw new UsageError(`--fields is ${option}; allowed: names of columns, as in "srcaddr dstaddr action"`);
  return names;
}

/** None found where not everything was looked at is no good news. */
function exitCode(summary: ScanSummary): ExitCode {
  if (summary.findings > 0) return 1;
  return isComplete(summary) ? 0 : 3;
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
