/**
 * Serves credentials to programs of this host in the format of the container credentials endpoint, which every AWS SDK
 * can read.
 */
import { randomBytes } from "node:crypto";
import { accountOfAccessKey } from "../aws/access-key.js";
import { isImdsGuardError, mayPass } from "../base/errors.js";
import type { LoopbackServer, Rejection, Reply } from "./loopback-server.js";
import { startLoopbackServer } from "./loopback-server.js";
import { equalInConstantTime } from "./constant-time.js";

/** Credentials of any source. */
export interface ServableCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly expiration?: Date | undefined;
  readonly accountId?: string | undefined;
}

/** What {@link startCredentialServer} serves, and how. */
export interface CredentialServerOptions {
  /** Called for each admitted request; expected to remember and renew by itself. */
  readonly provide: () => Promise<ServableCredentials>;
  /** Default 0: one that is free. */
  readonly port?: number | undefined;
  /** A listening socket that this process was handed, by its descriptor; in the place of `port`. */
  readonly descriptor?: number | undefined;
  /** Path of the endpoint. Default: a random one. */
  readonly path?: string | undefined;
  /** Whether the server keeps the process alive. Default false. */
  readonly holdsProcess?: boolean | undefined;
  /** Called for every request that was turned away. */
  readonly onRejected?: ((reason: Rejection) => void) | undefined;
  /** Milliseconds on a clock that never jumps. Default: the system's. */
  readonly monotonic?: (() => number) | undefined;
}

/** A running credential server. */
export interface CredentialServer extends LoopbackServer {
  /** What requests have to carry as their `Authorization` header, 256 random bits. A secret. */
  readonly token: string;
}

/** Admitted requests a second, on average; a program that asks for every call it signs stays far below. */
export const REQUESTS_PER_SECOND = 50;
/** Admitted requests at once, above the average. */
export const REQUEST_BURST = 200;
/**
 * Credentials without an end of their own are served with one this far ahead, so that clients come back for newer ones.
 */
export const ENDLESS_SERVED_MS = 60 * 60_000;
/** Milliseconds in which every admitted request is answered: botocore gives up after two seconds. */
export const ANSWER_WITHIN_MS = 1_300;

/**
 * Starts the endpoint. Clients find it through `AWS_CONTAINER_CREDENTIALS_FULL_URI` and
 * `AWS_CONTAINER_AUTHORIZATION_TOKEN` (or `..._TOKEN_FILE`).
 *
 * Errors of `provide` are answered by code and message alone: 503 where it may pass, 403 where it was refused. A
 * request is answered within {@link ANSWER_WITHIN_MS}, where need be by 503 and why there is nothing yet.
 * @throws the system's error where the port cannot be had
 */
export async function startCredentialServer(options: CredentialServerOptions): Promise<CredentialServer> {
  const {
    provide,
    monotonic = () => performance.now(),
    path = `/${randomBytes(16).toString("base64url")}`,
    ...rest
  } = options;
  const token = randomBytes(32).toString("base64url");
  const withinRate = createRateLimit(REQUESTS_PER_SECOND, REQUEST_BURST, monotonic);
  const server = await startLoopbackServer({
    ...rest,
    path,
    // The rate is counted behind the token: whoever does not have it cannot use it up.
    admit: ({ headers }) =>
      equalInConstantTime(headers.authorization ?? "", token) ? (withinRate() ? undefined : "rate") : "token",
    reply: createAnswer(provide),
  });
  return { ...server, token };
}

/** One question to `provide` at a time, which all callers share; who has waited long enough gets the reason. */
function createAnswer(provide: () => Promise<ServableCredentials>): () => Promise<Reply> {
  let asking: Promise<Reply> | undefined;
  let failed: Failure | undefined;

  async function ask(): Promise<Reply> {
    try {
      const credentials = await provide();
      failed = undefined;
      return { status: 200, body: JSON.stringify(containerFormat(credentials, Date.now())) };
    } catch (error) {
      // Every failure becomes an answer: a client that waits for one must not be left waiting.
      // Only the guard's own messages are known to be free of secrets.
      const known = isImdsGuardError(error);
      failed = {
        code: known ? error.code : "Unavailable",
        message: known ? error.message : "no provider gave credentials",
      };
      return { status: known && !mayPass(error) ? 403 : 503, body: JSON.stringify(failed) };
    }
  }

  return async () => {
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Reply>((resolve) => {
      timer = setTimeout(() => resolve({ status: 503, body: JSON.stringify(stillAsking(failed)) }), ANSWER_WITHIN_MS);
      timer.unref();
    });
    try {
      return await Promise.race([asking, late]);
    } finally {
      clearTimeout(timer);
    }
  };
}

interface Failure {
  readonly code: string;
  readonly message: string;
}

function stillAsking(before: Failure | undefined): Failure {
  return {
    code: before?.code ?? "Pending",
    message:
      `no credentials within ${ANSWER_WITHIN_MS} ms; their source is still being asked, and the next request may have them` +
      (before === undefined ? "" : ` (the question before it failed: ${before.message})`),
  };
}

/** Credentials as the endpoint states them. `Token` and `Expiration` are always there, because clients require them. */
export function containerFormat(credentials: ServableCredentials, now: number): Readonly<Record<string, string>> {
  const { accessKeyId, secretAccessKey, sessionToken = "", expiration } = credentials;
  const account = accountOf(credentials);
  return {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    Token: sessionToken,
    Expiration: wholeSeconds(expiration ?? new Date(now + ENDLESS_SERVED_MS)),
    ...(account !== undefined && { AccountId: account }),
  };
}

/** Credentials as a `credential_process` prints them. */
export function processFormat(credentials: ServableCredentials): Readonly<Record<string, string | number>> {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = credentials;
  const account = accountOf(credentials);
  return {
    Version: 1,
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    ...(sessionToken !== undefined && { SessionToken: sessionToken }),
    ...(expiration !== undefined && { Expiration: wholeSeconds(expiration) }),
    ...(account !== undefined && { AccountId: account }),
  };
}

function accountOf({ accessKeyId, accountId }: ServableCredentials): string | undefined {
  const key = accountOfAccessKey(accessKeyId);
  // What a key tells is a fact, what somebody stated beside it is none.
  return key.kind === "known" ? key.accountId : accountId;
}

/** As the services of AWS write times; some parsers know no fractions. */
function wholeSeconds(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, "Z");
}

/** A bucket of `burst` requests that fills at `perSecond`. */
function createRateLimit(perSecond: number, burst: number, monotonic: () => number): () => boolean {
  let left = burst;
  let at = monotonic();
  return () => {
    const now = monotonic();
    left = Math.min(burst, left + ((now - at) / 1_000) * perSecond);
    at = now;
    if (left < 1) return false;
    left -= 1;
    return true;
  };
}
