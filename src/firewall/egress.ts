/**
 * Looks at the signatures of requests that leave this process for AWS, and tells of keys of accounts that are not expected:
 * also of keys written into code, which no credential chain sees. It listens to node:http and undici through
 * node:diagnostics_channel and changes no request; HTTP/2 has no such channel and is not seen.
 */
import { subscribe } from "node:diagnostics_channel";
import { accountOfAccessKey } from "../aws/access-key.js";
import { maskAccessKeyId } from "../base/text.js";
import type { EventDetails } from "../events/catalogue.js";
import type { EventCode } from "../events/weights.js";

/** What is needed to look. */
export interface EgressWatch {
  /** Accounts that are expected; with none there is nothing to hold a key against. */
  readonly expectedAccounts: readonly string[];
  readonly report: (code: EventCode, details: EventDetails) => void;
}

/** One event for each key; more keys than this are no program's. */
const MOST_KEYS = 256;
/** As node:http and undici (also that in Node.js) name them. */
const HTTP_CHANNEL = "http.client.request.start";
const UNDICI_CHANNEL = "undici:request:create";
const AWS_HOST = /\.(?:amazonaws\.(?:com|com\.cn|eu)|api\.aws|on\.aws|amazonwebservices\.(?:com\.cn|eu))\.?(?=[:/]|$)/i;
const CREDENTIAL = /(?:Credential=|^AWS )(A[KS]IA[A-Z2-7]{16})(?![A-Z0-9])/;
const LONGEST = 512;

let watching: { readonly see: (host: string, authorization: unknown) => void } | undefined;

/** Begins to look, once for a thread: who comes later takes the place of who was before. */
export function watchEgress({ expectedAccounts, report }: EgressWatch): void {
  if (expectedAccounts.length === 0) return;
  const expected = new Set(expectedAccounts);
  const reported = new Set<string>();
  const first = watching === undefined;
  watching = {
    see(host, authorization) {
      if (typeof authorization !== "string") return;
      const key = CREDENTIAL.exec(authorization.slice(0, LONGEST))?.[1];
      if (key === undefined || reported.has(key)) return;
      const account = accountOfAccessKey(key);
      if (account.kind !== "known" || expected.has(account.accountId) || reported.size >= MOST_KEYS) return;
      reported.add(key);
      report("credentials.foreign_account_signed", {
        message: `This process signs requests to ${host.slice(0, 253)} with an access key of account ${account.accountId}, which is not expected`,
        claimed: { accountId: account.accountId, accessKeyId: maskAccessKeyId(key) },
        evidence: [
          { source: "Authorization", value: maskAccessKeyId(key), says: `a key of account ${account.accountId}` },
          { source: "expectedAccounts", value: expectedAccounts.slice(0, 5).join(", "), says: "the accounts that are" },
        ],
        advice:
          "Find out where the key comes from: code, environment, a file, or whoever answers as IMDS. If the account is yours, add it to expectedAccounts.",
      });
    },
  };
  if (!first) return;
  subscribe(HTTP_CHANNEL, (message) => guarded(() => seeHttp(message)));
  subscribe(UNDICI_CHANNEL, (message) => guarded(() => seeUndici(message)));
}

/** The request goes out whatever happens here. */
function guarded(look: () => void): void {
  try {
    look();
  } catch {
    // A request of a shape that nobody knows tells nothing.
  }
}

interface ClientRequest {
  readonly host?: unknown;
  readonly getHeader: (name: string) => unknown;
  readonly _header?: unknown;
}

function seeHttp(message: unknown): void {
  const { request } = message as { readonly request: ClientRequest };
  const { host } = request;
  if (typeof host !== "string" || !AWS_HOST.test(host)) return;
  // Headers that were given as a list are in the text alone.
  watching?.see(host, request.getHeader("authorization") ?? authorizationIn(request._header));
}

function seeUndici(message: unknown): void {
  const { request } = message as { readonly request: { readonly origin?: unknown; readonly headers?: unknown } };
  const { origin, headers } = request;
  const host = typeof origin === "string" ? origin : origin instanceof URL ? origin.origin : "";
  if (!AWS_HOST.test(host)) return;
  watching?.see(host.replace(/^https?:\/\//, ""), authorizationIn(headers));
}

/** undici 6 and later keep names and values in a list, earlier ones in the text that is sent. */
function authorizationIn(headers: unknown): unknown {
  if (typeof headers === "string") return /^authorization: ([^\r\n]{0,512})/im.exec(headers)?.[1];
  if (!Array.isArray(headers)) return undefined;
  const list = headers as readonly unknown[];
  for (let at = 0; at < list.length; at += 2) {
    const name = list[at];
    if (typeof name === "string" && name.length === 13 && name.toLowerCase() === "authorization") return list[at + 1];
  }
  return undefined;
}
