/** `imds-guard doctor`: everything about this host and its metadata service on one page. */
import type { Verdict } from "../host/report.js";
import { terminalLine } from "../base/text.js";
import type { Command, ExitCode } from "./command.js";
import { UsageError } from "./command.js";
import type { Check, Fix, Section, Status } from "./doctor/check.js";
import type { Summary } from "./doctor/summary.js";
import type { Tone, Ui } from "./ui.js";
import { wrap } from "./ui.js";

export const command: Command = {
  name: "doctor",
  summary: "examine this host: who answers as IMDS, and who here would believe it",
  usage: "[--no-probe] [--fix-plan] [--html]",
  description: [
    "Looks at the host's own marks, asks both IMDS addresses and Amazon's DNS addresses without a secret, and reads routes, DHCP leases, names, settings of this user, agents and packet filter rules. The first three lines say where this host is, the worst that was found, and what to do next. Each line below them is ok, FINDING or unknown. Lines that begin with \"$ \" can be pasted.",
    "Nothing is changed, and root is not needed: what only root could see is unknown, never absent. --fix-plan prints the changes that would mend the findings, for a person to apply.",
    "Exit code 1 with any finding, 3 if there is none but the host could not be identified. --html prints the page as one HTML file, for a ticket. With --json: version, verdict, rule, summary, worst (the id of a check, or null), next, checks (section, id, status, subject, says, advice, evidence) and, with --fix-plan, fixPlan (title, file, text).",
  ],
  options: [
    { name: "no-probe", summary: "send nothing: read this host only" },
    { name: "fix-plan", summary: "print the changes that would mend the findings; none is made" },
    { name: "html", summary: "print one HTML file, with the changes where --fix-plan is given" },
  ],
  examples: [
    { command: "sudo imds-guard doctor", does: "see the packet filter and the agents' files, too" },
    {
      command: "imds-guard doctor --json | jq '.checks[] | select(.status == \"finding\")'",
      does: "findings for a program",
    },
  ],
  async run({ options, words, json, ui, system, signal }) {
    if (words.length > 0) throw new UsageError(`doctor takes no words, and got ${words[0]}`);
    const html = options["html"] === true;
    if (html && json) throw new UsageError("--html and --json contradict each other");
    const { examine } = await import("./doctor/examine.js");
    const examination = await examine(system, {
      probe: options["no-probe"] !== true,
      signal,
      onPart: (part) => ui.progress(`${part} ...`),
    });
    ui.progress(undefined);
    const { host, checks } = examination;
    const { summarize } = await import("./doctor/summary.js");
    const first = summarize(checks);
    const summary = {
      ok: count(checks, "ok"),
      finding: count(checks, "finding"),
      open: count(checks, "open"),
      unknown: count(checks, "unknown"),
    };
    const plan = options["fix-plan"] === true ? fixPlan(checks) : undefined;
    if (json) {
      ui.json({
        version: 1,
        verdict: host.verdict,
        rule: host.rule,
        summary,
        worst: first.worst?.id ?? null,
        next: first.next,
        checks: checks.map(asJson),
        ...(plan && { fixPlan: plan }),
      });
    } else if (html) {
      const { htmlPage } = await import("./doctor/page.js");
      ui.line(htmlPage({ summary: first, checks, titles: TITLES, words: WORDS, plan, now: system.now() }));
    } else if (plan === undefined) {
      printSummary(first, ui);
      printPage(checks, summary, ui);
    } else printPlan(plan, ui);
    return exitCode(summary, host.verdict);
  },
};

type Counts = Readonly<Record<Status, number>>;

/** Without a verdict on the host the rest of the page settles nothing. */
function exitCode({ finding }: Counts, verdict: Verdict): ExitCode {
  if (finding > 0) return 1;
  return verdict === "unknown" ? 3 : 0;
}

function count(checks: readonly Check[], status: Status): number {
  return checks.filter((check) => check.status === status).length;
}

function asJson({ section, id, status, subject, says, advice = [], evidence = [] }: Check): object {
  return { section, id, status, subject, says, advice, evidence };
}

/** The changes that the checks name, each once: those of findings where there is any, and then what is offered. */
function fixPlan(checks: readonly Check[]): Fix[] {
  const found = checks.filter(({ status }) => status === "finding");
  const fixes = [
    ...(found.length > 0 ? found : checks).flatMap((check) => check.fixes ?? []),
    ...checks.flatMap((check) => check.offers ?? []),
  ];
  return [...new Map(fixes.map((fix) => [fix.title, fix])).values()];
}

const WORDS: Readonly<Record<Status, string>> = { ok: "ok", finding: "FINDING", open: "open", unknown: "unknown" };
const TONES: Readonly<Record<Status, Tone>> = { ok: "ok", finding: "finding", open: "unknown", unknown: "unknown" };

const TITLES: Readonly<Record<Section, string>> = {
  host: "This host",
  network: "Network",
  names: "Names",
  service: "Metadata service",
  settings: "Settings of this user",
  agents: "Agents",
  rules: "Kernel rules",
};

/** The first three lines of the page. */
export function printSummary({ verdict, worst, next }: Summary, ui: Ui): void {
  const found =
    worst === undefined
      ? ui.paint("nothing", "ok")
      : `${ui.paint(WORDS[worst.status], TONES[worst.status])}  ${terminalLine(`${worst.subject}: ${worst.says}`)}`;
  const command = next.startsWith("$ ");
  ui.table([
    [ui.paint("verdict", "strong"), terminalLine(verdict)],
    [ui.paint("worst", "strong"), found],
    ...(command ? [] : [[ui.paint("next", "strong"), terminalLine(next)]]),
  ]);
  // A command is whole on its line.
  if (command) ui.line(`${ui.paint("next", "strong")}     ${terminalLine(next)}`);
  ui.line();
}

function printPage(checks: readonly Check[], summary: Counts, ui: Ui): void {
  const sections = [...new Set(checks.map(({ section }) => section))];
  const width = Math.min(MAX_SUBJECT, Math.max(...checks.map(({ subject }) => subject.length)));
  for (const section of sections) {
    ui.line(ui.paint(TITLES[section], "strong"));
    for (const check of checks) if (check.section === section) printCheck(check, width, ui);
    ui.line();
  }
  const { finding, open, unknown, ok } = summary;
  const counts = [
    [finding, finding === 1 ? "finding" : "findings", "finding"],
    [open, "open", "unknown"],
    [unknown, "unknown", "unknown"],
    [ok, "ok", "ok"],
  ] as const;
  ui.line(
    counts
      .filter(([count]) => count > 0)
      .map(([count, word, tone]) => ui.paint(`${count} ${word}`, tone))
      .join(", "),
  );
  if (finding > 0) ui.note("doctor --fix-plan prints what would mend the findings");
}

/** A longer subject has a line of its own, so that it does not push every other line to the right. */
const MAX_SUBJECT = 26;
const LONGEST_WORD = 7;
const ADVICE_INDENT = " ".repeat(LONGEST_WORD + 4);

/** The line itself, and below it what to do. Commands stay on one line, however long: they are there to be copied. */
function printCheck({ status, advice = [], ...seen }: Check, width: number, ui: Ui): void {
  const [word, tone] = [WORDS[status], TONES[status]];
  // Much of it comes from files and answers of others: none of it begins a line of its own.
  const [subject, says] = [terminalLine(seen.subject), terminalLine(seen.says)];
  const label = `  ${ui.paint(word, tone)}${" ".repeat(LONGEST_WORD - word.length)}`;
  if (subject.length > width) ui.line(`${label}  ${subject}`);
  ui.table([
    subject.length > width
      ? [" ".repeat(LONGEST_WORD + 2), " ".repeat(width), says]
      : [label, subject.padEnd(width), says],
  ]);
  for (const line of advice.map(terminalLine)) {
    const lines = line.startsWith("$ ") || !ui.terminal ? [line] : wrap(line, ui.columns - ADVICE_INDENT.length - 3);
    for (const [index, part] of lines.entries())
      ui.line(ADVICE_INDENT + (line.startsWith("$ ") ? part : `${index === 0 ? "-> " : "   "}${part}`));
  }
}

function printPlan(plan: readonly Fix[], ui: Ui): void {
  if (plan.length === 0) return ui.line("# nothing to change");
  const remark = (remarked: string): string =>
    (ui.terminal ? wrap(remarked, ui.columns - 2) : [remarked]).map((line) => `# ${line}`).join("\n");
  ui.line(remark("Changes that would mend what was found. Nothing was applied: read, adapt and apply what fits."));
  for (const { title, file, text } of plan) {
    ui.line();
    ui.line(ui.paint(remark(title), "strong"));
    if (file !== undefined) ui.line(`# file: ${file}`);
    ui.line(text);
  }
}
