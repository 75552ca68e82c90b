/** Asks STS, over TLS, whose credentials these are: the one check that needs no encoding and no local evidence. */
import type { Hash, Hmac } from "node:crypto";
import { createHash, createHmac } from "node:crypto";
import type { IncomingMessage } from "node:http";
import * as http from "node:http";
import type { Socket } from "node:net";
import * as net from "node:net";
import type { SecureContext, TLSSocket } from "node:tls";
import * as tls from "node:tls";
import type { HashConstructor } from "@smithy/types";
import { suffixesOfPartition } from "../aws/partitions.js";
import { fact, ImdsImpersonationError, ImdsUnavailableError } from "../base/errors.js";
import { detachInherited, requestOptions, tcpOptions } from "../base/connection-options.js";
import { secureContextOptions, tlsOptions } from "../base/tls-options.js";
import { printable } from "../base/text.js";
import { membersOf } from "../base/members-of.js";
import { isInstanceId } from "../host/ec2-identifiers.js";

/** Credentials to be checked. */
export interface SignableCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** Where and how long to ask. */
export interface StsOptions {
  /** Region whose STS endpoint is asked. */
  readonly region: string;
  /** Partition of the region, which decides the domain. Default `aws`. */
  readonly partition?: string | undefined;
  /** Milliseconds for the whole exchange. */
  readonly timeoutMs: number;
  /** Another origin than AWS's, `https://host[:port]`; for tests. */
  readonly origin?: string | undefined;
  /** Certificate authorities in place of those that come with Node.js, PEM. */
  readonly ca?: string | undefined;
  /** A proxy through which STS is reached by CONNECT, `http://[user:password@]host[:port]`. TLS is with STS itself. */
  readonly proxy?: string | undefined;
}

/** What STS says: GetCallerIdentity, AWS STS API reference. */
export interface CallerIdentity {
  /** 12 digits. */
  readonly account: string;
  readonly arn: string;
}

/** What the identity has to be. Fields that are left out are not compared. */
export interface ExpectedIdentity {
  readonly account?: string | undefined;
  /** Name of the role whose credentials these are. */
  readonly roleName?: string | undefined;
  /** Instance roles are assumed in sessions named after the instance. */
  readonly instanceId?: string | undefined;
  /**
   * Whether an agent may have assumed the role: then the session may have any name but that of another instance. Default
   * false.
   */
  readonly byAgent?: boolean | undefined;
}

const MAX_BODY = 64 * 1024;
const BODY = "Action=GetCallerIdentity&Version=2011-06-15";
const CONTENT_LENGTH = { "content-length": String(Buffer.byteLength(BODY)) };
const ARN = /^arn:aws[a-z-]*:(?:sts|iam)::(\d{12}):[\w+=,.@/-]{1,2048}$/;

/**
 * Calls GetCallerIdentity with the credentials and compares.
 * @throws ImdsImpersonationError `ERR_IMDS_STS_MISMATCH` when STS names another identity or refuses the credentials
 * @throws ImdsUnavailableError `ERR_IMDS_STS_UNAVAILABLE` when STS cannot be asked
 */
export async function verifyWithSts(
  credentials: SignableCredentials,
  expected: ExpectedIdentity,
  options: StsOptions,
): Promise<CallerIdentity> {
  const identity = await getCallerIdentity(credentials, options);
  if (expected.account !== undefined && identity.account !== expected.account) {
    throw mismatch(identity, `account ${identity.account}`, `account ${expected.account}`);
  }
  const [, role, session] = /:assumed-role\/([^/]+)\/([^/]+)$/.exec(identity.arn) ?? [];
  if (expected.roleName !== undefined && role !== expected.roleName) {
    throw mismatch(
      identity,
      role === undefined ? "no role" : `role ${printable(role)}`,
      `role ${printable(expected.roleName)}`,
    );
  }
  const named = expected.byAgent !== true || (session !== undefined && isInstanceId(session));
  if (expected.instanceId !== undefined && named && session !== expected.instanceId) {
    throw mismatch(
      identity,
      session === undefined ? "no role session" : `session ${printable(session)}`,
      `instance ${expected.instanceId}`,
    );
  }
  return identity;
}

async function getCallerIdentity(credentials: SignableCredentials, options: StsOptions): Promise<CallerIdentity> {
  const url = new URL(options.origin ?? stsOrigin(options.region, options.partition));
  const { status, body } = await post(url, await signedHeaders(url, options.region, credentials), options);
  if (status === 403 || status === 401) throw rejected(status);
  if (status !== 200) throw unavailable(`HTTP ${status}`);
  const account = onlyMatch(body, /<Account>(\d{12})<\/Account>/g);
  const arn = onlyMatch(body, /<Arn>([^<]{1,2100})<\/Arn>/g);
  if (account === undefined || arn === undefined || ARN.exec(arn)?.[1] !== account)
    throw unavailable("an answer that is none of GetCallerIdentity");
  return { account, arn };
}

/**
 * The regional STS endpoint, `https://sts.REGION.DOMAIN`; `partition` defaults to `aws`.
 * @throws ImdsUnavailableError `ERR_IMDS_STS_UNAVAILABLE` for a partition whose domain is not known
 */
export function stsOrigin(region: string, partition = "aws"): string {
  const domain = suffixesOfPartition(partition)?.suffix;
  if (domain === undefined) throw unavailable(`no STS domain is known for partition ${printable(partition)}`);
  return `https://sts.${region}.${domain}`;
}

function onlyMatch(text: string, pattern: RegExp): string | undefined {
  const matches = [...text.matchAll(pattern)];
  return matches.length === 1 ? matches[0]?.[1] : undefined;
}

/** Signature Version 4, by the SDK's own signer. */
async function signedHeaders(
  url: URL,
  region: string,
  credentials: SignableCredentials,
): Promise<Record<string, string>> {
  const { SignatureV4 } = membersOf(await import("@smithy/signature-v4"));
  const signer = new SignatureV4({ service: "sts", region, credentials, sha256: NodeSha256 });
  const { headers } = await signer.sign({
    method: "POST",
    protocol: url.protocol,
    hostname: url.hostname,
    path: "/",
    headers: { host: url.host, "content-type": "application/x-www-form-urlencoded" },
    body: BODY,
  });
  return headers;
}

/** SHA-256 or HMAC-SHA-256 of node:crypto in the shape that the signer asks for. */
class NodeSha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: ConstructorParameters<HashConstructor>[0]) {
    this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", secret as Buffer | string);
  }

  update(data: Uint8Array | string): void {
    this.#hash.update(data);
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }
}

/** As they are now: what a library puts in their place later sees nothing of ours. */
const { ClientRequest } = http;
const { connect } = net;
const { connect: connectTls, createSecureContext } = tls;

/** The socket is connected: where to is for nobody to read here. */
const TO_STS = { host: "sts", port: 443, maxHeaderSize: 16 * 1024, setHost: false } as const;

interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * POST over a connection of its own, with no agent and nothing else that a process has one of: neither
 * `NODE_TLS_REJECT_UNAUTHORIZED` nor a changed `https.globalAgent` loosens it, and no proxy that the environment names
 * is used.
 */
function post(url: URL, headers: Record<string, string>, options: StsOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const opened: Socket[] = [];
    const settle = (outcome: () => void): void => {
      clearTimeout(timer);
      // The one within the other first: it may hold more that it would give away.
      for (const socket of opened.toReversed()) socket.destroy();
      outcome();
    };
    const fail = (why: string, cause?: unknown): void => settle(() => reject(unavailable(why, cause)));
    const timer = setTimeout(() => fail("no complete answer before the deadline"), options.timeoutMs);
    const track = <S extends Socket>(socket: S): S => {
      opened.push(detachInherited(socket));
      return socket.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.name, error));
    };
    const secure = (over: Socket): void => {
      const socket = track(connectTls(tlsOptions(over, url.hostname, trusting(options.ca))));
      socket.once("secureConnect", () => {
        // Asked for above; looked at again, because everything hangs on it.
        if (!socket.authorized) return fail("its certificate is not vouched for");
        send(socket, url, headers, { fail, done: (answer) => settle(() => resolve(answer)) });
      });
    };
    const { proxy } = options;
    if (proxy !== undefined) return tunnel(new URL(proxy), url, { track, fail, done: secure });
    const socket = track(connect(tcpOptions(url.hostname, portOf(url))));
    socket.once("connect", () => secure(socket));
  });
}

interface Outcome<T> {
  readonly fail: (why: string, cause?: unknown) => void;
  readonly done: (value: T) => void;
}

function send(socket: TLSSocket, url: URL, headers: Record<string, string>, { fail, done }: Outcome<Answer>): void {
  const request = detachInherited(
    new ClientRequest(
      requestOptions(socket, {
        ...TO_STS,
        method: "POST",
        path: "/",
        headers: { ...headers, host: url.host, ...CONTENT_LENGTH },
      }),
    ),
  );
  request.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.name, error));
  request.on("response", (response) => {
    if (response.socket !== socket) return fail("the answer came over another connection");
    collect(response, { fail, done });
  });
  request.on("socket", (used: Socket) => {
    if (used === socket && request.socket === socket) return void request.end(BODY);
    request.destroy();
    fail("a library of this process replaces the connections of node:http");
  });
}

function collect(response: IncomingMessage, { fail, done }: Outcome<Answer>): void {
  const chunks: Buffer[] = [];
  let total = 0;
  response.on("error", (error) => fail("the answer was cut short", error));
  response.on("data", (chunk: Buffer) => {
    total += chunk.length;
    if (total > MAX_BODY) fail("an answer of more than 64 KiB");
    else chunks.push(chunk);
  });
  response.on("end", () => {
    if (!response.complete) return fail("the answer was cut short");
    done({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
  });
}

/** A way to `url` through a proxy, by CONNECT (RFC 9110, section 9.3.6). */
function tunnel(
  proxy: URL,
  url: URL,
  { track, fail, done }: Outcome<Socket> & { readonly track: <S extends Socket>(socket: S) => S },
): void {
  const target = `${url.hostname}:${portOf(url)}`;
  const login = [proxy.username, proxy.password].map(decodeURIComponent).join(":");
  const authorization: Record<string, string> =
    login === ":" ? {} : { "proxy-authorization": `Basic ${Buffer.from(login).toString("base64")}` };
  const socket = track(connect(tcpOptions(proxy.hostname, portOf(proxy))));
  socket.once("connect", () => {
    const request = detachInherited(
      new ClientRequest(
        requestOptions(socket, {
          ...TO_STS,
          method: "CONNECT",
          path: target,
          headers: { host: target, ...authorization },
        }),
      ),
    );
    request.on("error", (error: NodeJS.ErrnoException) => fail(`the proxy: ${error.code ?? error.name}`, error));
    request.on("response", (response) => fail(`the proxy answered with HTTP ${response.statusCode}`));
    request.on("connect", (response, used: Socket, early: Buffer) => {
      if (used !== socket || early.length > 0) return fail("the proxy answered what no proxy does");
      if (response.statusCode !== 200) return fail(`the proxy answered with HTTP ${response.statusCode}`);
      done(socket);
    });
    request.on("socket", (used: Socket) => {
      if (used === socket && request.socket === socket) return void request.end();
      request.destroy();
      fail("a library of this process replaces the connections of node:http");
    });
  });
}

function portOf({ port, protocol }: URL): number {
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}

let bundledRoots: SecureContext | undefined;

/** The roots that come with Node.js: not those that `NODE_EXTRA_CA_CERTS` or the process added. */
function trusting(ca: string | undefined): SecureContext {
  if (ca !== undefined) return createSecureContext(secureContextOptions({ ca }));
  return (bundledRoots ??= createSecureContext(secureContextOptions({ ca: tls.rootCertificates })));
}

const SOURCE = "STS GetCallerIdentity";

function mismatch(identity: CallerIdentity, said: string, expected: string): ImdsImpersonationError {
  return new ImdsImpersonationError(
    "ERR_IMDS_STS_MISMATCH",
    `STS says that these are credentials of ${said}, not of ${expected}`,
    {
      evidence: [fact(SOURCE, `expected ${expected}`, printable(identity.arn, 160))],
      advice: "Whoever handed them out is not the metadata service of this instance. Do not use them.",
    },
  );
}

function rejected(status: number): ImdsImpersonationError {
  return new ImdsImpersonationError("ERR_IMDS_STS_MISMATCH", `STS does not accept the credentials (HTTP ${status})`, {
    evidence: [fact(SOURCE, "not valid credentials of this partition", String(status))],
    advice: "They are expired, revoked or made up. If the clock of this host is wrong, correct it.",
  });
}

function unavailable(why: string, cause?: unknown): ImdsUnavailableError {
  return new ImdsUnavailableError(
    "ERR_IMDS_STS_UNAVAILABLE",
    `STS could not be asked whose credentials these are: ${why}`,
    {
      evidence: [fact(SOURCE, why)],
      advice: "verifyWithSts needs HTTPS to the regional STS endpoint (or a VPC endpoint for it).",
      // Going on to the next provider would hand out what was meant to be checked by somebody else.
      tryNextLink: false,
      cause,
    },
  );
}
