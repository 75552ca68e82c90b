/** A conversation with one pinned IMDS: a token that is reused, and a GET that knows which failures may be repeated. */
import {
  IDENTITY_PATH,
  MAX_TTL_SECONDS,
  MODIFY_OPTIONS,
  ROLE_LIST_PATH,
  TOKEN_HEADER,
  TOKEN_PATH,
  TTL_HEADER,
} from "../aws/imds-protocol.js";
import { fact, ImdsUnavailableError, ImdsUntrustedError } from "../base/errors.js";
import type { System } from "../base/system.js";
import {
  MAX_CREDENTIALS,
  MAX_ROLE_LIST,
  MAX_TOKEN,
  malformed,
  parseRoleName,
  parseToken,
  parseTokenTtl,
} from "./responses.js";
import type { Deadline, ImdsRequest, ImdsResponse, Peer, Pin } from "./transport.js";
import { exchange, hadNoRoute, wasReset, wasUnreachable } from "./transport.js";

const MAX_IDENTITY = 16 * 1024;
const FIRST_BACKOFF_MS = 50;

/** How a session behaves. */
export interface SessionOptions {
  readonly pin: Pin;
  readonly system: System;
  /** Tries after the first, for answers that may be repeated. */
  readonly maxRetries: number;
}

/** IMDSv2 at one address. There is no path to IMDSv1: without a token nothing is asked. */
export interface ImdsSession {
  /** The peer that is talked to. */
  readonly pin: Peer;
  /** What the `Date` header of the last answer comes to now, in milliseconds since the epoch. A claim. */
  readonly responderTime: number | undefined;
  /**
   * Asks for the first token, and resolves once that is on its way, or has failed: what takes time of the processor is
   * best done while the answer is awaited. Never rejects: whoever needs the token first learns what became of it.
   */
  begin(deadline: Deadline): Promise<void>;
  /** Name of the instance's role. `ERR_IMDS_NO_ROLE` where none is attached. */
  roleName(deadline: Deadline, onSent?: () => void): Promise<string>;
  /** The body of the role's credentials, unparsed. Contains secrets. `ERR_IMDS_NOT_FOUND` where the role is gone. */
  roleCredentials(roleName: string, deadline: Deadline, onSent?: () => void): Promise<Buffer>;
  /** The signed instance identity document, base64. `ERR_IMDS_NOT_FOUND` where it is not offered. */
  signedIdentity(deadline: Deadline): Promise<Buffer>;
  /** The session token: the current one, or a fresh one. A secret. */
  token(deadline: Deadline): Promise<string>;
  /** GET of any other path below `/latest/`. */
  get(path: string, maxBody: number, deadline: Deadline): Promise<Buffer>;
}

/** Opens a session. No packet is sent before the first call. */
export function createSession(options: SessionOptions): ImdsSession {
  const { pin, system, maxRetries } = options;
  let token: { value: string; expires: number } | undefined;
  let fetching: Promise<string> | undefined;
  let early: Promise<string> | undefined;
  let { addresses } = pin;
  let spare = pin.spare;
  let current = 0;
  let dated: { readonly time: number; readonly at: number } | undefined;
  const peer = (): Peer => ({ address: addresses[current] as string, port: pin.port });

  async function fetchToken(deadline: Deadline, onSent?: () => void): Promise<string> {
    const request: ImdsRequest = {
      method: "PUT",
      path: TOKEN_PATH,
      headers: { [TTL_HEADER]: String(MAX_TTL_SECONDS) },
      maxBody: MAX_TOKEN,
      onSent,
    };
    const response = await persist(request, deadline).catch((error: unknown) => {
      throw asTokenTimeout(error);
    });
    if (response.status !== 200) throw tokenRefused(response);
    const value = parseToken(response.body);
    const ttl = parseTokenTtl(response.headers[TTL_HEADER], MAX_TTL_SECONDS);
    // A tenth of its life is left unused, so that no request races the end of its token.
    token = { value, expires: system.monotonic() + ttl * 900 };
    return value;
  }

  function newToken(deadline: Deadline, onSent?: () => void): Promise<string> {
    fetching ??= fetchToken(deadline, onSent).finally(() => {
      fetching = undefined;
    });
    return fetching;
  }

  function currentToken(deadline: Deadline): Promise<string> {
    const first = early;
    early = undefined;
    if (token && token.expires > system.monotonic()) return Promise.resolve(token.value);
    return first ?? newToken(deadline);
  }

  /**
   * Repeats what may be repeated: 429, 5xx, a reset, an empty 200. Waits longer each time, half of it by chance, within
   * the deadline.
   */
  async function persist(request: ImdsRequest, deadline: Deadline): Promise<ImdsResponse> {
    let to = peer();
    // Only who has no token yet may go on to another address: a token is for the peer that gave it.
    let others = request.method === "PUT" && token === undefined ? addresses.length - 1 : 0;
    let first: Error | undefined;
    for (let attempt = 0; ; attempt++) {
      try {
        const response = await exchange(to, request, deadline);
        const time = Date.parse(response.headers.date ?? "");
        dated = Number.isNaN(time) ? undefined : { time, at: system.monotonic() };
        if (attempt >= maxRetries || !mayPass(response)) return response;
      } catch (error) {
        if (spare !== undefined && request.method === "PUT" && token === undefined && hadNoRoute(error)) {
          first = error as Error;
          addresses = [spare];
          spare = undefined;
          to = peer();
          attempt--;
          continue;
        }
        if (first !== undefined && wasUnreachable(error) && !wasReset(error)) {
          // A network may come up later: then it is asked as before.
          addresses = pin.addresses;
          spare = pin.spare;
          throw first;
        }
        // Another address is no retry.
        if (others > 0 && wasUnreachable(error) && !wasReset(error)) {
          current = (current + 1) % addresses.length;
          to = peer();
          others--;
          attempt--;
          continue;
        }
        if (attempt >= maxRetries || !wasReset(error)) throw error;
      }
      const pause = FIRST_BACKOFF_MS * 2 ** attempt * (0.5 + system.random() / 2);
      await new Promise((resolve) => setTimeout(resolve, Math.min(pause, deadline.remaining())));
    }
  }

  async function get(path: string, maxBody: number, deadline: Deadline, onSent?: () => void): Promise<Buffer> {
    for (let renewed = false; ; renewed = true) {
      const used = await currentToken(deadline);
      const request: ImdsRequest = {
        method: "GET",
        path,
        headers: { [TOKEN_HEADER]: used },
        maxBody,
        onSent,
      };
      const response = await persist(request, deadline);
      if (response.status === 401) {
        // Another request of this session may have renewed it meanwhile.
        if (token?.value === used) token = undefined;
        if (!renewed) continue;
      }
      if (response.status !== 200) throw refused(path, response);
      if (response.body.length === 0) throw malformed(`GET ${path}`, "HTTP 200 without a body");
      return response.body;
    }
  }

  return {
    get pin() {
      return peer();
    },
    get responderTime() {
      return dated && dated.time + system.monotonic() - dated.at;
    },
    get: (path, maxBody, deadline) => get(path, maxBody, deadline),
    begin: (deadline) =>
      new Promise((resolve) => {
        early = newToken(deadline, resolve);
        early.then(
          () => resolve(),
          () => resolve(),
        );
      }),
    token: currentToken,
    async roleName(deadline, onSent) {
      try {
        const name = parseRoleName(await get(ROLE_LIST_PATH, MAX_ROLE_LIST, deadline, onSent));
        // A responder that echoes would have the token appear wherever the role is named.
        if (token && name.includes(token.value))
          throw malformed(`GET ${ROLE_LIST_PATH}`, "the request's own token, as the name of a role");
        return name;
      } catch (error) {
        if (error instanceof ImdsUnavailableError && error.code === "ERR_IMDS_NOT_FOUND") throw noRole(error);
        throw error;
      }
    },
    roleCredentials: (roleName, deadline, onSent) => get(ROLE_LIST_PATH + roleName, MAX_CREDENTIALS, deadline, onSent),
    signedIdentity: (deadline) => get(IDENTITY_PATH, MAX_IDENTITY, deadline),
  };
}

function mayPass({ status, body }: ImdsResponse): boolean {
  return isOverloaded(status) || (status === 200 && body.length === 0);
}

function isOverloaded(status: number): boolean {
  return status === 429 || status >= 500;
}

function asTokenTimeout(error: unknown): unknown {
  if (!(error instanceof ImdsUnavailableError) || error.code !== "ERR_IMDS_TIMEOUT") return error;
  return new ImdsUnavailableError(
    "ERR_IMDS_TOKEN_TIMEOUT",
    "IMDS did not answer the request for an IMDSv2 token in time",
    {
      evidence: error.evidence,
      advice:
        `In a container on EC2 this is what the default hop limit of 1 looks like: raise it with \`${MODIFY_OPTIONS} ` +
        "--http-put-response-hop-limit 2`. Otherwise check firewall and routes to the metadata address.",
      cause: error,
    },
  );
}

/** What a status other than 200 to the token request means (EC2 user guide, "Use the Instance Metadata Service"). */
function tokenRefused(response: ImdsResponse): ImdsUnavailableError | ImdsUntrustedError {
  const { status } = response;
  if (status === 404 || status === 405) {
    return new ImdsUntrustedError(
      "ERR_IMDS_V1_ONLY",
      `The responder has no IMDSv2 (HTTP ${status} to the token request)`,
      {
        evidence: [fact(`PUT ${TOKEN_PATH}`, "no IMDSv2 token to be had; IMDSv1 is never used", String(status))],
        advice:
          "Every EC2 instance offers IMDSv2. Whatever answers here is an old emulator, another cloud or an impersonator.",
      },
    );
  }
  return refused(TOKEN_PATH, response, "PUT");
}

function refused(path: string, response: ImdsResponse, method = "GET"): ImdsUnavailableError | ImdsUntrustedError {
  const { status } = response;
  const evidence = [fact(`${method} ${path}`, "status of the answer", String(status))];
  const told = (advice: string) => ({ evidence, advice });
  if (status >= 300 && status < 400) {
    return new ImdsUntrustedError(
      "ERR_IMDS_REDIRECT",
      `The responder redirects ${method} ${path} (HTTP ${status}); IMDS never does`,
      told("A captive portal, a proxy or an impersonator answers at the metadata address. It was not followed."),
    );
  }
  if (status === 403) {
    return new ImdsUnavailableError(
      "ERR_IMDS_FORBIDDEN",
      "IMDS is disabled on this instance (HTTP 403)",
      told(`Enable it with \`${MODIFY_OPTIONS} --http-endpoint enabled\`, or look for a policy that blocks it.`),
    );
  }
  if (status === 401 && method === "GET") {
    return new ImdsUnavailableError(
      "ERR_IMDS_UNAUTHORIZED",
      "IMDS refused two fresh tokens in a row (HTTP 401)",
      told("Something between this process and IMDS drops or changes the token header."),
    );
  }
  if (status === 404) {
    return new ImdsUnavailableError(
      "ERR_IMDS_NOT_FOUND",
      `IMDS has nothing at ${path}`,
      told("See the evidence for the path that was asked."),
    );
  }
  return new ImdsUnavailableError(
    "ERR_IMDS_STATUS",
    `IMDS answered ${method} ${path} with HTTP ${status}`,
    told(
      isOverloaded(status)
        ? "The service is overloaded or throttles this instance; try again later."
        : "IMDS does not answer so; find out who does.",
    ),
  );
}

function noRole(cause: ImdsUnavailableError): ImdsUnavailableError {
  return new ImdsUnavailableError("ERR_IMDS_NO_ROLE", "No IAM role is attached to this instance", {
    evidence: cause.evidence,
    advice: "Attach an instance profile with a role, or provide credentials in another way.",
    cause,
  });
}
