/**
 * Speaks IMDSv2 to programs in this process that bring a client of their own, on behalf of a guard: attested metadata,
 * and credentials where a setting says so. It listens on loopback and answers only connections that the firewall of
 * this process led there; no other program of the host gets as far as a first byte.
 */
import { MAX_TTL_SECONDS, ROLE_LIST_PATH, TOKEN_HEADER, TOKEN_PATH, TTL_HEADER } from "../aws/imds-protocol.js";
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo, Server, Socket } from "node:net";
import { createServer } from "node:net";
import { isImdsGuardError } from "../base/errors.js";
import { serviceOf } from "../firewall/classify.js";
import type { Answers } from "../firewall/redirect.js";
import type { Guard } from "../guard/guard.js";
import { roleNameOf } from "../guard/credential-state.js";

/** What {@link createMetadataAnswers} is given. */
export interface MetadataAnswersOptions {
  readonly guard: () => Promise<Pick<Guard, "credentials" | "metadata" | "whereAmI">>;
  readonly level: "metadata" | "credentials";
}

/** Connections that were led and not accepted yet; more are not waited for. */
const MAX_EXPECTED = 1_024;
const MAX_HEADER_BYTES = 8_192;
/** A connection on which nothing happens for so long is closed. */
const SILENCE_MS = 10_000;

/** Makes the answers of one firewall. The server starts with the first connection, and keeps no process alive. */
export function createMetadataAnswers({ guard, level }: MetadataAnswersOptions): Answers {
  const expected = new Map<number, () => boolean>();
  const tokens = createTokens();
  let listening: Promise<Server> | undefined;

  const accept = (socket: Socket): boolean => {
    const { remotePort = 0, remoteAddress } = socket;
    const isOurs = expected.get(remotePort);
    expected.delete(remotePort);
    return remoteAddress === "127.0.0.1" && isOurs?.() === true;
  };
  const listen = (): Promise<Server> =>
    new Promise((resolve, reject) => {
      const http = createHttpServer({ maxHeaderSize: MAX_HEADER_BYTES });
      http.timeout = SILENCE_MS;
      http.on("request", (request, response) => {
        answer(request, tokens, guard, level).then(
          (reply) => send(response, reply),
          () => send(response, { status: 500 }),
        );
      });
      const server = createServer((socket) => {
        if (!accept(socket)) return void socket.destroy();
        // The program's own end of the connection says whether the process has to live.
        http.emit("connection", socket.unref());
      });
      server.once("error", reject);
      // Of this process alone, even in a cluster.
      server.listen({ host: "127.0.0.1", port: 0, exclusive: true }, () => resolve(server.unref()));
    });

  return {
    async port() {
      try {
        const { decision } = await (await guard()).whereAmI();
        if (decision.kind === "refuse") return undefined;
        listening ??= listen();
        return ((await listening).address() as AddressInfo).port;
      } catch {
        listening = undefined;
        return undefined;
      }
    },
    expect(localPort, isOurs) {
      if (expected.size >= MAX_EXPECTED)
        for (const [port, stillOurs] of expected) if (!stillOurs()) expected.delete(port);
      if (expected.size < MAX_EXPECTED) expected.set(localPort, isOurs);
    },
  };
}

interface Reply {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

type Tokens = ReturnType<typeof createTokens>;

/** Session tokens that tell their own end, sealed with a key of this process, so that none has to be remembered. */
function createTokens() {
  const key = randomBytes(32);
  const seal = (end: string): string => createHmac("sha256", key).update(end).digest("base64url");
  return {
    issue(ttlSeconds: number): string {
      const end = Math.floor(performance.now() + ttlSeconds * 1_000).toString(36);
      return `${end}.${seal(end)}`;
    },
    isValid(token: string): boolean {
      const [, end = "", sealed = ""] = /^([0-9a-z]{1,12})\.([\w-]{43})$/.exec(token) ?? [];
      if (end === "") return false;
      const same = timingSafeEqual(Buffer.from(seal(end)), Buffer.from(sealed));
      return same && Number.parseInt(end, 36) > performance.now();
    },
  };
}

/** What only stands in a request that somebody passed on, or that is meant for the next hop alone (RFC 9110, 7.6.1). */
const PASSED_ON =
  /^(?:forwarded|via|x-forwarded-.*|x-real-ip|x-original-.*|proxy-.*|te|trailer|transfer-encoding|upgrade)$/;
const KEPT_BACK = /\/(?:user-data|identity-credentials(?:-extended)?|security-credentials-extended)(?:\/|$)/;
const ROLE_LIST = ROLE_LIST_PATH.slice(0, -1);

async function answer(
  request: IncomingMessage,
  tokens: Tokens,
  guard: MetadataAnswersOptions["guard"],
  level: MetadataAnswersOptions["level"],
): Promise<Reply> {
  const { method, headers, url = "" } = request;
  if (!url.startsWith("/")) return { status: 400 };
  if (!isMeant(request)) return { status: 403 };
  if (method === "PUT") {
    if (url !== TOKEN_PATH) return { status: 405, headers: { allow: "GET" } };
    const ttl = headers[TTL_HEADER];
    const seconds = typeof ttl === "string" && /^\d{1,5}$/.test(ttl) ? Number(ttl) : 0;
    if (seconds < 1 || seconds > MAX_TTL_SECONDS) return { status: 400 };
    return { status: 200, body: tokens.issue(seconds), headers: { [TTL_HEADER]: String(seconds) } };
  }
  if (method !== "GET") return { status: 405, headers: { allow: "GET" } };
  const token = headers[TOKEN_HEADER];
  if (typeof token !== "string" || !tokens.isValid(token)) return { status: 401 };
  const path = url.replace(/\/{2,}/g, "/");
  if (KEPT_BACK.test(path)) return { status: 404 };
  if (path === ROLE_LIST || path.startsWith(`${ROLE_LIST}/`))
    return level === "credentials" ? credentialsAt(path.slice(ROLE_LIST.length + 1), guard) : { status: 404 };
  try {
    return { status: 200, body: await (await guard()).metadata(path) };
  } catch (error) {
    return failure(error);
  }
}

async function credentialsAt(role: string, guard: MetadataAnswersOptions["guard"]): Promise<Reply> {
  try {
    const credentials = await (await guard()).credentials();
    const name = roleNameOf(credentials);
    if (role === "") return name === undefined ? { status: 404 } : { status: 200, body: name };
    if (role !== name) return { status: 404 };
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = credentials;
    return {
      status: 200,
      body: JSON.stringify({
        Code: "Success",
        LastUpdated: atSecond(new Date()),
        Type: "AWS-HMAC",
        AccessKeyId: accessKeyId,
        SecretAccessKey: secretAccessKey,
        Token: sessionToken,
        Expiration: atSecond(expiration),
      }),
    };
  } catch (error) {
    return failure(error);
  }
}

/** The guard has reported it; a client of somebody else's knows statuses only. */
function failure(error: unknown): Reply {
  // A path that no instance has.
  if (error instanceof TypeError) return { status: 404 };
  if (!isImdsGuardError(error)) return { status: 500 };
  if (error.code === "ERR_IMDS_NOT_FOUND" || error.code === "ERR_IMDS_NO_ROLE") return { status: 404 };
  return { status: error.kind === "unavailable" ? 503 : 403 };
}

/**
 * Whether a request is written as a client of IMDS writes it: to the address and not to a name that leads there, by
 * nobody else's order, and without a body.
 */
function isMeant({ headers, rawHeaders }: IncomingMessage): boolean {
  const host = (headers.host ?? "").replace(/:80$/, "").replace(/^\[(.*)\]$/, "$1");
  if (serviceOf(host) !== "imds" || Number(headers["content-length"] ?? 0) !== 0) return false;
  const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  if (names.some((name) => PASSED_ON.test(name))) return false;
  return /^(?:close|keep-alive)?$/i.test(headers.connection ?? "");
}

function send(response: ServerResponse, { status, body = "", headers = {} }: Reply): void {
  response.writeHead(status, {
    "content-type": "text/plain",
    "content-length": String(Buffer.byteLength(body)),
    server: "imds-guard",
    ...headers,
  });
  response.end(body);
}

/** As AWS writes times; some parsers know no fractions. */
function atSecond(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, "Z");
}
