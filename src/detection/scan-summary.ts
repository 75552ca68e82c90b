/** Counts what a scan finds, in bounded memory. */
import type { FormatName } from "./log-formats.js";
import type { ScanFinding } from "./scan-finding.js";
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
  /** Times of the first and the last finding, ISO 8601. */
  readonly first?: string;
  readonly last?: string;
  /** Matches that correlations could not place, and groups that they forgot to stay within their memory. */
  readonly correlation: { readonly unplaced: number; readonly forgotten: number };
  readonly sources: readonly SourceSummary[];
}

/** Different addresses that are counted. */
const MOST_NAMES = 10_000;

/** Counts findings. */
export class FindingCounter {
  total = 0;
  first: string | undefined;
  last: string | undefined;
  readonly #rules = new Map<string, { name: string; id: string; level: Level; count: number }>();
  readonly #from = new BoundedTally();
  readonly #to = new BoundedTally();

  add({ rule, time, from, to }: ScanFinding): void {
    this.total++;
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
