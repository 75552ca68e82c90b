// @ts-check
/** The matrix as one page that needs no network: every attack a line, every door a cell, details on demand. */
import { KINDS } from "./catalogue.mjs";
import { ENTRIES } from "./entries.mjs";
import { isLeak, isQuiet } from "./judge.mjs";

/** @typedef {import("./judge.mjs").Cell} Cell @typedef {ReturnType<typeof import("./judge.mjs").goalsOf>} Goals */

/** Worst first: a cell that stands for several hosts says the worst of them. */
const WORST = ["credentials", "region", "metadata", "memory", "hang", "odd", "conceded", "rightful", "refused"];
const WORDS = {
  refused: "refused",
  rightful: "own",
  credentials: "TAKEN",
  region: "REGION",
  metadata: "METADATA",
  hang: "HANG",
  memory: "MEMORY",
  odd: "ODD",
  conceded: "conceded",
};
const STOCK_WORDS = { ...WORDS, refused: "error", odd: "error", rightful: "own" };

const escape = (/** @type {string} */ text) => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
const mib = (/** @type {number} */ bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** The same outcome on several hosts is said once. @param {readonly Cell[]} cells */
function details(cells) {
  /** @type {Map<string, Cell[]>} */
  const groups = new Map();
  for (const cell of cells) {
    const key = `${cell.status} ${cell.code ?? ""} [${[...new Set(cell.events)].join(", ") || "no event"}]`;
    groups.set(key, [...(groups.get(key) ?? []), cell]);
  }
  return [...groups]
    .map(([key, group]) => {
      const growth = Math.max(...group.map((cell) => cell.growth ?? 0));
      const why = group[0]?.concession === undefined ? "" : ` (${group[0].concession})`;
      return `${group.length === 1 ? (group[0]?.host ?? "") : `${group.length} hosts`}: ${key}, at most ${Math.round(Math.max(...group.map(({ ms }) => ms)))} ms, ${mib(growth)}${why}`;
    })
    .join("\n");
}

/** @param {readonly Cell[]} cells @param {Record<string, string>} words */
function cellMarkup(cells, words) {
  if (cells.length === 0) return "<td class=none>-</td>";
  const status = WORST.find((each) => cells.some((cell) => cell.status === each)) ?? "odd";
  const many = cells.filter((cell) => cell.status === status).length;
  const quiet = cells.some(isQuiet);
  const marks = `${many < cells.length ? ` ${many}/${cells.length}` : ""}${quiet && words === WORDS ? " (no event)" : ""}`;
  const tone = words === STOCK_WORDS && status === "odd" ? "refused" : status;
  return `<td class=${tone} title="${escape(details(cells))}">${words[status]}${marks}</td>`;
}

/**
 * @param {{ about: any, goals: Goals, attacks: readonly { name: string, kind: string, sentence: string }[], cells:
 * readonly Cell[], stock: readonly Cell[] }} run
 * @returns {string}
 */
export function page({ about, goals, attacks, cells, stock }) {
  const ec2 = new Set(
    about.hosts.filter((/** @type {any} */ host) => host.ec2).map((/** @type {any} */ { name }) => name),
  );
  const doors = ENTRIES.map(({ name }) => name);
  /** @type {Map<string, Cell[]>} */
  const byAttack = grouped(cells);
  const stockOf = grouped(stock);
  const line = (/** @type {typeof attacks[number]} */ { name, sentence }) => {
    const of = byAttack.get(name) ?? [];
    const side = (/** @type {boolean} */ on, /** @type {readonly string[]} */ which) =>
      which
        .map((door) =>
          cellMarkup(
            of.filter((cell) => cell.entry === door && ec2.has(cell.host) === on),
            WORDS,
          ),
        )
        .join("");
    return `<tr><th scope=row><code>${escape(name)}</code><span>${escape(sentence)}</span></th>${cellMarkup(stockOf.get(name) ?? [], STOCK_WORDS)}${side(false, [...doors, "probe"])}${side(true, doors)}</tr>`;
  };
  const sections = KINDS.map((kind) => {
    const of = attacks.filter((attack) => attack.kind === kind);
    const taken = stock.filter((cell) => cell.kind === kind && isLeak(cell)).length;
    return `<tbody id=${kind}><tr class=kind><th colspan=${3 + 2 * doors.length}>${kind}: ${of.length} attacks; the stock SDK handed over credentials ${taken} times</th></tr>${of.map(line).join("\n")}</tbody>`;
  });
  const genuine = cells.filter(({ kind }) => kind === "genuine");
  const head = doors.map((door) => `<th scope=col>${door}</th>`).join("");
  const hosts = about.hosts
    .map((/** @type {any} */ host) => `<li><code>${host.name}</code> ${escape(host.sentence)}</li>`)
    .join("");
  const legend = about.entries
    .map((/** @type {any} */ entry) => `<li><code>${entry.name}</code> ${escape(entry.sentence)}</li>`)
    .join("");
  const result = goals
    .map(
      ({ what, value, met, of }) =>
        `<tr><td class=${met ? "refused" : "credentials"}>${met ? "met" : "MISSED"}</td><td class=number>${value}</td><td class=number>${of}</td><td>${escape(what)}</td></tr>`,
    )
    .join("");
  return `<!doctype html>
<html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width"><title>imds-guard under attack</title>
<style>
:root { color-scheme: light dark; --ink: light-dark(#1b1f24, #dfe3e8); --paper: light-dark(#fff, #14171b); --rule: light-dark(#d5dae0, #333a42); --soft: light-dark(#57606a, #9aa4af);
  --good: light-dark(#dff3e4, #12301c); --good-ink: light-dark(#0b5323, #8fdca5); --own: light-dark(#e3eefc, #13263f); --own-ink: light-dark(#0b3d80, #9cc4f7);
  --bad: light-dark(#ffd9d6, #4a1613); --bad-ink: light-dark(#8a120a, #ffb1aa); --late: light-dark(#fdebc8, #3f2d08); --late-ink: light-dark(#6b4700, #f0cb7c); }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto; max-width: 110rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 1.8rem 0 .5rem; } p { max-width: 75ch; } nav a { margin-right: 1rem; color: var(--own-ink); }
code { font: .85em ui-monospace, monospace; } ul { columns: 24rem; padding-left: 1.2rem; margin: .3rem 0; } li { break-inside: avoid; }
.wide { overflow: auto; max-height: 92vh; } table { border-collapse: collapse; } td, th { border: 1px solid var(--rule); padding: .2rem .45rem; text-align: left; vertical-align: top; }
.matrix td { font-size: .78rem; white-space: nowrap; text-align: center; cursor: help; } .matrix th[scope=col] { font-size: .8rem; } .number { text-align: right; font-variant-numeric: tabular-nums; }
.matrix th[scope=row] { font-weight: normal; min-width: 19rem; max-width: 26rem; } .matrix th span { display: block; color: var(--soft); font-size: .82rem; }
tr.kind th { background: var(--rule); text-align: left; font-size: .95rem; } thead { position: sticky; top: 0; } thead th { background: var(--paper); }
#detail { position: fixed; inset: auto 0 0; margin: 0; padding: .7rem 1rem; background: var(--paper); border-top: 2px solid var(--own-ink); font: .82rem/1.5 ui-monospace, monospace; white-space: pre-wrap; max-height: 40vh; overflow: auto; }
#detail:empty { display: none; }
.refused { background: var(--good); color: var(--good-ink); } .rightful { background: var(--own); color: var(--own-ink); } .none { color: var(--soft); }
.credentials, .region, .metadata { background: var(--bad); color: var(--bad-ink); font-weight: 700; } .conceded { color: var(--soft); } .hang, .memory, .odd { background: var(--late); color: var(--late-ink); font-weight: 700; }
</style>
<h1>imds-guard under attack</h1>
<p>${about.attacks} attacks, ${about.hosts.length} kinds of hosts, ${about.entries.length} doors: ${about.cells} cells, ${about.form} form, ${about.seconds} s.
Node.js ${about.node}, ${escape(about.platform)}, ${about.cores} x ${escape(about.cpu)}, load ${about.load}.</p>
<h2>Goals</h2>
<table><thead><tr><th></th><th>missed</th><th>of</th><th>goal: none</th></tr></thead>${result}</table>
<h2>How to read it</h2>
<p>A cell stands for all hosts of its side; point at it, or choose it, for codes, events, time and memory. <b class=refused>refused</b>: an error with advice, and an event.
<b class=rightful>own</b>: nothing but what belongs to the instance itself, and is proved. <b class=credentials>TAKEN</b>: a stranger's credentials reached the application.
conceded: the victim's settings ask for no proof there.
The stock SDK, which does not look at the host, is asked once for each attack; <b class=refused>error</b> there is any error, <b class=hang>HANG</b> no end within a second,
<b class=memory>MEMORY</b> more than 64 MiB by then. Genuine hosts: ${genuine.filter(({ status }) => status === "rightful").length} of ${genuine.length} served.</p>
<h3>Doors</h3><ul>${legend}<li><code>probe</code> the chain again, with the one secret-free probe in the background</li></ul>
<h3>Hosts</h3><ul>${hosts}</ul>
<h2>Matrix</h2>
<nav>${KINDS.map((kind) => `<a href="#${kind}">${kind}</a>`).join("")}</nav>
<div class=wide><table class=matrix><thead><tr><th rowspan=2>attack</th><th rowspan=2>stock SDK</th><th colspan=${doors.length + 1}>off EC2</th><th colspan=${doors.length}>on EC2</th></tr>
<tr>${head}<th scope=col>probe</th>${head}</tr></thead>
${sections.join("\n")}
</table></div>
<pre id=detail role=status></pre>
<script>
document.querySelector(".matrix").addEventListener("click", ({ target }) => {
  const cell = target.closest("td[title]");
  document.getElementById("detail").textContent = cell === null ? "" : cell.closest("tr").querySelector("code").textContent + "\\n" + cell.title;
});
</script></html>
`;
}

/** @param {readonly Cell[]} cells @returns {Map<string, Cell[]>} */
function grouped(cells) {
  const groups = new Map();
  for (const cell of cells) (groups.get(cell.attack) ?? groups.set(cell.attack, []).get(cell.attack)).push(cell);
  return groups;
}
