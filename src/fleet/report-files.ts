/** The audit as files: a page of HTML that sorts by itself and asks nothing of a network, and CSV for spreadsheets. */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { csvCell, htmlText } from "../base/text.js";
import type { FleetSummary, Findings } from "./findings.js";
import { verdictsText } from "./findings.js";
import { gapText } from "./gaps.js";
import type { InstanceRecord } from "./records.js";
import type { Verdict } from "./verdict.js";

/** What asks for somebody comes first. */
export const SHOWN_FIRST: readonly Verdict[] = ["used", "unknown", "safe", "excepted", "fine"];

/** What a report says of itself. */
export interface ReportHead {
  /** ISO 8601. */
  readonly start: string;
  readonly end: string;
}

const COLUMNS = [
  ["verdict", (each) => each.verdict],
  ["instanceId", (each) => each.instanceId],
  ["reason", (each) => each.reason],
  ["programs", (each) => each.programs?.map(({ program, calls }) => `${program} (${calls})`).join("; ")],
  ["name", (each) => each.name],
  ["accountId", (each) => each.accountId],
  ["region", (each) => each.region],
  ["state", (each) => each.state],
  ["HttpTokens", (each) => each.options.HttpTokens],
  ["HttpEndpoint", (each) => each.options.HttpEndpoint],
  ["hop limit", (each) => each.options.HttpPutResponseHopLimit],
  ["IPv6", (each) => each.options.HttpProtocolIpv6],
  ["tags in metadata", (each) => each.options.InstanceMetadataTags],
  ["role", (each) => each.instanceProfile],
  ["calls", (each) => each.calls],
  ["last", (each) => each.last],
  ["rejected", (each) => each.rejected],
  ["hop limit advice", (each) => each.hopLimitAdvice],
] as const satisfies readonly (readonly [
  title: string,
  value: (record: InstanceRecord) => string | number | undefined,
])[];

/** Instances, one a line (RFC 4180). @throws the system's error where `path` cannot be written */
export async function writeCsv(path: string, instances: AsyncIterable<InstanceRecord>): Promise<void> {
  await writeParts(path, csvParts(instances));
}

async function* csvParts(instances: AsyncIterable<InstanceRecord>): AsyncGenerator<string> {
  yield `${COLUMNS.map(([title]) => csvCell(title)).join(",")}\r\n`;
  for await (const record of instances) yield `${COLUMNS.map(([, value]) => csvCell(value(record))).join(",")}\r\n`;
}

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { position: sticky; top: 0; background: Canvas; white-space: nowrap; }
th button { font: inherit; font-weight: 600; border: 0; background: none; color: inherit; padding: 0; cursor: pointer; }
th[aria-sort=ascending] button::after { content: " \\25B2"; } th[aria-sort=descending] button::after { content: " \\25BC"; }
tbody tr:hover { background: var(--soft); }
td { white-space: nowrap; }
td:nth-child(2) { font-family: ui-monospace, monospace; }
td:nth-child(3), td:nth-child(4), td:last-child { white-space: normal; min-width: 16rem; }
td:nth-child(4):empty, td:last-child:empty { min-width: 0; }
[data-verdict] td:first-child { font-weight: 600; }
[data-verdict=used] td:first-child { color: #c0341d; } [data-verdict=unknown] td:first-child { color: #8b4bb8; }
[data-verdict=safe] td:first-child { color: #1f6fc4; } [data-verdict=fine] td:first-child { color: #2a7d2e; }
input { font: inherit; padding: .3rem .5rem; width: 22rem; max-width: 100%; }
`;

const SCRIPT = `
"use strict";
const body = document.querySelector("#instances tbody");
const heads = [...document.querySelectorAll("#instances th")];
const text = (row, index) => row.cells[index]?.textContent ?? "";
heads.forEach((head, index) => head.querySelector("button").addEventListener("click", () => {
  const down = head.getAttribute("aria-sort") === "ascending";
  heads.forEach((each) => each.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const rows = [...body.rows].sort((a, b) => order(text(a, index), text(b, index)));
  body.append(...(down ? rows.reverse() : rows));
}));
document.querySelector("#filter").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
});
`;

/** The whole report as one page. @throws the system's error where `path` cannot be written */
export async function writeHtml(
  path: string,
  head: ReportHead,
  summary: FleetSummary,
  findings: Findings,
  instances: () => AsyncIterable<InstanceRecord>,
): Promise<void> {
  await writeParts(path, htmlParts(head, summary, findings, instances));
}

async function* htmlParts(
  head: ReportHead,
  summary: FleetSummary,
  findings: Findings,
  instances: () => AsyncIterable<InstanceRecord>,
): AsyncGenerator<string> {
  const hash = createHash("sha256").update(SCRIPT).digest("base64");
  yield (
    `<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n` +
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'">\n` +
    `<title>IMDSv2 in the fleet</title>\n<style>${STYLE}</style>\n<h1>IMDSv2 in the fleet</h1>\n` +
    `<p>${htmlText(`${head.start} to ${head.end}. ${summary.regions} regions; ${verdictsText(summary.instances)}.`)}</p>\n` +
    `<p><input id="filter" type="search" placeholder="Show rows with" aria-label="Show rows with"></p>\n` +
    `<div class="wide"><table id="instances"><thead><tr>${COLUMNS.map(([title]) => `<th><button type="button">${htmlText(title)}</button></th>`).join("")}</tr></thead><tbody>\n`
  );
  // What asks for somebody first; the page can sort by anything else.
  for (const verdict of SHOWN_FIRST)
    for await (const record of summary.instances[verdict] === 0 ? [] : instances())
      if (record.verdict === verdict)
        yield `<tr data-verdict="${verdict}">${COLUMNS.map(([, value]) => `<td>${htmlText(String(value(record) ?? ""))}</td>`).join("")}</tr>\n`;
  yield "</tbody></table></div>\n";
  for (const { title, lines } of sectionsOf(findings)) {
    let hasLines = false;
    for await (const line of lines) {
      if (!hasLines) yield `<h2>${htmlText(title)}</h2>\n<ul>\n`;
      hasLines = true;
      yield `<li>${htmlText(line)}</li>\n`;
    }
    if (hasLines) yield "</ul>\n";
  }
  yield `<script>${SCRIPT}</script>\n</html>\n`;
}

/** A part of a report below the instances. */
export interface Section {
  readonly title: string;
  readonly lines: AsyncIterable<string>;
}

/** What is to be done besides the instances, and what could not be seen. */
export function sectionsOf(findings: Findings): readonly Section[] {
  async function* launches(): AsyncGenerator<string> {
    for (const kind of ["metadata-defaults", "launch-template", "launch-configuration", "auto-scaling-group"] as const)
      for await (const record of findings.list(kind).items()) {
        if (record.standing !== "to-do") continue;
        const id =
          record.kind === "metadata-defaults"
            ? "account defaults"
            : record.kind === "launch-template"
              ? `launch template ${record.launchTemplateId}${record.name === undefined ? "" : ` (${record.name})`}`
              : `${record.kind.replaceAll("-", " ")} ${record.name}`;
        const held =
          "heldBy" in record && record.heldBy !== undefined ? `; not to be changed yet: ${record.heldBy}` : "";
        yield `${record.accountId} ${record.region}: ${id}: ${record.reason}${held}`;
      }
  }
  async function* images(): AsyncGenerator<string> {
    for await (const { accountId, region, imageId, name, imdsSupport } of findings.list("image").items())
      if (imdsSupport !== "v2.0")
        yield `${accountId} ${region}: ${imageId}${name === undefined ? "" : ` (${name})`}${imdsSupport === undefined ? "" : `: ${imdsSupport}`}`;
  }
  async function* roles(): AsyncGenerator<string> {
    for await (const { accountId, name, roleDelivery } of findings.list("role").items())
      if (!roleDelivery) yield `${accountId}: ${name}`;
  }
  async function* gaps(): AsyncGenerator<string> {
    for await (const gap of findings.list("gap").items()) yield gapText(gap);
  }
  return [
    { title: "New instances would allow version 1", lines: launches() },
    { title: "Images that do not ask for version 2 (ImdsSupport)", lines: images() },
    {
      title: "Roles of instances that take credentials of version 1 (no condition on ec2:RoleDelivery)",
      lines: roles(),
    },
    { title: "Not seen", lines: gaps() },
  ];
}

/** @throws the system's error where `path` cannot be written; what `parts` throws */
async function writeParts(path: string, parts: AsyncIterable<string>): Promise<void> {
  await pipeline(parts, createWriteStream(path, { mode: 0o600 }));
}
