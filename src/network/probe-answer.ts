/** What the bytes that came back from the probe say: judged without keeping the token they may hold. */
import { TTL_HEADER } from "../aws/imds-protocol.js";

/** What somebody's answer to the token request amounts to. Never contains the token. */
export type ProbeAnswer =
  /** 200 with a token: this speaks IMDSv2. */
  | { readonly kind: "imdsv2"; readonly status: 200; readonly tokenLength: number; readonly server?: string }
  /** Another HTTP answer, such as that of another cloud's metadata service, named in `cloud` where headers tell. */
  | { readonly kind: "http"; readonly status: number; readonly server?: string; readonly cloud?: "gcp" | "azure" }
  /** Somebody took the connection but did not answer in HTTP. */
  | { readonly kind: "answers"; readonly detail: string };

/** Bytes of the answer that are looked at; an IMDS token with its headers takes about 300. */
export const MAX_ANSWER_BYTES = 8 * 1024;

const NO_HTTP: ProbeAnswer = { kind: "answers", detail: "sent something that is not HTTP" };

/**
 * Judges what has arrived so far, given as latin1 text, of which only the first {@link MAX_ANSWER_BYTES} count.
 * `undefined` asks for more and comes only while `ended` is false. Line ends may be bare LF: some client accepts them.
 */
export function readProbeAnswer(received: string, ended: boolean): ProbeAnswer | undefined {
  const text = received.slice(0, MAX_ANSWER_BYTES);
  const last = ended || received.length >= MAX_ANSWER_BYTES;
  if (text === "") return last ? { kind: "answers", detail: "took the connection and sent nothing" } : undefined;
  if (!startsAsHttp(text)) return NO_HTTP;
  const head = readHead(text);
  if (head === undefined) return last ? { kind: "answers", detail: "sent an unfinished HTTP head" } : undefined;
  if (head.status === undefined) return NO_HTTP;
  // An interim answer announces the real one.
  if (head.status >= 100 && head.status < 200 && head.status !== 101) return readProbeAnswer(head.rest, ended || last);
  const server = serverName(head.headers);
  const cloud = cloudOf(head.headers);
  const other: ProbeAnswer = { kind: "http", status: head.status, ...(server && { server }), ...(cloud && { cloud }) };
  if (head.status !== 200) return other;
  const body = readBody(head.rest, head.headers, last);
  if (body === undefined) return undefined;
  const token = body.trimEnd();
  if (!looksLikeToken(token, head.headers.has(TTL_HEADER))) return other;
  // The name is the responder's choice, and it may choose to repeat the token there.
  const named = server !== undefined && !server.includes(token) ? { server } : {};
  return { kind: "imdsv2", status: 200, tokenLength: token.length, ...named };
}

const MAX_SERVER_LENGTH = 64;

interface Head {
  /** Undefined if the first line is no status line. */
  readonly status: number | undefined;
  /** Lower-case names; the first of several equal ones. */
  readonly headers: ReadonlyMap<string, string>;
  readonly rest: string;
}

/** Whether the text is, or may still become, an HTTP/1 status line. */
function startsAsHttp(text: string): boolean {
  return text.startsWith("HTTP/1.") || "HTTP/1.".startsWith(text);
}

function readHead(text: string): Head | undefined {
  const end = /\r?\n\r?\n/.exec(text);
  if (end === null) return undefined;
  const [first = "", ...lines] = text.slice(0, end.index).split(/\r?\n/);
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |$)/.exec(first)?.[1];
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(0, colon)).trim().toLowerCase();
    if (name !== "" && !headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  return {
    status: status === undefined ? undefined : Number(status),
    headers,
    rest: text.slice(end.index + end[0].length),
  };
}

/** The body as far as it matters; undefined while it is unfinished and more may come. */
function readBody(rest: string, headers: ReadonlyMap<string, string>, last: boolean): string | undefined {
  if (/\bchunked$/i.test(headers.get("transfer-encoding") ?? "")) {
    const { body, finished } = readChunks(rest);
    return finished || last ? body : undefined;
  }
  const length = headers.get("content-length");
  if (length !== undefined && /^\d{1,9}$/.test(length) && rest.length >= Number(length))
    return rest.slice(0, Number(length));
  return last ? rest : undefined;
}

function readChunks(rest: string): { body: string; finished: boolean } {
  let body = "";
  let at = 0;
  for (;;) {
    const line = /^([0-9a-f]{1,8})[ \t]*(?:;[^\n]*)?\r?\n/i.exec(rest.slice(at));
    if (line === null) return { body, finished: false };
    const size = Number.parseInt(line[1]!, 16);
    if (size === 0) return { body, finished: true };
    at += line[0].length;
    body += rest.slice(at, at + size);
    at += size;
    if (at >= rest.length) return { body, finished: false };
    at += /^\r?\n/.exec(rest.slice(at, at + 2))?.[0].length ?? 0;
  }
}

/**
 * With the TTL header, any word a client could send back counts. Without it the word must be long and of the characters
 * that tokens are encoded with, so that a captive portal's `{"status":"ok"}` is not taken for one.
 */
function looksLikeToken(token: string, hasTtl: boolean): boolean {
  return hasTtl ? /^[\x21-\x7e]{1,1024}$/.test(token) : /^[\w+/=.~-]{16,1024}$/.test(token);
}

function serverName(headers: ReadonlyMap<string, string>): string | undefined {
  const printable = headers
    .get("server")
    ?.replace(/[^\x20-\x7e]/g, "?")
    .slice(0, MAX_SERVER_LENGTH);
  return printable === "" ? undefined : printable;
}

/** Only a hint that spares a false alarm: whoever sends a token is reported whatever its headers claim. */
function cloudOf(headers: ReadonlyMap<string, string>): "gcp" | "azure" | undefined {
  const server = headers.get("server") ?? "";
  if (headers.get("metadata-flavor") === "Google" || server === "Metadata Server for VM") return "gcp";
  return /^(?:IMDS|Microsoft-IIS)\//.test(server) ? "azure" : undefined;
}
