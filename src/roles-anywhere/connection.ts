/**
 * One HTTPS exchange with a service of AWS: TLS always verified, no redirect followed, a cap on everything, one
 * deadline; through the proxy of the environment where there is one.
 */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { SecureContext } from "node:tls";
import { detachInherited, requestOptions, tcpOptions } from "../base/connection-options.js";
import { printable } from "../base/text.js";
import { certificateError } from "./certificate.js";

/** What is sent, and how. */
export interface Exchange {
  /** Scheme, host and port. Plain HTTP is for loopback alone, which the settings see to. */
  readonly url: URL;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Milliseconds for everything. */
  readonly timeoutMs: number;
  /** PEM; default: the authorities of Node.js, with NODE_EXTRA_CA_CERTS. */
  readonly ca?: string | undefined;
  /** Proxy that is asked to connect; default: none. */
  readonly proxy?: URL | undefined;
  /** Certificate and key of this end (mutual TLS), PEM. */
  readonly client?: { readonly cert: string; readonly key: string } | undefined;
}

/** What was answered; any status. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** Why there is no answer. `reason` completes "because"; `mayPass` tells a broken wire from a broken answer. */
export class NoAnswer extends Error {
  readonly mayPass: boolean;
  constructor(reason: string, mayPass: boolean, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause });
    this.name = "NoAnswer";
    this.mayPass = mayPass;
  }
}

/** Largest answer, in bytes; genuine ones are about 2 KiB. */
export const MAX_ANSWER = 64 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;

/**
 * Sends and reads the whole answer.
 * @throws NoAnswer
 * @throws RolesAnywhereError `ERR_ROLES_ANYWHERE_CERTIFICATE` where OpenSSL does not take this end's for TLS
 */
export async function exchange(what: Exchange): Promise<Answer> {
  const { url, proxy } = what;
  const [{ request }, { connect }, tls] = await Promise.all([
    import("node:http"),
    import("node:net"),
    // Plain HTTP stays on this machine: there is no proxy for it, either.
    url.protocol === "https:" ? loadTls() : undefined,
  ]);
  const { host, port } = addressOf(url);
  return new Promise<Answer>((resolve, reject) => {
    const open = new Set<{ destroy: () => unknown }>();
    const finish = (outcome: () => void): void => {
      clearTimeout(timer);
      for (const one of open) one.destroy();
      outcome();
    };
    const fail = (reason: string, mayPass: boolean, cause?: unknown): void =>
      finish(() => reject(new NoAnswer(reason, mayPass, cause)));
    const broken = (error: NodeJS.ErrnoException): void => fail(reasonOf(error), true, error);
    const timer = setTimeout(() => fail(`no whole answer within ${what.timeoutMs} ms`, true), what.timeoutMs);
    const own = <One extends Socket>(socket: One): One => {
      open.add(detachInherited(socket));
      socket.on("error", broken);
      return socket;
    };
    const over = (socket: Socket): void => {
      if (tls === undefined) return send(socket);
      const encrypted = own(tls.connect(tls.tlsOptions(socket, host, context as SecureContext)));
      encrypted.once("secureConnect", () => send(encrypted));
    };
    const send = (socket: Socket): void => {
      const message = request(
        requestOptions(socket, {
          method: what.method,
          host,
          port,
          path: what.path,
          headers: {
            ...what.headers,
            ...(what.body !== undefined && { "content-length": String(Buffer.byteLength(what.body)) }),
            connection: "close",
          },
          maxHeaderSize: MAX_HEADER_BYTES,
          setHost: true,
        }),
      );
      // From here on the request has the socket, and its errors: two that destroy it would free its parser twice.
      open.clear();
      open.add(detachInherited(message));
      socket.removeListener("error", broken);
      message.on("error", (error: NodeJS.ErrnoException) =>
        /^HPE_/.test(error.code ?? "") ? fail(`no HTTP (${error.code})`, false, error) : broken(error),
      );
      message.on("upgrade", () => fail("an answer that switches protocols", false));
      message.on("response", (response) => collect(response, fail, (answer) => finish(() => resolve(answer))));
      message.end(what.body);
    };
    // The authorities are read while the connection is made.
    let context: SecureContext | undefined;
    const prepare = (): void => {
      try {
        context = tls?.createSecureContext(tls.secureContextOptions({ ca: what.ca, ...what.client }));
      } catch (error) {
        finish(() => reject(unfitForTls(error as NodeJS.ErrnoException)));
      }
    };
    if (tls === undefined || proxy === undefined) {
      const socket = own(connect(tcpOptions(host, port)));
      socket.once("connect", () => over(socket));
      prepare();
      return;
    }
    const gate = addressOf(proxy);
    const through = own(
      proxy.protocol === "https:"
        ? tls.connect({
            ...tls.tlsOptions(undefined, gate.host, tls.createSecureContext(tls.secureContextOptions({}))),
            port: gate.port,
          })
        : connect(tcpOptions(gate.host, gate.port)),
    );
    through.once(proxy.protocol === "https:" ? "secureConnect" : "connect", () => {
      const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
      const tunnel = request(
        requestOptions(through, {
          method: "CONNECT",
          host: gate.host,
          port: gate.port,
          path: authority,
          headers: { host: authority, ...proxyAuthorization(proxy) },
          maxHeaderSize: MAX_HEADER_BYTES,
          setHost: false,
        }),
      );
      detachInherited(tunnel).on("error", broken);
      // Any answer to CONNECT comes as this event; bytes behind it would be ahead of our own greeting.
      tunnel.once("connect", ({ statusCode = 0 }: IncomingMessage, socket: Socket, head: Buffer) => {
        if (statusCode !== 200) return fail(`the proxy ${printable(proxy.host)} answered ${statusCode}`, true);
        if (head.length > 0) return fail("the proxy sent data before it was asked", true);
        over(socket);
      });
      tunnel.end();
    });
    prepare();
  });
}

/** OpenSSL asks more of a certificate in TLS than where it reads one: no SHA-1, and no short keys in its chain. */
function unfitForTls(error: NodeJS.ErrnoException): Error {
  return certificateError(
    "TLS",
    `OpenSSL does not take it for TLS (${error.code ?? "unknown"})`,
    "Have it issued again, with SHA-256 or better, by an authority whose key has 2048 bits or more (EC: 256).",
    error,
  );
}

async function loadTls() {
  const [{ connect, createSecureContext }, { secureContextOptions, tlsOptions }] = await Promise.all([
    import("node:tls"),
    import("../base/tls-options.js"),
  ]);
  return { connect, createSecureContext, secureContextOptions, tlsOptions };
}

function addressOf(url: URL): { readonly host: string; readonly port: number } {
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  return { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port };
}

function proxyAuthorization({ username, password }: URL): Record<string, string> {
  if (username === "" && password === "") return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(pair).toString("base64")}` };
}

function collect(
  response: IncomingMessage,
  fail: (reason: string, mayPass: boolean, cause?: unknown) => void,
  done: (answer: Answer) => void,
): void {
  const stated = Number(response.headers["content-length"] ?? 0);
  if (stated > MAX_ANSWER) return fail(`an answer that states ${stated} bytes`, false);
  const chunks: Buffer[] = [];
  let total = 0;
  response.on("error", (error) => fail("the answer was cut short", true, error));
  response.on("data", (chunk: Buffer) => {
    total += chunk.length;
    if (total > MAX_ANSWER) return fail(`an answer of more than ${MAX_ANSWER} bytes`, false);
    chunks.push(chunk);
  });
  response.on("end", () =>
    done({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
  );
}

function reasonOf(error: NodeJS.ErrnoException): string {
  const code = error.code ?? error.name;
  // A name that resolves to several addresses fails with each of them.
  const inner = (error as { errors?: readonly NodeJS.ErrnoException[] }).errors?.[0]?.code;
  return inner === undefined || inner === code ? code : `${code} (${inner})`;
}

/**
 * The proxy for `url` as the environment has it: HTTPS_PROXY and NO_PROXY in either case, the lower one first, as curl
 * and Go read them. Plain HTTP stays on this machine and needs none.
 * @throws TypeError for a proxy that is no http or https URL; its text may hold a password and is not in the message
 */
export function proxyFor(url: URL, env: Readonly<Record<string, string | undefined>>): URL | undefined {
  if (url.protocol !== "https:") return undefined;
  const text = env["https_proxy"] || env["HTTPS_PROXY"];
  if (!text || exempted(url, env["no_proxy"] || env["NO_PROXY"] || "")) return undefined;
  let proxy: URL;
  try {
    proxy = new URL(text.includes("://") ? text : `http://${text}`);
  } catch {
    throw new TypeError("HTTPS_PROXY is no URL");
  }
  if (proxy.protocol !== "http:" && proxy.protocol !== "https:")
    throw new TypeError(`HTTPS_PROXY has the scheme ${printable(proxy.protocol)}`);
  return proxy;
}

/** Entries are names (with everything below them), addresses, either with a port, or `*`. */
function exempted(url: URL, list: string): boolean {
  const host = url.hostname.toLowerCase().replace(/^\[(.*)\]$/, "$1");
  const port = url.port === "" ? "443" : url.port;
  return list
    .split(/[\s,]+/)
    .slice(0, 256)
    .some((entry) => {
      if (entry === "") return false;
      if (entry === "*") return true;
      const [, bracketed, plain = "", wanted] =
        /^(?:\[([^\]]*)\]|([^:]*|.*:.*:.*?))(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
      const name = (bracketed ?? plain).replace(/^\*?\./, "");
      // Names have other names below them, and addresses nothing.
      const below = !/^[\d.]+$|:/.test(host) && host.endsWith(`.${name}`);
      return (wanted === undefined || wanted === port) && name !== "" && (host === name || below);
    });
}
