/** The report of scan as one HTML file: what was found, when, by rule and by source. */
import { htmlText } from "../base/text.js";
import type { FindingGroup, ScanSummary, Tally, Timeline } from "../detection/scan-summary.js";
import { LEVELS } from "../detection/sigma-rule.js";
import type { Level } from "../detection/sigma-rule.js";
import { framed } from "./page-frame.js";
import { amount, isComplete } from "./scan-text.js";
import { answerText, whatText, whenText, whoText } from "./scan-words.js";

const STYLE = `
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .6rem; margin: 1rem 0; padding: 0; list-style: none; }
.cards li { border: 1px solid var(--line); border-radius: .4rem; padding: .5rem .8rem; } .cards b { display: block; font-size: 1.4rem; }
article { border-top: 1px solid var(--line); padding: .8rem 0; } h3 { font-size: 1rem; margin: 0 0 .3rem; }
dl { display: grid; grid-template-columns: 5rem 1fr; gap: .1rem .6rem; margin: 0; } dt { color: var(--quiet); } dd { margin: 0; }
.level { border: 1px solid currentColor; border-radius: .3rem; font-size: .8rem; margin-right: .4rem; padding: .05rem .4rem; white-space: nowrap; }
.critical, .high { color: var(--finding); } .medium { color: var(--unknown); } .low, .informational { color: var(--quiet); }
rect.critical, rect.high { fill: var(--finding); } rect.medium { fill: var(--unknown); } rect.low, rect.informational { fill: var(--quiet); }
svg { display: block; height: 9rem; width: 100%; } .axis { border-top: 1px solid var(--line); color: var(--quiet); display: flex;
  font-size: .85rem; gap: 1rem; justify-content: space-between; } .axis span { white-space: nowrap; }
td.bar { width: 40%; } td.bar span { background: var(--unknown); border-radius: .2rem; display: block; height: .8rem; margin-top: .35rem; min-width: 2px; }
td.count { text-align: right; width: 5rem; padding-right: 1rem; } pre { border: 1px solid var(--line); margin: .3rem 0; padding: .6rem; white-space: pre-wrap; }
.quiet { color: var(--quiet); }
@media (max-width: 40rem) { body { margin: 1rem auto; } td.bar { width: 25%; } dl { grid-template-columns: 1fr; } dt { margin-top: .3rem; } }
`;

/** Kinds of findings, talkers and lines on the page. */
const SHOWN = 200;
const MOST_TALLIES = 25;

/** Writes the page. `now` is in milliseconds since the epoch. */
export function scanPage(summary: ScanSummary, now: number): string {
  const { findings, groups, ungrouped, timeline, byRule, bySource, byDestination, sources } = summary;
  const left = groups.length - Math.min(groups.length, SHOWN);
  const main = [
    cards(summary),
    findings > 0 ? `<h2>When</h2>\n${timelinePart(timeline)}` : "",
    findings > 0
      ? `<h2>What was found</h2>\n${groups.slice(0, SHOWN).map(article).join("\n")}${
          left + ungrouped > 0
            ? `<p class="quiet">${left} more kinds and ${ungrouped} findings of further kinds: scan --list has all.</p>`
            : ""
        }`
      : "",
    findings > 0
      ? `<h2>By rule</h2>\n${tallies(byRule.map(({ name, count, level }) => ({ name: `${name} (${level})`, count })))}`
      : "",
    bySource.length > 0 ? `<h2>By who asked</h2>\n${tallies(bySource)}` : "",
    byDestination.length > 0 ? `<h2>By what was asked</h2>\n${tallies(byDestination)}` : "",
    unjudgedPart(summary),
    `<h2>What was read</h2>\n${sourcesPart(sources)}`,
  ];
  return framed("imds-guard scan", main.filter((part) => part !== "").join("\n"), STYLE, now);
}

function cards(summary: ScanSummary): string {
  const { findings, highest, lines, bytes, first, last, unjudged, malformed, oversized, sources } = summary;
  const unread = sources.filter(({ failure }) => failure !== undefined).length;
  const tone = findings > 0 ? "finding" : isComplete(summary) ? "ok" : "unknown";
  const card = (value: string, label: string, css = ""): string =>
    `<li><b class="${css}">${htmlText(value)}</b>${htmlText(label)}</li>`;
  const span =
    first === undefined
      ? ""
      : `<p>Between <time>${htmlText(first)}</time> and <time>${htmlText(last ?? first)}</time> (UTC).</p>`;
  return `<ul class="cards">${[
    card(String(findings), findings === 1 ? "finding" : "findings", tone),
    highest === undefined ? "" : card(highest, "highest level", highest),
    card(String(lines), `lines, ${amount(bytes)}`),
    unjudged > 0 ? card(String(unjudged), "judged by no rule", "unknown") : "",
    malformed + oversized > 0 ? card(String(malformed + oversized), "malformed or too long", "unknown") : "",
    unread > 0 ? card(String(unread), "not read, or not to the end", "unknown") : "",
  ].join("")}</ul>\n${span}`;
}

function timelinePart({ seconds, slices, untimed }: Timeline): string {
  const none = untimed === 0 ? "" : `<p class="quiet">${untimed} findings have no time in the log.</p>`;
  const [firstSlice] = slices;
  const lastSlice = slices.at(-1);
  if (firstSlice === undefined || lastSlice === undefined) return none;
  const step = seconds * 1_000;
  const start = Date.parse(firstSlice.start);
  const count = (Date.parse(lastSlice.start) - start) / step + 1;
  const totals = slices.map(({ levels }) => Object.values(levels).reduce((sum, each) => sum + each, 0));
  const most = Math.max(...totals);
  const bars = slices.flatMap(({ start: at, levels }) => {
    const x = (Date.parse(at) - start) / step;
    let height = 0;
    return LEVELS.flatMap((level) => {
      const part = levels[level];
      if (part === undefined) return [];
      const tall = (part / most) * 100;
      height += tall;
      return [
        `<rect class="${level}" x="${x + 0.05}" y="${(100 - height).toFixed(2)}" width="0.9" height="${tall.toFixed(2)}"><title>${htmlText(at)}: ${part} ${level}</title></rect>`,
      ];
    });
  });
  const width = Math.max(count, 12);
  const end = new Date(Date.parse(lastSlice.start) + step).toISOString();
  return `<svg viewBox="0 0 ${width} 100" preserveAspectRatio="none" role="img" aria-label="Findings by time: at most ${most} in ${span(seconds)}">${bars.join("")}</svg>
<div class="axis"><span>${minute(firstSlice.start)}</span><span>${minute(end)}</span></div>
<p class="quiet">Each bar is ${span(seconds)}, the highest ${most} findings.</p>${none}`;
}

/** `2026-07-05 10:00Z` */
const minute = (iso: string): string => `${iso.slice(0, 10)} ${iso.slice(11, 16)}Z`;

function span(seconds: number): string {
  if (seconds < 3_600) return `${seconds / 60} minutes`.replace(/^1 minutes/, "1 minute");
  if (seconds < 86_400) return `${Number((seconds / 3_600).toFixed(1))} hours`;
  return `${Number((seconds / 86_400).toFixed(1))} days`;
}

const badge = (level: Level): string => `<span class="level ${level}">${level}</span>`;

function article(group: FindingGroup): string {
  const { rule, who, what, answer, count, source, line, account, form } = group;
  const rows: readonly (readonly [label: string, html: string])[] = [
    ["account", account === undefined ? "" : htmlText(`${account}${form === undefined ? "" : `, ${form}`}`)],
    ["who", htmlText(whoText(who))],
    [
      "what",
      whatText(what)
        .map((part) => `<div><code>${htmlText(part)}</code></div>`)
        .join(""),
    ],
    ["answer", htmlText(answerText(answer, group))],
    ["when", htmlText(`${count === 1 ? "once" : `${count} times`}${whenText(group)}`)],
    ["where", htmlText(`${source}:${line}${count === 1 ? "" : " and on"}`)],
  ];
  return `<article><h3>${badge(rule.level)}${htmlText(rule.title)}</h3><dl>${rows
    .filter(([, html]) => html !== "")
    .map(([label, html]) => `<dt>${label}</dt><dd>${html}</dd>`)
    .join("")}</dl></article>`;
}

function tallies(all: readonly Tally[]): string {
  const most = Math.max(...all.map(({ count }) => count));
  const rows = all
    .slice(0, MOST_TALLIES)
    .map(
      ({ name, count }) =>
        `<tr><td>${htmlText(name)}</td><td class="count">${count}</td><td class="bar"><span style="width:${((count / most) * 100).toFixed(1)}%"></span></td></tr>`,
    );
  const more = all.length > MOST_TALLIES ? `<p class="quiet">and ${all.length - MOST_TALLIES} more</p>` : "";
  return `<table><tbody>${rows.join("")}</tbody></table>${more}`;
}

function unjudgedPart({ unjudged, unjudgedLines }: ScanSummary): string {
  if (unjudged === 0) return "";
  const lines = unjudgedLines.map(
    ({ source, line, text }) => `<p class="quiet">${htmlText(`${source}:${line}`)}</p><pre>${htmlText(text)}</pre>`,
  );
  return `<h2>Judged by no rule</h2>
<p>${unjudged} lines name the metadata service and were judged by no rule. The first of them:</p>
${lines.join("\n")}`;
}

function sourcesPart(sources: ScanSummary["sources"]): string {
  const rows = sources.map(({ name, format, lines, findings, unjudged, malformed, failure }) => {
    const odd = [
      unjudged > 0 ? `${unjudged} judged by no rule` : undefined,
      malformed > 0 ? `${malformed} malformed` : undefined,
      failure === undefined ? undefined : `${failure.message}. ${failure.advice}.`,
    ].filter((part) => part !== undefined);
    return `<tr><td>${htmlText(name)}</td><td>${htmlText(format ?? "unknown")}</td><td>${lines} lines, ${findings} findings${
      odd.length === 0 ? "" : `<br><span class="unknown">${htmlText(odd.join("; "))}</span>`
    }</td></tr>`;
  });
  return `<table><tbody>${rows.join("")}</tbody></table>`;
}
