/** What every page that the command writes has: one file, no script, nothing loaded, legible on both grounds and on a phone. */
import { PACKAGE_VERSION } from "../base/package-version.js";
import { htmlText } from "../base/text.js";

/** Each colour has a contrast of at least 4.5 to 1 to its own ground. */
const STYLE = `
:root { color-scheme: light dark; --ground: #fff; --text: #1a1a1a; --quiet: #595959; --line: #d0d0d0;
  --ok: #1a6b2f; --finding: #b00020; --unknown: #7a2e9e; }
@media (prefers-color-scheme: dark) { :root { --ground: #16181c; --text: #eaeaea; --quiet: #a8a8a8; --line: #3c4048;
  --ok: #6fd08c; --finding: #ff8a8a; --unknown: #d3a4ee; } }
body { background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; } th, td { border-top: 1px solid var(--line); padding: .4rem .6rem .4rem 0;
  text-align: left; vertical-align: top; }
.ok { color: var(--ok); } .finding { color: var(--finding); font-weight: 700; } .open, .unknown { color: var(--unknown); }
p, ul { margin: .2rem 0; } ul { padding-left: 1.2rem; } code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
footer { color: var(--quiet); margin-top: 2rem; }
`;

/** A page. `main` is HTML in which everything that others wrote is text already; `style` is what it needs besides. */
export function framed(title: string, main: string, style: string, now: number): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${htmlText(title)}</title>
<style>${STYLE}${style}</style>
</head>
<body>
<main>
<h1>${htmlText(title)}</h1>
${main}
</main>
<footer>imds-guard ${htmlText(PACKAGE_VERSION)}, ${new Date(now).toISOString()}</footer>
</body>
</html>`;
}
