/** The credential provider of AWS IoT: a role alias, asked for with the certificate of a thing (mutual TLS). */
import type { System } from "../base/system.js";
import type { SessionCredentials } from "./answer.js";
import { malformed, parseIotCredentials, parseServiceError } from "./answer.js";
import type { Answer } from "./connection.js";
import { exchange, NoAnswer } from "./connection.js";
import type { Identity, SessionBounds } from "./create-session.js";
import { aheadOf, pause, proxyOf } from "./create-session.js";
import { CLOCK_TOLERANCE_MS, isPassing, refused, unreachable } from "./failures.js";
import { keyError } from "./private-key.js";

/** What is asked for. */
export interface IotPlan {
  /** The account's own endpoint; its name is what TLS asks for. */
  readonly url: URL;
  readonly roleAlias: string;
  readonly thingName?: string | undefined;
  /** PEM text of the authorities that count instead of those of Node.js. */
  readonly ca?: string | undefined;
}

const SOURCE = "GET /role-aliases/";
const ADVICE =
  "The policy of the certificate has to allow iot:AssumeRoleWithCertificate on the role alias; the certificate has to be active, and attached to the thing that is named; the role has to trust credentials.iot.amazonaws.com.";

/**
 * Asks for the credentials of a role alias.
 * AWS: IoT Core Developer Guide, "Authorizing direct calls to AWS services using AWS IoT Core credential provider".
 * @throws RolesAnywhereError of every code
 */
export async function askRoleAlias(
  { chain, key }: Identity,
  plan: IotPlan,
  bounds: Omit<SessionBounds, "aheadMs">,
): Promise<SessionCredentials> {
  const { system, maxRetries, timeoutMs, onClock } = bounds;
  if (typeof key === "function") throw keyError("sign", "TLS needs the key itself", "Give privateKey.");
  // As they were read, and not as they are written: OpenSSL takes fewer forms, and TLS wants the chain in its order.
  const client = {
    cert: [chain.leaf, ...chain.intermediates].map(String).join(""),
    key: key.export({ type: "pkcs8", format: "pem" }).toString(),
  };
  const end = system.monotonic() + timeoutMs;
  for (let retry = 0; ; retry += 1) {
    let answer: Answer;
    try {
      answer = await ask(plan, client, system, Math.max(1, Math.floor(end - system.monotonic())));
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      if (!error.mayPass) throw malformed(SOURCE, error.message, error.cause);
      if (retry < maxRetries && (await pause(retry, end, system))) continue;
      throw unreachable(SOURCE, error.message, error.cause);
    }
    const { status, headers, body } = answer;
    if (status === 200) {
      // Nothing is signed with the clock here; but the end of what is given is held against it.
      const ahead = aheadOf(headers.date, system) ?? 0;
      const off = Math.abs(ahead) >= CLOCK_TOLERANCE_MS;
      if (off) onClock(ahead);
      return parseIotCredentials(body, system.now() - (off ? ahead : 0));
    }
    if (status < 400) throw malformed(SOURCE, `HTTP ${status} where credentials are 200`);
    const error = parseServiceError(headers["x-amzn-errortype"], body);
    if (!isPassing(status, error)) throw refused(SOURCE, status, error, undefined, ADVICE);
    if (retry < maxRetries && (await pause(retry, end, system))) continue;
    throw unreachable(SOURCE, `HTTP ${status}`);
  }
}

function ask(
  { url, roleAlias, thingName, ca }: IotPlan,
  client: { readonly cert: string; readonly key: string },
  system: System,
  timeoutMs: number,
): Promise<Answer> {
  return exchange({
    url,
    method: "GET",
    path: `/role-aliases/${encodeURIComponent(roleAlias)}/credentials`,
    headers: { host: url.host, ...(thingName !== undefined && { "x-amzn-iot-thingname": thingName }) },
    timeoutMs,
    ca,
    proxy: proxyOf(url, system),
    client,
  });
}
