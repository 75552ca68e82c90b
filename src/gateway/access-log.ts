/** The access log: a line of JSON for each request, in a form that SIEMs know, in files of bounded size. */
import { appendFile, rename, stat, unlink } from "node:fs/promises";
import type { EventFormat } from "../events/catalogue.js";
import type { Exchange } from "./responder.js";

/** Bytes at which a log is rotated, and how many rotated ones stay. */
export const ROTATE_BYTES = 10 * 1024 * 1024;
export const ROTATE_KEEP = 5;
/** Lines that wait for a file which cannot be written; later ones are counted as lost. */
const MAX_WAITING = 4_096;

/** A line of the log, in our own form. */
export interface AccessRecord {
  readonly time: string;
  readonly method: string;
  readonly path: string;
  readonly version: 1 | 2;
  readonly status: number;
  readonly outcome: Exchange["outcome"];
  readonly reason?: string | undefined;
  readonly user?: string | undefined;
  readonly uid?: number | undefined;
  readonly pid?: number | undefined;
  readonly program?: string | undefined;
  readonly unit?: string | undefined;
  readonly container?: string | undefined;
  readonly address: string;
  readonly bridge?: string | undefined;
}

/** An exchange as a line, `time` in milliseconds since the epoch. */
export function recordOf(
  { caller, method, path, version, status, outcome, reason }: Exchange,
  time: number,
): AccessRecord {
  const { uid, user, pid, program, unit, container, address, bridge } = caller;
  return {
    time: new Date(time).toISOString(),
    method,
    path,
    version,
    status,
    outcome,
    ...(reason !== "" && { reason }),
    user,
    uid,
    pid,
    program,
    unit,
    container,
    address,
    bridge,
  };
}

const ENCODERS: Readonly<Record<EventFormat, (record: AccessRecord) => object>> = {
  json: (record) => record,
  ecs: toEcs,
  ocsf: toOcsf,
};

/** Elastic Common Schema 8.17. */
function toEcs(record: AccessRecord): object {
  const { time, method, path, version, status, outcome, reason, user, uid, pid, program, unit, container } = record;
  return {
    "@timestamp": time,
    ecs: { version: "8.17.0" },
    event: {
      kind: "event",
      category: ["web"],
      type: ["access", outcome === "answered" ? "allowed" : "denied"],
      action: `imds-v${version}-request`,
      outcome: outcome === "answered" ? "success" : "failure",
      reason,
      dataset: "imds_guard.gateway",
    },
    http: { request: { method }, response: { status_code: status } },
    url: { path },
    source: { ip: record.address },
    destination: { ip: "169.254.169.254", port: 80 },
    user: { id: uid?.toString(), name: user },
    process: { pid, name: program },
    service: { name: unit },
    container: { id: container },
    observer: { ingress: { interface: { name: record.bridge } }, product: "imds-guard" },
  };
}

/** Open Cybersecurity Schema Framework 1.4.0, class HTTP Activity (4002). */
function toOcsf(record: AccessRecord): object {
  const { time, method, path, version, status, outcome, reason, user, uid, pid, program, container } = record;
  const METHODS: Readonly<Record<string, number>> = { GET: 3, HEAD: 4, PUT: 7 };
  const activity = Object.hasOwn(METHODS, method) ? METHODS[method]! : 99;
  const allowed = outcome === "answered";
  return {
    activity_id: activity,
    category_uid: 4,
    class_uid: 4002,
    type_uid: 400_200 + activity,
    severity_id: allowed ? 1 : 3,
    time: Date.parse(time),
    metadata: { version: "1.4.0", product: { name: "imds-guard", vendor_name: "imds-guard" } },
    action_id: allowed ? 1 : 2,
    disposition_id: allowed ? 1 : 2,
    status_id: allowed ? 1 : 2,
    status_detail: reason,
    http_request: { http_method: method, url: { path }, args: `IMDSv${version}` },
    http_response: { code: status },
    src_endpoint: { ip: record.address, interface_name: record.bridge },
    dst_endpoint: { ip: "169.254.169.254", port: 80 },
    actor: { user: { uid: uid?.toString(), name: user }, process: { pid, name: program } },
    ...(container !== undefined && { device: { type_id: 0, container: { uid: container } } }),
    unmapped: { unit: record.unit },
  };
}

/** An open log. */
export interface AccessLog {
  readonly write: (record: AccessRecord) => void;
  /** Lines that could not be written. */
  readonly lost: () => number;
  /** Writes what waits; gives up after a second. */
  close(): Promise<void>;
}

/** `onFailure` is told once for each row of failures. */
export function openAccessLog(path: string, format: EventFormat, onFailure: (code: string) => void): AccessLog {
  const encode = ENCODERS[format];
  let waiting: string[] = [];
  let lost = 0;
  let failing = false;
  let writing: Promise<void> | undefined;

  async function pump(): Promise<void> {
    while (waiting.length > 0) {
      const lines = waiting;
      waiting = [];
      try {
        await rotate(path);
        await appendFile(path, `${lines.join("\n")}\n`, { mode: 0o640 });
        failing = false;
      } catch (error) {
        if (!failing) onFailure((error as NodeJS.ErrnoException).code ?? "unknown");
        failing = true;
        // They wait for the next line, so that a disk that is full for a moment costs nothing.
        const kept = [...lines, ...waiting];
        lost += Math.max(0, kept.length - MAX_WAITING);
        waiting = kept.slice(-MAX_WAITING);
        return;
      }
    }
  }

  function start(): Promise<void> {
    writing ??= pump().finally(() => {
      writing = undefined;
    });
    return writing;
  }

  return {
    write(record) {
      if (waiting.length >= MAX_WAITING) lost += 1;
      else waiting.push(JSON.stringify(encode(record)));
      start().catch(() => undefined);
    },
    lost: () => lost,
    async close() {
      await start();
      if (waiting.length > 0) await start();
      lost += waiting.length;
      waiting = [];
    },
  };
}

async function rotate(path: string): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size < ROTATE_BYTES) return;
  await unlink(`${path}.${ROTATE_KEEP}`).catch(() => undefined);
  for (let index = ROTATE_KEEP - 1; index >= 1; index -= 1)
    await rename(`${path}.${index}`, `${path}.${index + 1}`).catch(() => undefined);
  await rename(path, `${path}.1`);
}
