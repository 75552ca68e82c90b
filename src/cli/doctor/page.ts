/** The page of doctor as one HTML file: no script, nothing loaded, and everything that others wrote is text. */
import { htmlText } from "../../base/text.js";
import { framed } from "../page-frame.js";
import type { Check, Fix, Section, Status } from "./check.js";
import type { Summary } from "./summary.js";

/** What the page shows. */
export interface Page {
  readonly summary: Summary;
  readonly checks: readonly Check[];
  /** How a section is called. */
  readonly titles: Readonly<Record<Section, string>>;
  /** How a status is called. */
  readonly words: Readonly<Record<Status, string>>;
  readonly plan: readonly Fix[] | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const STYLE = `
th { font-weight: 600; width: 14rem; } td:first-child { width: 5.5rem; }
pre { border: 1px solid var(--line); overflow-x: auto; padding: .6rem; }
@media (max-width: 40rem) { table, tbody, tr, th, td { display: block; width: auto; } th, td { border: 0; padding: 0; }
  tr { border-top: 1px solid var(--line); padding: .4rem 0; } }
`;

/** Writes the page. */
export function htmlPage({ summary, checks, titles, words, plan, now }: Page): string {
  const sections = [...new Set(checks.map(({ section }) => section))].map((section) => {
    const rows = checks.filter((check) => check.section === section).map((check) => row(check, words));
    return `<h2>${htmlText(titles[section])}</h2>\n<table>\n${rows.join("\n")}\n</table>`;
  });
  const { worst } = summary;
  const found = worst === undefined ? "nothing" : `${worst.subject}: ${worst.says}`;
  const main = `<table>
<tr><th scope="row">Verdict</th><td>${htmlText(summary.verdict)}</td></tr>
<tr><th scope="row">Worst</th><td class="${worst?.status ?? "ok"}">${htmlText(found)}</td></tr>
<tr><th scope="row">Next</th><td>${advice(summary.next)}</td></tr>
</table>
${sections.join("\n")}
${plan === undefined ? "" : changes(plan)}`;
  return framed("imds-guard doctor", main, STYLE, now);
}

function row({ status, subject, says, advice: lines = [] }: Check, words: Page["words"]): string {
  const below = lines.length === 0 ? "" : `<ul>${lines.map((line) => `<li>${advice(line)}</li>`).join("")}</ul>`;
  return `<tr><td class="${status}">${words[status]}</td><th scope="row">${htmlText(subject)}</th><td>${htmlText(says)}${below}</td></tr>`;
}

function changes(plan: readonly Fix[]): string {
  const each = plan.map(
    ({ title, file, text }) =>
      `<h3>${htmlText(title)}</h3>\n${file === undefined ? "" : `<p><code>${htmlText(file)}</code></p>\n`}<pre>${htmlText(text)}</pre>`,
  );
  return `<h2>Changes</h2>\n<p>Nothing was applied: read, adapt and apply what fits.</p>\n${each.join("\n")}`;
}

const advice = (line: string): string =>
  line.startsWith("$ ") ? `<code>${htmlText(line.slice(2))}</code>` : htmlText(line);
