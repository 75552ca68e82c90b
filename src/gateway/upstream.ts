/** What the gateway answers with: metadata and credentials out of one guard, asked once however many programs wait. */
import { ROLE_LIST_PATH } from "../aws/imds-protocol.js";
import { ImdsUnavailableError, isImdsGuardError } from "../base/errors.js";
import type { ImdsGuardError } from "../base/errors.js";

/** As much of a guard as the gateway uses. */
export interface GuardedSource {
  /** GET of a path behind `/latest/` from the proved responder. */
  readonly fetch: (path: string) => Promise<Buffer>;
  readonly credentials: () => Promise<RoleCredentials>;
}

/** Proved credentials and the role they are of. */
export interface RoleCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
  readonly roleName: string;
}

/** Status and body, as the service would have them. */
export interface Answer {
  readonly status: number;
  readonly body: Buffer;
  /** Why there is no more than a status; for the log. */
  readonly error?: ImdsGuardError;
}

/** Answers for the programs of the host. */
export interface Upstream {
  readonly metadata: (path: string) => Promise<Answer>;
  /** The listing of roles, or the credentials of one, as far as `allowed` goes. */
  readonly role: (path: string, allowed: readonly string[] | true) => Promise<Answer>;
}

/** Milliseconds for which an answer is given to others as well; what an instance keeps for life, for longer. */
const FRESH_MS = 1_000;
const LIFELONG_MS = 60_000;
const LIFELONG =
  /^\/latest\/(?:dynamic\/instance-identity(?:\/|$)|meta-data\/(?:instance-id|ami-id|mac|placement|services|local-hostname)(?:\/|$))/;
const MAX_REMEMBERED = 256;
const NOTHING = Buffer.alloc(0);

/** `now` in milliseconds on a clock that never jumps; `wall` in milliseconds since the epoch. */
export function createUpstream(source: GuardedSource, now: () => number, wall: () => number): Upstream {
  const remembered = new Map<string, { readonly until: number; readonly answer: Promise<Answer> }>();
  let updated: { readonly accessKeyId: string; readonly at: string } | undefined;

  function metadata(path: string): Promise<Answer> {
    const time = now();
    const known = remembered.get(path);
    if (known !== undefined && time < known.until) return known.answer;
    remembered.delete(path);
    const answer = source.fetch(path).then((body) => ({ status: 200, body }), answerOf);
    remembered.set(path, { until: time + (LIFELONG.test(path) ? LIFELONG_MS : FRESH_MS), answer });
    // An outage is told to those who wait together, and asked about again a moment later.
    answer
      .then(({ status }) => {
        if (status !== 200 && remembered.get(path)?.answer === answer)
          remembered.set(path, { until: now() + FRESH_MS, answer });
      })
      .catch(() => remembered.delete(path));
    if (remembered.size > MAX_REMEMBERED) remembered.delete(remembered.keys().next().value ?? "");
    return answer;
  }

  async function role(path: string, allowed: readonly string[] | true): Promise<Answer> {
    try {
      const credentials = await source.credentials();
      const { roleName } = credentials;
      const wanted = path.slice(ROLE_LIST_PATH.length - 1).replace(/^\/|\/$/g, "");
      const listing = wanted === "";
      if ((allowed !== true && !allowed.includes(roleName)) || !(listing || wanted === roleName)) return NOT_FOUND;
      return { status: 200, body: Buffer.from(listing ? roleName : text(credentials)) };
    } catch (error) {
      return answerOf(error);
    }
  }

  /** In the order and with the line breaks of the service. */
  function text({ accessKeyId, secretAccessKey, sessionToken, expiration }: RoleCredentials): string {
    if (updated?.accessKeyId !== accessKeyId) updated = { accessKeyId, at: instant(new Date(wall())) };
    const document = {
      Code: "Success",
      LastUpdated: updated.at,
      Type: "AWS-HMAC",
      AccessKeyId: accessKeyId,
      SecretAccessKey: secretAccessKey,
      Token: sessionToken,
      Expiration: instant(expiration),
    };
    return JSON.stringify(document, undefined, 2).replaceAll('": ', '" : ');
  }

  return { metadata, role };
}

const NOT_FOUND: Answer = { status: 404, body: NOTHING };

function instant(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, "Z");
}

/** A refusal is 403, what is not there 404, and what may pass 503, at which every SDK tries again. */
function answerOf(error: unknown): Answer {
  if (!isImdsGuardError(error)) throw error;
  return { status: statusOf(error), body: NOTHING, error };
}

function statusOf(error: ImdsGuardError): number {
  if (!(error instanceof ImdsUnavailableError)) return 403;
  switch (error.code) {
    case "ERR_IMDS_NOT_FOUND":
    case "ERR_IMDS_NO_ROLE":
      return 404;
    case "ERR_IMDS_FORBIDDEN":
      return 403;
    default:
      return 503;
  }
}
