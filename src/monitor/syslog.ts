/** Events as RFC 5424 messages over a stream. */
import { hostname } from "node:os";
import { asciiJson, syslogField } from "../base/text.js";
import type { GuardEvent } from "../events/catalogue.js";
import type { Severity } from "../events/weights.js";

/** Where a syslog receiver listens. */
export type SyslogTarget =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** Port where none is given; the registered one for syslog over TCP is that of its TLS form, which this is not. */
export const DEFAULT_SYSLOG_PORT = 514;

/** Reads `tcp://host[:port]` or `unix:/path`; undefined for anything else. */
export function parseSyslogTarget(text: string): SyslogTarget | undefined {
  const unix = /^unix:(?:\/\/)?(\/[^\0]{1,106})$/.exec(text);
  if (unix) return { kind: "unix", path: unix[1] as string };
  const tcp = /^tcp:\/\/(?:\[([0-9a-f:.]+)\]|([A-Za-z0-9.-]{1,253}))(?::(\d{1,5}))?\/?$/i.exec(text);
  const port = tcp?.[3] === undefined ? DEFAULT_SYSLOG_PORT : Number(tcp[3]);
  const host = tcp?.[1] ?? tcp?.[2];
  return host === undefined || port < 1 || port > 65_535 ? undefined : { kind: "tcp", host, port };
}

// RFC 5424 6.2.1; facility 10 is security and authorization.
const FACILITY = 10;
const LEVEL: Readonly<Record<Severity, number>> = { critical: 2, error: 3, warning: 4, notice: 5, info: 6 };

/** One message: printable ASCII, no line break. `content` is what follows the header. */
export function syslogMessage(event: GuardEvent, content: string): string {
  const { severity, time, caller, code } = event;
  return syslogLine(LEVEL[severity], time, caller.pid, code, content);
}

/** The message that says how many events were dropped while the receiver was away. */
export function droppedMessage(time: string, pid: number, count: number): string {
  return syslogLine(LEVEL.warning, time, pid, "dropped", JSON.stringify({ dropped: count }));
}

function syslogLine(level: number, time: string, pid: number, id: string, content: string): string {
  return `<${FACILITY * 8 + level}>1 ${time} ${syslogField(hostname(), 255)} imds-guard ${pid} ${syslogField(id, 32)} - ${asciiJson(content)}`;
}

/**
 * A message as it goes over the wire (RFC 6587): behind its length over TCP; ended by a line break over a unix stream,
 * where receivers know nothing else.
 */
export function frame(message: string, kind: SyslogTarget["kind"]): Buffer {
  return Buffer.from(kind === "tcp" ? `${Buffer.byteLength(message)} ${message}` : `${message}\n`);
}
