/**
 * Which program still uses version 1: access logs and reports of the gateway, traces of AWS' aws-imds-packet-analyzer,
 * and CloudTrail's field ec2RoleDelivery. Read as streams, plain, gzip or Zstandard, whatever shipped them.
 */
import { basename } from "node:path";
import { createSplitter } from "../detection/log-lines.js";
import { decompressed, openLog } from "../detection/log-stream.js";
import { boundText, maskArguments } from "../base/text.js";
import { listIn, numberIn, objectIn, textIn } from "./answers.js";

/** A program, as far as the evidence names it. */
export interface EvidenceProgram {
  readonly program: string;
  readonly calls: number;
  /** ISO 8601. */
  readonly last?: string | undefined;
  /** What says so. */
  readonly source: EvidenceSource;
}

/** Kinds of evidence. */
export type EvidenceSource = "gateway" | "packet-analyzer" | "cloudtrail";

/** Calls of version 1 of one instance within the days. */
export interface InstanceEvidence {
  readonly calls: number;
  readonly last?: string | undefined;
  /** Those with the most calls. */
  readonly programs: readonly EvidenceProgram[];
}

/** What one file came to. */
export interface EvidenceFile {
  readonly file: string;
  /** Records of version 1, within the days. */
  readonly calls: number;
  /** Records of version 2, or older than the days. */
  readonly others: number;
  /** Lines that are no evidence of a known kind, or too long. */
  readonly notUnderstood: number;
  /** Calls of which nothing says on which instance they were: see `--evidence INSTANCE=FILE`. */
  readonly withoutInstance: number;
  readonly failure?: string | undefined;
}

/** All evidence that was given. */
export interface Evidence {
  readonly of: (instanceId: string) => InstanceEvidence | undefined;
  readonly files: readonly EvidenceFile[];
  /** Programs of which nothing says on which instance they run. */
  readonly unplaced: InstanceEvidence | undefined;
}

interface Tally {
  calls: number;
  last: number;
  readonly programs: Map<string, { calls: number; last: number; readonly source: EvidenceSource }>;
}

interface Call {
  readonly version: 1 | 2;
  readonly count: number;
  readonly program: string;
  readonly source: EvidenceSource;
  /** Milliseconds since the epoch. */
  readonly time?: number | undefined;
  readonly instanceId?: string | undefined;
}

const INSTANCE_ID = /\bi-(?:[0-9a-f]{17}|[0-9a-f]{8})\b/;
const MAX_LINE_BYTES = 1024 * 1024;
/** Instances, and programs of each, that are told apart. */
const MAX_INSTANCES = 100_000;
const MAX_PROGRAMS = 50;
const SHOWN_PROGRAMS = 10;
const DEEPEST = 6;

/**
 * Reads evidence. A word may be `FILE`, or `INSTANCE=FILE` where nothing in the file says of which instance it is. A
 * file that cannot be read is told in `files` and does not end the rest.
 *
 * @param since milliseconds since the epoch: what is older counts no more
 */
export async function readEvidence(words: readonly string[], since: number): Promise<Evidence> {
  const tallies = new Map<string, Tally>();
  const files: EvidenceFile[] = [];
  for (const word of words) {
    const [, given, path] = /^(i-[0-9a-f]+)=(.+)$/s.exec(word) ?? [undefined, undefined, word];
    files.push(
      await readFile(path as string, given ?? INSTANCE_ID.exec(basename(path as string))?.[0], since, tallies),
    );
  }
  return {
    of: (instanceId) => shownOf(tallies.get(instanceId)),
    files,
    unplaced: shownOf(tallies.get("")),
  };
}

async function readFile(
  path: string,
  instanceId: string | undefined,
  since: number,
  tallies: Map<string, Tally>,
): Promise<EvidenceFile> {
  let calls = 0;
  let others = 0;
  let notUnderstood = 0;
  let withoutInstance = 0;
  const splitter = createSplitter(MAX_LINE_BYTES, (buffer, from, to) => {
    const text = buffer.toString("utf8", from, to).trim();
    if (text === "") return;
    const found = callsIn(text);
    if (found === undefined) notUnderstood += 1;
    for (const call of found ?? []) {
      if (call.version === 2 || (call.time !== undefined && call.time < since)) {
        others += 1;
        continue;
      }
      calls += call.count;
      const id = call.instanceId ?? instanceId ?? "";
      if (id === "") withoutInstance += call.count;
      add(tallies, id, call);
    }
  });
  let failure: string | undefined;
  try {
    for await (const chunk of decompressed(openLog(path))) splitter.write(chunk);
    splitter.end();
  } catch (error) {
    failure = (error as Error).message;
  }
  notUnderstood += splitter.oversized();
  return { file: path, calls, others, notUnderstood, withoutInstance, failure };
}

function add(tallies: Map<string, Tally>, id: string, { count, program, source, time = -Infinity }: Call): void {
  let tally = tallies.get(id);
  if (tally === undefined) {
    if (tallies.size >= MAX_INSTANCES) return;
    tallies.set(id, (tally = { calls: 0, last: -Infinity, programs: new Map() }));
  }
  tally.calls += count;
  tally.last = Math.max(tally.last, time);
  const key = JSON.stringify([source, program]);
  const known = tally.programs.get(key);
  if (known !== undefined) {
    known.calls += count;
    known.last = Math.max(known.last, time);
  } else if (tally.programs.size < MAX_PROGRAMS) tally.programs.set(key, { calls: count, last: time, source });
}

function shownOf(tally: Tally | undefined): InstanceEvidence | undefined {
  if (tally === undefined) return undefined;
  const programs = [...tally.programs]
    .map(([key, { calls, last, source }]): EvidenceProgram => {
      const [, program] = JSON.parse(key) as [string, string];
      return { program, calls, last: isoOf(last), source };
    })
    .sort((a, b) => b.calls - a.calls)
    .slice(0, SHOWN_PROGRAMS);
  return { calls: tally.calls, last: isoOf(tally.last), programs };
}

function isoOf(time: number): string | undefined {
  return Number.isFinite(time) ? new Date(time).toISOString() : undefined;
}

/** Calls that a line or a record tells of; undefined where it is no evidence of a known kind. */
export function callsIn(text: string): readonly Call[] | undefined {
  if (text[0] === "{" || text[0] === "[") {
    const value = parsed(text);
    if (value !== undefined) return callsInValue(value, undefined, 0);
  }
  return callsInTrace(text);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function callsInValue(value: unknown, outside: string | undefined, depth: number): readonly Call[] | undefined {
  if (depth > DEEPEST || typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value)) {
    const found = value.map((each) => callsInValue(each, outside, depth + 1));
    return found.some((each) => each !== undefined) ? found.flatMap((each) => each ?? []) : undefined;
  }
  const instanceId = instanceIn(value) ?? outside;
  const own = callInTrail(value, instanceId) ?? callInAccessLog(value, instanceId) ?? callsInReport(value, instanceId);
  if (own !== undefined) return own;
  // Envelopes: CloudTrail's Records and LookupEvents, CloudWatch Logs, and what log shippers put around a line.
  for (const name of ["Records", "Events", "events", "logEvents", "rows"]) {
    const inner = listIn(value, name);
    if (inner.length > 0) return callsInValue(inner, instanceId, depth + 1);
  }
  for (const name of ["detail", "report"]) {
    const inner = objectIn(value, name);
    if (inner !== undefined) return callsInValue(inner, instanceId, depth + 1);
  }
  for (const name of ["CloudTrailEvent", "message", "MESSAGE", "log", "@message", "line"]) {
    const inner = textIn(value, name)?.trim();
    if (inner === undefined) continue;
    const nested = inner.startsWith("{") ? callsInValue(parsed(inner), instanceId, depth + 1) : callsInTrace(inner);
    if (nested !== undefined) return nested.map((call) => ({ ...call, instanceId: call.instanceId ?? instanceId }));
  }
  return undefined;
}

/** The instance that wrote a line, by the fields of shippers and of ECS. */
function instanceIn(value: object): string | undefined {
  const candidates = [
    textIn(value, "instanceId"),
    textIn(value, "instance_id"),
    textIn(value, "ec2_instance_id"),
    textIn(objectIn(objectIn(value, "cloud"), "instance"), "id"),
    textIn(objectIn(value, "host"), "id"),
    textIn(objectIn(value, "device"), "uid"),
    textIn(value, "logStream"),
    textIn(value, "@logStream"),
    textIn(value, "host"),
    textIn(value, "hostname"),
  ];
  for (const candidate of candidates) {
    const id = INSTANCE_ID.exec(candidate ?? "")?.[0];
    if (id !== undefined) return id;
  }
  return undefined;
}

/** CloudTrail: credentials that version 1 gave out. The name of an instance's session is its id. */
function callInTrail(value: object, outside: string | undefined): readonly Call[] | undefined {
  const identity = objectIn(value, "userIdentity");
  if (identity === undefined || textIn(value, "eventTime") === undefined) return undefined;
  const context = objectIn(identity, "sessionContext");
  const delivery = textIn(context, "ec2RoleDelivery") ?? numberIn(context, "ec2RoleDelivery")?.toString();
  const session = textIn(identity, "principalId")?.split(":").at(-1) ?? textIn(identity, "arn")?.split("/").at(-1);
  return [
    {
      // An event without the field is nobody's use of version 1.
      version: delivery !== undefined && Number(delivery) < 2 ? 1 : 2,
      count: 1,
      program: boundText(textIn(value, "userAgent") ?? "unknown", 200),
      source: "cloudtrail",
      time: timeOf(textIn(value, "eventTime")),
      instanceId: INSTANCE_ID.exec(session ?? "")?.[0] ?? outside,
    },
  ];
}

/** A line of the gateway's access log: in its own form, ECS or OCSF. */
function callInAccessLog(value: object, instanceId: string | undefined): readonly Call[] | undefined {
  const version = numberIn(value, "version");
  const made = (v: unknown, program: unknown, time: unknown): readonly Call[] => [
    {
      version: v === 1 ? 1 : 2,
      count: 1,
      program: boundText(typeof program === "string" ? program : "unknown", 200),
      source: "gateway",
      time: typeof time === "number" ? time : timeOf(typeof time === "string" ? time : undefined),
      instanceId,
    },
  ];
  if ((version === 1 || version === 2) && textIn(value, "path") !== undefined && textIn(value, "time") !== undefined)
    return made(version, textIn(value, "program"), textIn(value, "time"));
  const action = /^imds-v([12])-request$/.exec(textIn(objectIn(value, "event"), "action") ?? "");
  if (action !== null)
    return made(Number(action[1]), textIn(objectIn(value, "process"), "name"), textIn(value, "@timestamp"));
  const args = /^IMDSv([12])$/.exec(textIn(objectIn(value, "http_request"), "args") ?? "");
  if (args !== null)
    return made(
      Number(args[1]),
      textIn(objectIn(objectIn(value, "actor"), "process"), "name"),
      numberIn(value, "time") ?? textIn(value, "time"),
    );
  return undefined;
}

/** A row of `gateway report --json`. */
function callsInReport(value: object, instanceId: string | undefined): readonly Call[] | undefined {
  const program = textIn(value, "program");
  const v1 = numberIn(value, "v1");
  if (program === undefined || v1 === undefined || numberIn(value, "v2") === undefined) return undefined;
  return v1 === 0
    ? [{ version: 2, count: 1, program, source: "gateway" }]
    : [
        {
          version: 1,
          count: v1,
          program: boundText(program, 200),
          source: "gateway",
          time: timeOf(textIn(value, "last")),
          instanceId,
        },
      ];
}

/** `IMDSv1(!) (pid:6028:curl argv:curl http://...) called by -> ...`, with a time in front where it is a log file. */
function callsInTrace(text: string): readonly Call[] | undefined {
  const at = /\bIMDSv(1\(!\)|2) +/.exec(text);
  if (at === null) return undefined;
  const version = at[1] === "2" ? 2 : 1;
  const [first = ""] = text.slice(at.index + at[0].length).split(/ called by -> | Req details: /, 1);
  const [, pid = "unknown", name, argv = ""] =
    /^pid:(\d+)(?::(.*?) argv:(.*))?/.exec(first.replace(/^\(/, "").replace(/\)$/, "")) ?? [];
  const program = name === undefined ? `pid ${pid}` : argv.includes(name) ? argv.trim() : `${name} ${argv}`.trim();
  const stamp = /\[?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,3}))?(Z)?\]?/.exec(text.slice(0, at.index));
  return [
    {
      version,
      count: 1,
      program: maskArguments(program.split(" "), 200),
      source: "packet-analyzer",
      // In the zone of the host, which on EC2 is UTC unless somebody changed it.
      time: stamp === null ? undefined : timeOf(`${stamp[1]}T${stamp[2]}.${stamp[3] ?? "0"}Z`),
      instanceId: INSTANCE_ID.exec(text.slice(0, at.index))?.[0],
    },
  ];
}

function timeOf(text: string | undefined): number | undefined {
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}
