/** CreateSession: signs, sends, tries again what may pass, and reads what AWS says. */
import type { KeyObject } from "node:crypto";
import { RolesAnywhereError } from "../base/errors.js";
import type { System } from "../base/system.js";
import type { SessionCredentials } from "./answer.js";
import { malformed, parseServiceError, parseSession } from "./answer.js";
import type { SessionArns } from "./arns.js";
import { readArns, settingsError } from "./arns.js";
import type { CertificateChain } from "./certificate.js";
import type { Answer } from "./connection.js";
import { exchange, NoAnswer, proxyFor } from "./connection.js";
import { CLOCK_TOLERANCE_MS, isPassing, refused, unreachable } from "./failures.js";
import { keyError } from "./private-key.js";
import type { SignatureAlgorithm } from "./private-key.js";
import { isSignatureOf, prepareRequest, signatureOf } from "./signature.js";

/** Makes a signature elsewhere: PKCS#11, a TPM, a key management service. */
export type Signer = (
  /** The whole string to sign, UTF-8. */
  message: Buffer,
  options: { readonly algorithm: SignatureAlgorithm },
) => Uint8Array | Promise<Uint8Array>;

/** A certificate and what signs for it. */
export interface Identity {
  readonly chain: CertificateChain;
  readonly key: KeyObject | Signer;
}

/** What a session is made from. */
export interface SessionPlan extends SessionArns {
  readonly url: URL;
  readonly region: string;
  readonly durationSeconds: number;
  readonly roleSessionName?: string | undefined;
  /** Whether the proxy of the environment counts. */
  readonly proxy: boolean;
  /** PEM text of the authorities that count instead of those of Node.js. */
  readonly ca?: string | undefined;
  /** How the user wrote each ARN. */
  readonly names: Readonly<Record<keyof SessionArns, string>>;
}

/** Bounds of one CreateSession with its retries, and who is told of the clock. */
export interface SessionBounds {
  readonly system: System;
  readonly timeoutMs: number;
  readonly maxRetries: number;
  /** Milliseconds that this host's clock is known to be ahead. */
  readonly aheadMs: number;
  /** Called when an answer shows that the clock is off by more than a minute. */
  readonly onClock: (aheadMs: number) => void;
}

const SOURCE = "POST /sessions";

/**
 * Asks for one session.
 * @throws RolesAnywhereError of every code but `_CERTIFICATE`
 */
export async function createSession(
  identity: Identity,
  plan: SessionPlan,
  bounds: SessionBounds,
): Promise<SessionCredentials> {
  const { system, maxRetries, onClock } = bounds;
  const { role } = readArns(plan, plan.names);
  const end = system.monotonic() + bounds.timeoutMs;
  let { aheadMs } = bounds;
  let corrected = false;
  for (let retry = 0; ;) {
    const remaining = Math.floor(end - system.monotonic());
    if (remaining <= 0) throw unreachable(SOURCE, `the time for it (${bounds.timeoutMs} ms) is over`);
    let answer: Answer;
    try {
      answer = await ask(identity, plan, system, aheadMs, remaining);
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      if (!error.mayPass) throw malformed(SOURCE, error.message, error.cause);
      if (retry >= maxRetries || !(await pause(retry, end, system)))
        throw unreachable(SOURCE, error.message, error.cause);
      retry += 1;
      continue;
    }
    const { status, headers, body } = answer;
    if (status === 201) return parseSession(body, role, plan.roleArn, system.now() - aheadMs);
    if (status < 400) throw malformed(SOURCE, `HTTP ${status} where a session is 201`);
    const error = parseServiceError(headers["x-amzn-errortype"], body);
    if (isPassing(status, error)) {
      if (retry >= maxRetries || !(await pause(retry, end, system)))
        throw unreachable(SOURCE, `HTTP ${status}${error.type === "" ? "" : ` ${error.type}`}`);
      retry += 1;
      continue;
    }
    const seen = aheadOf(headers.date, system);
    if (seen !== undefined && Math.abs(seen) >= CLOCK_TOLERANCE_MS) {
      onClock(seen);
      // A wrong clock makes a wrong signature: once more, with AWS's own time.
      if (!corrected && Math.abs(seen - aheadMs) >= CLOCK_TOLERANCE_MS) {
        corrected = true;
        aheadMs = seen;
        continue;
      }
    }
    throw refused(SOURCE, status, error, seen);
  }
}

async function ask(
  { chain, key }: Identity,
  plan: SessionPlan,
  system: System,
  aheadMs: number,
  timeoutMs: number,
): Promise<Answer> {
  const { url, ca } = plan;
  const date = new Date(system.now() - aheadMs);
  const { method, path, headers, body, algorithm, stringToSign, authorization } = prepareRequest(
    { ...plan, host: url.host, date },
    chain,
  );
  const message = Buffer.from(stringToSign);
  const end = system.monotonic() + timeoutMs;
  const signature =
    typeof key === "function"
      ? await signedElsewhere(key, message, chain, timeoutMs)
      : signatureOf(message, algorithm, key);
  return exchange({
    url,
    method,
    path,
    headers: { ...headers, authorization: authorization + signature.toString("hex") },
    body,
    timeoutMs: Math.max(1, Math.floor(end - system.monotonic())),
    ca,
    proxy: plan.proxy ? proxyOf(url, system) : undefined,
  });
}

/** Nothing is sent that the certificate does not bear out. */
async function signedElsewhere(
  sign: Signer,
  message: Buffer,
  chain: CertificateChain,
  timeoutMs: number,
): Promise<Buffer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unreachable(SOURCE, "sign gave no signature in time")), timeoutMs);
  });
  let made: unknown;
  try {
    made = await Promise.race([sign(Buffer.from(message), { algorithm: chain.algorithm }), late]);
  } catch (error) {
    if (error instanceof RolesAnywhereError) throw error;
    throw keyFailure("sign failed", error);
  } finally {
    clearTimeout(timer);
  }
  if (!(made instanceof Uint8Array)) throw keyFailure("sign gave no bytes");
  const signature = Buffer.from(made.buffer, made.byteOffset, made.byteLength);
  if (!isSignatureOf(message, signature, chain))
    throw keyFailure(`its signature is not one of the certificate's key (${chain.algorithm}; DER for ECDSA)`);
  return signature;
}

function keyFailure(says: string, cause?: unknown): RolesAnywhereError {
  const error = keyError(
    "sign",
    says,
    "The function gets the whole string to sign, and gives the raw signature of it.",
  );
  return cause === undefined ? error : Object.assign(error, { cause });
}

/** The proxy of the environment for `url`. @throws RolesAnywhereError `ERR_ROLES_ANYWHERE_SETTINGS` */
export function proxyOf(url: URL, { env }: System): URL | undefined {
  try {
    return proxyFor(url, env);
  } catch (error) {
    throw settingsError((error as Error).message, "HTTPS_PROXY", "Set it to http://HOST:PORT or https://HOST:PORT.");
  }
}

/** How far this host is ahead of the answer's Date, which TLS makes AWS's. */
export function aheadOf(date: string | undefined, system: System): number | undefined {
  const said = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(said) ? undefined : system.now() - said;
}

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 2_000;

/** Waits with full jitter, so that a fleet that was throttled together does not come back together. */
export async function pause(retry: number, end: number, system: System): Promise<boolean> {
  const wait = Math.ceil(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** retry) * (0.5 + system.random() / 2));
  if (system.monotonic() + wait >= end) return false;
  await new Promise((resolve) => setTimeout(resolve, wait));
  return true;
}
