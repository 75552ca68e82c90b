/** Counts what a scan finds, in bounded memory. */
import type { FormatName } from "./log-formats.js";
import type { ScanFinding } from "./scan-finding.js";
import { LEVELS } from "./sigma-rule.js";
import type { Level } from "./sigma-rule.js";

/** A line that names a metadata service and that no rule judged. */
export interface Unjudged {
  readonly source: string;
  /** Line on which it begins, from 1. */
  readonly line: number;
  /** The part that names it, as it stood after decoding. */
  readonly found: string;
  /** The line, without secrets, cut after 512 characters. */
  readonly text: string;
}

/** One source after it was read. */
export interface SourceSummary {
  readonly name: string;
  /** That of most records read. Absent where no line that was read is of a known format. */
  readonly format?: FormatName;
  readonly lines: number;
  /** After decompression. */
  readonly bytes: number;
  /** Lines that had to be read and were broken, or not of the format that was named. */
  readonly malformed: number;
  /** Lines that name a metadata service and that no rule judged. */
  readonly unjudged: number;
  /** Lines or records over the limit of length, which were passed over. */
  readonly oversized: number;
  readonly findings: number;
  /** Why the source could not be read, or not to its end. */
  readonly failure?: { readonly code: string; readonly message: string; readonly advice: string };
}

/** How many findings a thing has. */
export interface Tally {
  readonly name: string;
  readonly count: number;
}

/** Findings of one rule by the same one who asked for the same thing. */
export interface FindingGroup {
  readonly rule: ScanFinding["rule"];
  readonly who: ScanFinding["who"];
  readonly what: ScanFinding["what"];
  /** Of the first of them that was answered, else of the first. */
  readonly answer: ScanFinding["answer"];
  readonly count: number;
  /** How many of them the log shows to have been answered, and not. */
  readonly answered: number;
  readonly unanswered: number;
  /** Times of the first and the last, ISO 8601 in UTC, where they are known. */
  readonly first?: string;
  readonly last?: string;
  /** Where the first of them stands. */
  readonly source: string;
  readonly line: number;
  /** For a foreign account, what tells it. */
  readonly account?: string;
  readonly form?: string;
}

/** Findings by their time, in slices of equal length. */
export interface Timeline {
  /** Length of a slice, seconds. */
  readonly seconds: number;
  /** Slices with findings, in the order of time; start in ISO 8601, findings by level. */
  readonly slices: readonly { readonly start: string; readonly levels: Partial<Record<Level, number>> }[];
  /** Findings whose time is not known. */
  readonly untimed: number;
}

/** What a scan came to. */
export interface ScanSummary {
  readonly lines: number;
  readonly bytes: number;
  readonly malformed: number;
  readonly unjudged: number;
  readonly oversized: number;
  readonly findings: number;
  /** The first lines that no rule judged, ten for each source and a hundred in all. */
  readonly unjudgedLines: readonly Unjudged[];
  /** Highest level among the findings. */
  readonly highest?: Level;
  /** Most findings first. */
  readonly byRule: readonly (Tally & { readonly id: string; readonly level: Level })[];
  /** Addresses that asked; most findings first. */
  readonly bySource: readonly Tally[];
  /** Addresses that were asked; most findings first. */
  readonly byDestination: readonly Tally[];
  /** Findings whose address is in neither list above, because there were too many different ones. */
  readonly uncounted: { readonly bySource: number; readonly byDestination: number };
  /** Findings that are alike but for their time: highest level first, then most of them. The first thousand. */
  readonly groups: readonly FindingGroup[];
  /** Findings that are in no group, because there were too many different ones. */
  readonly ungrouped: number;
  readonly timeline: Timeline;
  /** Times of the first and the last finding, ISO 8601. */
  readonly first?: string;
  readonly last?: string;
  /** Matches that correlations could not place, and groups that they forgot to stay within their memory. */
  readonly correlation: { readonly unplaced: number; readonly forgotten: number };
  readonly sources: readonly SourceSummary[];
}

/** Different addresses that are counted. */
const MOST_NAMES = 10_000;

/** Groups that are kept while counting, and handed on. */
const MOST_GROUPS = 10_000;
const SHOWN_GROUPS = 1_000;
/** Slices that a timeline has at most. */
const MOST_SLICES = 96;

type Counted = { -readonly [Name in keyof FindingGroup]: FindingGroup[Name] };

/** Puts findings together that are alike. */
class Groups {
  ungrouped = 0;
  readonly #groups = new Map<string, Counted>();

  add({ rule, who, what, answer, time, source, line, account, form }: ScanFinding): void {
    const url = what.url?.replace(/[?#].*$/s, "");
    const key = JSON.stringify([
      [rule.id, rule.level, account, form],
      [who.address, who.user, who.process, who.pod, who.arn, who.address === undefined ? who.host : undefined],
      [what.to, what.method, url, what.command, what.query, what.call],
    ]);
    const group = this.#groups.get(key);
    if (group === undefined) {
      if (this.#groups.size >= MOST_GROUPS) {
        this.ungrouped++;
        return;
      }
      this.#groups.set(key, {
        ...{ rule, who, what, answer, count: 1, source, line },
        answered: answer.answered === true ? 1 : 0,
        unanswered: answer.answered === false ? 1 : 0,
        ...(time !== undefined && { first: time, last: time }),
        ...(account !== undefined && { account }),
        ...(form !== undefined && { form }),
      });
      return;
    }
    group.count++;
    if (answer.answered === true && group.answered++ === 0) group.answer = answer;
    if (answer.answered === false) group.unanswered++;
    if (time === undefined) return;
    if (group.first === undefined || time < group.first) group.first = time;
    if (group.last === undefined || time > group.last) group.last = time;
  }

  list(): Pick<ScanSummary, "groups" | "ungrouped"> {
    const all = [...this.#groups.values()].sort(
      (a, b) => LEVELS.indexOf(b.rule.level) - LEVELS.indexOf(a.rule.level) || b.count - a.count,
    );
    const left = all.slice(SHOWN_GROUPS).reduce((sum, { count }) => sum + count, 0);
    return { groups: all.slice(0, SHOWN_GROUPS), ungrouped: this.ungrouped + left };
  }
}

/** Counts by time in slices that grow with the span, so that there are never many. */
class Slices {
  #seconds = 60;
  #untimed = 0;
  #slices = new Map<number, Partial<Record<Level, number>>>();

  add({ time, rule }: ScanFinding): void {
    const at = time === undefined ? Number.NaN : Date.parse(time) / 1_000;
    if (Number.isNaN(at)) {
      this.#untimed++;
      return;
    }
    const slice = this.#sliceAt(Math.floor(at / this.#seconds));
    slice[rule.level] = (slice[rule.level] ?? 0) + 1;
    while (this.#slices.size > 1 && this.#span() > MOST_SLICES) this.#coarsen();
  }

  #sliceAt(index: number): Partial<Record<Level, number>> {
    const slice = this.#slices.get(index) ?? {};
    this.#slices.set(index, slice);
    return slice;
  }

  #span(): number {
    let least = Infinity;
    let most = -Infinity;
    for (const index of this.#slices.keys()) {
      least = Math.min(least, index);
      most = Math.max(most, index);
    }
    return most - least + 1;
  }

  #coarsen(): void {
    const finer = this.#slices;
    this.#slices = new Map();
    this.#seconds *= 2;
    for (const [index, levels] of finer) {
      const slice = this.#sliceAt(Math.floor(index / 2));
      for (const [level, count] of Object.entries(levels) as [Level, number][])
        slice[level] = (slice[level] ?? 0) + count;
    }
  }

  timeline(): Timeline {
    const slices = [...this.#slices]
      .sort(([a], [b]) => a - b)
      .map(([index, levels]) => ({ start: new Date(index * this.#seconds * 1_000).toISOString(), levels }));
    return { seconds: this.#seconds, slices, untimed: this.#untimed };
  }
}

/** Counts findings. */
export class FindingCounter {
  total = 0;
  first: string | undefined;
  last: string | undefined;
  readonly #rules = new Map<string, { name: string; id: string; level: Level; count: number }>();
  readonly #from = new BoundedTally();
  readonly #to = new BoundedTally();
  readonly #groups = new Groups();
  readonly #slices = new Slices();

  add(finding: ScanFinding): void {
    const { rule, time, from, to } = finding;
    this.total++;
    this.#groups.add(finding);
    this.#slices.add(finding);
    // A judge may give the same rule several levels.
    const key = `${rule.id} ${rule.level}`;
    const entry = this.#rules.get(key) ?? { name: rule.title, id: rule.id, level: rule.level, count: 0 };
    entry.count++;
    this.#rules.set(key, entry);
    if (from !== undefined) this.#from.add(from);
    if (to !== undefined) this.#to.add(to);
    // ISO 8601 of four-digit years orders as text.
    if (time !== undefined && (this.first === undefined || time < this.first)) this.first = time;
    if (time !== undefined && (this.last === undefined || time > this.last)) this.last = time;
  }

  together(): Pick<ScanSummary, "groups" | "ungrouped" | "timeline"> {
    return { ...this.#groups.list(), timeline: this.#slices.timeline() };
  }

  rules(): ScanSummary["byRule"] {
    return [...this.#rules.values()].sort(byCount);
  }

  addresses(): Pick<ScanSummary, "bySource" | "byDestination" | "uncounted"> {
    return {
      bySource: this.#from.entries(),
      byDestination: this.#to.entries(),
      uncounted: { bySource: this.#from.uncounted, byDestination: this.#to.uncounted },
    };
  }
}

class BoundedTally {
  uncounted = 0;
  readonly #counts = new Map<string, number>();

  add(name: string): void {
    const count = this.#counts.get(name);
    if (count === undefined && this.#counts.size >= MOST_NAMES) this.uncounted++;
    else this.#counts.set(name, (count ?? 0) + 1);
  }

  entries(): readonly Tally[] {
    return [...this.#counts].map(([name, count]) => ({ name, count })).sort(byCount);
  }
}

function byCount(a: Tally, b: Tally): number {
  return b.count - a.count || (a.name < b.name ? -1 : 1);
}
