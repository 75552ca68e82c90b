/** One event as one line for a person: printable ASCII only, so that neither a terminal nor a log can be spoofed. */
import { hostAndPort } from "./address.js";
import { boundAscii, logValue } from "../base/text.js";
import type { GuardEvent } from "./catalogue.js";

/**
 * Characters of a line. With its newline it stays below 4096 bytes (PIPE_BUF on Linux), up to which a pipe takes a
 * line whole or not at all.
 */
export const MAX_LINE = 4_000;

// Message, facts and advice each have a share, so that flooding one cannot push out the others.
const MESSAGE_SHARE = 1_000;
const FACTS_SHARE = 1_900;
const ADVICE_SHARE = 900;
const VALUE_SHARE = 300;
const EVIDENCE_SHOWN = 4;

/**
 * `imds-guard: warning: <message> [imds.code] endpoint=169.254.169.254:80 ... advice: <what to do>`, without a newline.
 * Facts that do not fit are left out and marked by `...`.
 */
export function toText(event: GuardEvent): string {
  const { severity, code, advice } = event;
  const parts = [`imds-guard: ${severity}: ${boundAscii(event.message, MESSAGE_SHARE)} [${code}]`];
  let room = FACTS_SHARE;
  for (const [name, value] of facts(event)) {
    const fact = `${name}=${logValue(value, VALUE_SHARE)}`;
    room -= fact.length + 1;
    if (room < 0) {
      parts.push("...");
      break;
    }
    parts.push(fact);
  }
  if (advice !== "") parts.push(`advice: ${boundAscii(advice, ADVICE_SHARE)}`);
  return boundAscii(parts.join(" "), MAX_LINE);
}

function* facts({ endpoint, claimed, responder, evidence }: GuardEvent): Generator<readonly [string, string]> {
  const named: readonly (readonly [string, string | undefined])[] = [
    ["endpoint", endpoint && hostAndPort(endpoint)],
    ["claimed_account", claimed?.accountId],
    ["claimed_role", claimed?.roleName],
    ["claimed_region", claimed?.region],
    ["claimed_instance", claimed?.instanceId],
    ["claimed_key", claimed?.accessKeyId],
    ["mac", responder?.mac],
    ["interface", responder?.interface],
    ["gateway", responder?.gateway],
    ["route", responder?.route],
    ["local", responder?.localAddress],
  ];
  for (const [name, value] of named) if (value !== undefined) yield [name, value];
  for (const { source, value, says } of evidence.slice(0, EVIDENCE_SHOWN)) {
    yield ["evidence", value === undefined ? `${source}: ${says}` : `${source} = ${value}: ${says}`];
  }
}
