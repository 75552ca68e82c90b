/**
 * Does IMDSv1 answer? One or two GET requests without a token, for nothing secret, of which the first bytes are read.
 */
import { ROLE_LIST_PATH } from "../../aws/imds-protocol.js";
import { parseIp } from "../../base/addresses.js";
import { exchangeRaw } from "./raw-exchange.js";

/** What came back. */
export interface PlainAnswer {
  /** Undefined if nobody answered in HTTP. */
  readonly status: number | undefined;
  /**
   * What it shows of IMDSv1: EC2's listing of metadata, or the name of a role, as SDKs ask for before they ask for its
   * keys.
   */
  readonly shows: "metadata" | "role" | "nothing";
}

const LISTING = "/latest/meta-data/";

/**
 * Asks `address` without a token for the listing, and where that is not answered for the name of a role. Nothing asked
 * for is secret. Never rejects.
 */
export async function askWithoutToken(address: string, timeoutMs: number): Promise<PlainAnswer> {
  const listing = await getWithoutToken(address, LISTING, timeoutMs);
  if (listing.status === 200 && /^(?:ami-id|instance-id|iam\/?|hostname)\r?$/m.test(listing.body))
    return { status: 200, shows: "metadata" };
  if (listing.status === undefined || listing.status === 401) return { status: listing.status, shows: "nothing" };
  const role = await getWithoutToken(address, ROLE_LIST_PATH, timeoutMs);
  const named = role.status === 200 && /^[\w+=,.@-]{1,128}\s*$/.test(role.body);
  return { status: listing.status, shows: named ? "role" : "nothing" };
}

const MAX_BYTES = 8 * 1024;

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
}

async function getWithoutToken(address: string, path: string, timeoutMs: number): Promise<Answer> {
  const host = parseIp(address)?.family === 6 ? `[${address}]` : address;
  const head = [`GET ${path} HTTP/1.1`, `Host: ${host}`, "User-Agent: imds-guard-probe/1"];
  return readAnswer(await exchangeRaw({ address, port: 80, head, timeoutMs, maxBytes: MAX_BYTES }));
}

function readAnswer(received: string): Answer {
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)\b/.exec(received)?.[1];
  const body = received
    .split(/\r?\n\r?\n/)
    .slice(1)
    .join("\n");
  return { status: status === undefined ? undefined : Number(status), body };
}
