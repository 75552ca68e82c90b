/** What `imds-guard scan` says in text: kinds of findings, then rules, then what was not judged or not read. */
import { terminalLine } from "../base/text.js";
import type { AccountsSummary } from "../detection/account-judge.js";
import type { ScanFinding } from "../detection/scan-finding.js";
import type { FindingGroup, ScanSummary } from "../detection/scan-summary.js";
import type { Level } from "../detection/sigma-rule.js";
import { answerText, whatText, whenText, whoText } from "./scan-words.js";
import type { Ui } from "./ui.js";
import { wrap } from "./ui.js";

/** Kinds of findings, lines and accounts that are shown, and findings that --json has as examples. */
export const SHOWN = 20;
const MOST_TALKERS = 5;
const MOST_FORMATS = 5;

/** Whether everything was read and judged. */
export function isComplete({ sources, unjudged, malformed, oversized }: ScanSummary): boolean {
  return unjudged + malformed + oversized === 0 && sources.every(({ failure }) => failure === undefined);
}

/** A number of bytes for people. */
export function amount(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  const power = Math.min(4, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1_000 ** power).toFixed(1)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}

function toned(level: Level, ui: Ui): string {
  return level === "critical" || level === "high" ? ui.paint(level, "finding") : level;
}

/** One finding on one line, for those who search. */
export function findingLine(finding: ScanFinding, ui: Ui): string {
  const { rule, source, line, time, from, to, correlated, what, answer, ...foreign } = finding;
  const ends = [from, to].filter((address) => address !== undefined).join(" -> ");
  const count = correlated === undefined ? "" : ` (${correlated.count} together)`;
  const asked = whatText({ ...what, to: undefined, port: undefined, userAgent: undefined, referrer: undefined }).join(
    " ",
  );
  return [
    `${terminalLine(source)}:${line}:`,
    toned(rule.level, ui),
    time,
    terminalLine(ends),
    `${rule.title}${count}`,
    terminalLine(asked),
    answerText(answer),
    foreign.account === undefined
      ? undefined
      : [foreign.account, foreign.form, foreign.accessKeyId, foreign.service, foreign.region, foreign.host]
          .filter((part) => part !== undefined)
          .map(terminalLine)
          .join(" "),
  ]
    .filter((part) => part !== undefined && part !== "")
    .join("  ");
}

const LABEL = 8;

/** Findings that are alike, in lines that fit the terminal. Words are not broken: a URL can be copied. */
function printGroup(group: FindingGroup, ui: Ui): void {
  const { rule, count, source, line, account, form } = group;
  const print = (label: string, text: string): void => {
    const [first = "", ...more] = wrap(terminalLine(text), ui.columns - LABEL - 2);
    ui.line(`  ${label.padEnd(LABEL)}${first}`);
    for (const rest of more) ui.line(`  ${" ".repeat(LABEL)}${rest}`);
  };
  for (const [index, part] of wrap(rule.title, ui.columns - rule.level.length - 2).entries())
    ui.line(index === 0 ? `${toned(rule.level, ui)}  ${part}` : `${" ".repeat(rule.level.length + 2)}${part}`);
  if (account !== undefined) print("account", [account, form].filter((part) => part !== undefined).join(", "));
  const who = whoText(group.who);
  if (who !== "") print("who", who);
  for (const [index, part] of whatText(group.what).entries()) print(index === 0 ? "what" : "", part);
  const answer = answerText(group.answer, group);
  if (answer !== "") print("answer", answer);
  print("when", `${count === 1 ? "once" : `${count} times`}${whenText(group)}`);
  print("where", `${source}:${line}${count === 1 ? "" : " and on"}`);
  ui.line();
}

/** Says what a scan came to; with `listed`, the findings themselves were printed already. */
export function printSummary(summary: ScanSummary, ui: Ui, seen: AccountsSummary | undefined, listed: boolean): void {
  const { findings, byRule, bySource, lines, bytes, malformed, oversized, first, last, sources, groups } = summary;
  if (!listed) for (const group of groups.slice(0, SHOWN)) printGroup(group, ui);
  else if (findings > 0) ui.line();
  if (byRule.length > 0) {
    ui.table([
      ["COUNT", "LEVEL", "RULE"].map((title) => ui.paint(title, "strong")),
      ...byRule.map(({ count, level, name }) => [String(count).padStart(5), toned(level, ui), name]),
    ]);
    ui.line();
    const talkers = bySource.slice(0, MOST_TALKERS).map(({ name, count }) => `${terminalLine(name)} (${count})`);
    ui.table([
      ...(talkers.length === 0
        ? []
        : [
            [
              "asked by",
              talkers.join(", ") +
                (bySource.length > MOST_TALKERS ? `, and ${bySource.length - MOST_TALKERS} more` : ""),
            ],
          ]),
      ...(first === undefined ? [] : [["between", `${first} and ${last}`]]),
    ]);
  }
  if (seen !== undefined && seen.accounts.length > 0) {
    ui.line();
    ui.table([
      ["FOREIGN ACCOUNT", "COUNT", "TOLD BY"].map((title) => ui.paint(title, "strong")),
      ...seen.accounts.slice(0, SHOWN).map(({ account, count, forms, services, hosts, first, last }) => [
        account,
        String(count).padStart(5),
        [
          Object.entries(forms)
            .map(([form, times]) => `${form} ${times}`)
            .join(", "),
          services.length === 0 ? undefined : `for ${services.map(terminalLine).join(", ")}`,
          hosts.length === 0 ? undefined : `at ${hosts.slice(0, 3).map(terminalLine).join(", ")}`,
          first === undefined ? undefined : `${first} to ${last}`,
        ]
          .filter((part) => part !== undefined)
          .join("; "),
      ]),
    ]);
    if (seen.accounts.length > SHOWN) ui.line(`and ${seen.accounts.length - SHOWN} more accounts; --json has all`);
  }
  if (seen !== undefined && seen.unknownKeys > 0)
    ui.line(`${seen.unknownKeys} keys tell no account: made before about 2019, or examples of the documentation`);
  if (summary.unjudged > 0) printUnjudged(summary, ui);
  const incomplete = !isComplete(summary);
  const known = [...new Set(sources.flatMap(({ format }) => (format === undefined ? [] : [format])))];
  const more = known.length > MOST_FORMATS ? ` and ${known.length - MOST_FORMATS} more formats` : "";
  const formats = `${known.slice(0, MOST_FORMATS).join(", ")}${more}`;
  const odd = [
    malformed > 0 ? `${malformed} malformed` : undefined,
    oversized > 0 ? `${oversized} too long` : undefined,
    summary.unjudged > 0 ? `${summary.unjudged} judged by no rule` : undefined,
    sources.some(({ failure }) => failure !== undefined) ? "not everything was read" : undefined,
  ].filter((part) => part !== undefined);
  const rest =
    !listed && groups.length > SHOWN
      ? ` (the first ${SHOWN} of ${groups.length} kinds are shown; --list shows all, --html makes a page)`
      : "";
  const count = `${findings} finding${findings === 1 ? "" : "s"}`;
  const end = `${ui.paint(count, findings > 0 ? "finding" : incomplete ? "unknown" : "ok")}${rest} in ${lines} lines, ${amount(bytes)}${formats === "" ? "" : ` of ${formats}`}${odd.length > 0 ? `; ${odd.join(", ")}` : ""}`;
  for (const part of wrap(end, ui.columns)) ui.line(part);
}

function printUnjudged({ unjudged, unjudgedLines, byRule }: ScanSummary, ui: Ui): void {
  if (byRule.length > 0) ui.line();
  const [names, was] = unjudged === 1 ? [" names", "was"] : ["s name", "were"];
  ui.line(`${unjudged} line${names} the metadata service and ${was} judged by no rule:`);
  for (const { source, line, text } of unjudgedLines.slice(0, SHOWN)) {
    ui.line(`${terminalLine(source)}:${line}:`);
    for (const part of wrap(cut(terminalLine(text), ui.columns), ui.columns - 2)) ui.line(`  ${part}`);
  }
  ui.line();
}

function cut(text: string, columns: number): string {
  const most = Math.max(120, 2 * columns);
  return text.length > most ? `${text.slice(0, most - 3)}...` : text;
}
