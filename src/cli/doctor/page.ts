/** The page of doctor as one HTML file: no script, nothing loaded, and everything that others wrote is text. */
import { PACKAGE_VERSION } from "../../base/package-version.js";
import { htmlText } from "../../base/text.js";
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

/** Legible on both grounds: each colour has a contrast of at least 4.5 to 1 to its own. */
const STYLE = `
:root { color-scheme: light dark; --ground: #fff; --text: #1a1a1a; --quiet: #595959; --line: #d0d0d0;
  --ok: #1a6b2f; --finding: #b00020; --unknown: #7a2e9e; }
@media (prefers-color-scheme: dark) { :root { --ground: #16181c; --text: #eaeaea; --quiet: #a8a8a8; --line: #3c4048;
  --ok: #6fd08c; --finding: #ff8a8a; --unknown: #d3a4ee; } }
body { background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; } th, td { border-top: 1px solid var(--line); padding: .4rem .6rem .4rem 0;
  text-align: left; vertical-align: top; } th { font-weight: 600; width: 14rem; } td:first-child { width: 5.5rem; }
.ok { color: var(--ok); } .finding { color: var(--finding); font-weight: 700; } .open, .unknown { color: var(--unknown); }
p, ul { margin: .2rem 0; } ul { padding-left: 1.2rem; } code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { border: 1px solid var(--line); overflow-x: auto; padding: .6rem; } footer { color: var(--quiet); margin-top: 2rem; }
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
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>imds-guard doctor</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>imds-guard doctor</h1>
<table>
<tr><th scope="row">Verdict</th><td>${htmlText(summary.verdict)}</td></tr>
<tr><th scope="row">Worst</th><td class="${worst?.status ?? "ok"}">${htmlText(found)}</td></tr>
<tr><th scope="row">Next</th><td>${advice(summary.next)}</td></tr>
</table>
${sections.join("\n")}
${plan === undefined ? "" : changes(plan)}
</main>
<footer>imds-guard ${htmlText(PACKAGE_VERSION)}, ${new Date(now).toISOString()}</footer>
</body>
</html>`;
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
