/** Watches logs that grow for accounts that are not one's own, reports requests signed with their keys, and counts all. */
import { basename } from "node:path";
import type { System } from "../base/system.js";
import type { EventDetails } from "../events/catalogue.js";
import type { Reporter } from "../events/reporter.js";
import type { AccountForm } from "./account-forms.js";
import { createAccountJudge } from "./account-judge.js";
import { followLog } from "./log-follow.js";
import { scan } from "./scan.js";
import type { ScanFinding } from "./scan-finding.js";
import type { Level } from "./sigma-rule.js";

/** What is watched, and who hears of it. */
export interface AccountWatchOptions {
  readonly logs: readonly string[];
  /** Accounts of one's own, at least one. */
  readonly accounts: readonly string[];
  readonly system: System;
  readonly reporter: Reporter;
  /** Milliseconds between looks at a log to which nothing was added. Default 1,000. */
  readonly everyMs?: number | undefined;
  /** Told the system's code when a log cannot be read, and undefined when it can; each once. */
  readonly onState?: ((log: string, code: string | undefined) => void) | undefined;
}

/** How often an account was seen in one form. */
export interface AccountCount {
  /** `other` beyond the first {@link MOST_COUNTED}. */
  readonly account: string;
  readonly form: AccountForm;
  readonly level: Level;
  readonly count: number;
}

/** One log. */
export interface WatchedLog {
  readonly log: string;
  readonly bytes: number;
  readonly readable: boolean;
}

/** Where a watch stands. */
export interface AccountWatchStatus {
  /** Accounts that are one's own. */
  readonly expected: number;
  readonly counts: readonly AccountCount[];
  readonly logs: readonly WatchedLog[];
  /** Events reported so far. */
  readonly reported: number;
}

/** A watch that runs. */
export interface AccountWatch {
  readonly status: () => AccountWatchStatus;
  /** Stops, once what was read has been judged. */
  readonly close: () => Promise<void>;
}

/** Different combinations of account, form and level that are counted apart: each is a time series for whoever scrapes. */
export const MOST_COUNTED = 200;
/** What a form is, in words. */
const WHAT: Readonly<Record<AccountForm, string>> = {
  sigv4: "an Authorization header signed with a key",
  sigv4a: "an Authorization header signed with a key",
  sigv2: "an Authorization header signed with a key",
  "post-form": "a form signed with a key",
  presigned: "a URL signed with a key",
  "presigned-v2": "a URL signed with a key",
  "instance-session": "the session of an instance",
  "host-name": "the name of a host",
  "access-key": "an access key",
  principal: "a principal",
  arn: "a resource",
  "account-id": "the id",
};
/** What goes on is reported again after so long. */
const AGAIN_MS = 3_600_000;
/** Keys that are told apart; later ones count for their account. */
const MOST_REPORTED = 10_000;

/** Starts to watch. What stands in the logs already is `scan`'s. */
export function watchAccounts(options: AccountWatchOptions): AccountWatch {
  const { accounts, system, reporter, onState } = options;
  const judge = createAccountJudge({ accounts });
  const counts = new Map<string, { account: string; form: AccountForm; level: Level; count: number }>();
  const lastReports = new Map<string, { at: number; since: number }>();
  const ending = new AbortController();
  let reported = 0;

  function count(account: string, form: AccountForm, level: Level): void {
    const name = `${account} ${form} ${level}`;
    const known = counts.get(name);
    if (known !== undefined) known.count++;
    else if (account === "other" || counts.size < MOST_COUNTED) counts.set(name, { account, form, level, count: 1 });
    else count("other", form, level);
  }

  function report(finding: ScanFinding, log: string): void {
    const { account = "", accessKeyId } = finding;
    const now = system.monotonic();
    const whole = `${account} ${accessKeyId ?? ""}`;
    const what = lastReports.has(whole) || lastReports.size < MOST_REPORTED ? whole : account;
    const last = lastReports.get(what);
    if (last !== undefined && now - last.at < AGAIN_MS) {
      last.since++;
      return;
    }
    if (last === undefined && lastReports.size >= 2 * MOST_REPORTED) return;
    lastReports.set(what, { at: now, since: 0 });
    reported++;
    reporter.report("egress.foreign_account", () => detailsOf(finding, log, last?.since ?? 0));
  }

  const logs = options.logs.map((log) => {
    const state = { log, bytes: 0, readable: false };
    let headLines = 0;
    async function* chunks(): AsyncGenerator<Buffer, void, void> {
      const followed = followLog(log, {
        signal: ending.signal,
        everyMs: options.everyMs,
        onState(code) {
          state.readable = code === undefined;
          onState?.(log, code);
        },
      });
      for await (const { bytes, head } of followed) {
        if (head) headLines += bytes.filter((byte) => byte === 0x0a).length;
        else state.bytes += bytes.length;
        yield bytes;
      }
    }
    const done = scan([{ name: log, stream: chunks() }], {
      rules: [],
      judges: [judge],
      now: system.now,
      onFinding(finding) {
        const { account, form } = finding;
        if (account === undefined || form === undefined || finding.line <= headLines) return;
        count(account, form, finding.rule.level);
        // What browsers follow and what a resource is called is counted, and wakes nobody.
        if (finding.rule.level === "high") report(finding, log);
      },
    }).then(
      () => undefined,
      () => {
        state.readable = false;
        onState?.(log, "ERR_SCAN");
      },
    );
    return { state, done };
  });

  return {
    status: () => ({
      expected: accounts.length,
      counts: [...counts.values()].map((one) => ({ ...one })),
      logs: logs.map(({ state }) => ({ ...state })),
      reported,
    }),
    async close() {
      ending.abort();
      await Promise.all(logs.map(({ done }) => done));
    },
  };
}

function detailsOf(finding: ScanFinding, log: string, since: number): EventDetails {
  const { account, accessKeyId, form = "account-id", region, service, host, from, who, what, line } = finding;
  const where = [service, region].filter((part) => part !== undefined).join(" in ");
  return {
    message: `${basename(log)} shows a request${where === "" ? "" : ` to ${where}`} with credentials of account ${account}, which is not one of ours${since > 0 ? `; ${since} more since the last report` : ""}`,
    claimed: { accountId: account, accessKeyId, region },
    evidence: [
      { source: log, value: `line ${line}`, says: `${WHAT[form]} of account ${account}` },
      ...(host === undefined ? [] : [{ source: "host", value: host, says: "where the request went" }]),
      ...(from === undefined ? [] : [{ source: "client", value: from, says: "who sent it" }]),
      ...(who.process === undefined ? [] : [{ source: "process", value: who.process, says: "what sent it" }]),
      ...(what.userAgent === undefined
        ? []
        : [{ source: "user agent", value: what.userAgent, says: "what it calls itself" }]),
    ],
    advice:
      "Find the host and the program that sent it, and where their credentials come from: code, a file, or whoever answers there as IMDS. If the account is yours, add it to --accounts.",
  };
}
