/** How the details of a finding are worded, on a terminal and on the page. */
import type { FindingGroup } from "../detection/scan-summary.js";

/** Who asked: `10.0.0.5:43210, host web1, user bob, node (1234), pod web-7d`. */
export function whoText({
  address,
  port,
  host,
  user,
  process,
  pid,
  parent,
  pod,
  container,
  arn,
}: FindingGroup["who"]): string {
  return [
    address === undefined ? undefined : withPort(address, port),
    host === undefined ? undefined : `host ${host}`,
    user === undefined ? undefined : `user ${user}`,
    process === undefined
      ? pid === undefined
        ? undefined
        : `process ${pid}`
      : `${process}${pid === undefined ? "" : ` (${pid})`}`,
    parent === undefined ? undefined : `started by ${parent}`,
    pod === undefined ? undefined : `pod ${pod}`,
    container === undefined ? undefined : `container ${container}`,
    arn,
  ]
    .filter((part) => part !== undefined)
    .join(", ");
}

/** What was asked for, each on a line of its own. */
export function whatText(what: { readonly [Name in keyof FindingGroup["what"]]?: string | undefined }): string[] {
  const { to, port, method, url, userAgent, referrer, command, query, answers, call } = what;
  return [
    url === undefined ? method : `${method === undefined ? "" : `${method} `}${url}`,
    call,
    command === undefined ? undefined : `$ ${command}`,
    query === undefined ? undefined : `DNS ${query}${answers === undefined ? "" : ` = ${answers}`}`,
    to === undefined ? undefined : `to ${withPort(to, port)}`,
    userAgent === undefined ? undefined : `agent ${userAgent}`,
    referrer === undefined ? undefined : `referrer ${referrer}`,
  ].filter((part) => part !== undefined);
}

/** How it went: `200, 318 bytes`, `no answer (S0)`; of several, how many. */
export function answerText(
  { answered, status, bytes, state }: FindingGroup["answer"],
  counts?: Pick<FindingGroup, "count" | "answered" | "unanswered">,
): string {
  const parts = [
    answered === false ? "no answer" : answered === true && status === undefined ? "answered" : undefined,
    status === undefined ? undefined : `status ${status}`,
    bytes === undefined || (answered === false && bytes === "0") ? undefined : `${bytes} bytes`,
    state === undefined ? undefined : `(${state})`,
  ].filter((part) => part !== undefined);
  const both = counts !== undefined && counts.count > 1 && counts.answered > 0 && counts.answered < counts.count;
  return `${parts.join(", ").replace(", (", " (")}${both ? `; ${counts.answered} of ${counts.count} answered` : ""}`;
}

/** When: `, 2026-07-05T10:00:00.000Z`, or from when to when. */
export function whenText({ first, last }: Pick<FindingGroup, "first" | "last">): string {
  if (first === undefined) return ", at a time that the log does not tell";
  return first === last ? `, ${first}` : `, ${first} to ${last}`;
}

function withPort(address: string, port: string | undefined): string {
  if (port === undefined) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
