/** Who asks for what: the access log as a table, IMDSv1 first. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { AccessRecord } from "./access-log.js";
import { ROTATE_KEEP } from "./access-log.js";

/** One program of one user. */
export interface ReportRow {
  readonly program: string;
  readonly user: string;
  readonly unit: string;
  readonly v1: number;
  readonly v2: number;
  readonly denied: number;
  /** The first few, the shorter first; "and N more" is the caller's to say. */
  readonly paths: readonly string[];
  readonly morePaths: number;
  readonly last: string;
}

/** What a log comes to. */
export interface Report {
  readonly rows: readonly ReportRow[];
  readonly requests: number;
  /** Lines that are none of an access log in our own format. */
  readonly notUnderstood: number;
  /** Requests of programs beyond those that are told apart. */
  readonly notTold: number;
}

const MAX_ROWS = 1_000;
const MAX_PATHS = 16;
const MAX_LINE = 8 * 1024;

interface Tally {
  v1: number;
  v2: number;
  denied: number;
  last: string;
  morePaths: number;
  readonly paths: Set<string>;
  readonly record: AccessRecord;
}

/** Reads a log and what was rotated of it, the oldest first. @throws the system's error where `path` cannot be read */
export async function reportOf(path: string): Promise<Report> {
  const tallies = new Map<string, Tally>();
  let requests = 0;
  let notUnderstood = 0;
  let notTold = 0;
  for (let index = ROTATE_KEEP; index >= 0; index -= 1) {
    try {
      const input = createReadStream(index === 0 ? path : `${path}.${index}`, "utf8");
      for await (const line of createInterface({ input, crlfDelay: Infinity })) {
        if (line === "") continue;
        const record = read(line);
        if (record === undefined) notUnderstood += 1;
        else {
          requests += 1;
          if (!count(tallies, record)) notTold += 1;
        }
      }
    } catch (error) {
      if (index === 0 || (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  const rows = [...tallies.values()].map(rowOf);
  rows.sort((a, b) => b.v1 - a.v1 || b.v2 - a.v2 || a.program.localeCompare(b.program));
  return { rows, requests, notUnderstood, notTold };
}

function read(line: string): AccessRecord | undefined {
  if (line.length > MAX_LINE) return undefined;
  try {
    const record = JSON.parse(line) as AccessRecord | null;
    const understood =
      typeof record?.path === "string" &&
      typeof record.time === "string" &&
      (record.version === 1 || record.version === 2);
    return understood ? record : undefined;
  } catch {
    return undefined;
  }
}

function count(tallies: Map<string, Tally>, record: AccessRecord): boolean {
  const key = JSON.stringify([record.program, record.user, record.uid, record.unit, record.bridge && record.address]);
  let tally = tallies.get(key);
  if (tally === undefined) {
    if (tallies.size >= MAX_ROWS) return false;
    tally = { v1: 0, v2: 0, denied: 0, last: "", morePaths: 0, paths: new Set(), record };
    tallies.set(key, tally);
  }
  if (record.version === 1) tally.v1 += 1;
  else tally.v2 += 1;
  if (record.outcome === "denied" || record.outcome === "refused") tally.denied += 1;
  if (record.time > tally.last) tally.last = record.time;
  if (!tally.paths.has(record.path)) {
    if (tally.paths.size < MAX_PATHS) tally.paths.add(record.path);
    else tally.morePaths += 1;
  }
  return true;
}

function rowOf({ record, paths, ...counts }: Tally): ReportRow {
  const { program, user, uid, unit, container, bridge, address } = record;
  return {
    program: program ?? "unknown",
    user: bridge === undefined ? (user ?? uid?.toString() ?? "unknown") : `${address} on ${bridge}`,
    unit: unit ?? container?.slice(0, 12) ?? "",
    ...counts,
    paths: [...paths].sort((a, b) => a.length - b.length),
  };
}
