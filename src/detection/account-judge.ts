/** Judges lines of any log by the AWS accounts that they tell: requests that were signed with keys of strangers. */
import { checkAccountIds, isAccountId } from "../aws/access-key.js";
import { maskAccessKeyId } from "../base/text.js";
import { ACCOUNT_FORMS, accountsIn } from "./account-forms.js";
import type { AccountForm, AccountSeen, ForeignAccount } from "./account-forms.js";
import { nextAccount } from "./account-search.js";
import type { Judge, JudgeRule, ReadLine, Verdict } from "./judges.js";
import { fieldOf, firstOf, isText } from "./log-record.js";
import type { LogRecord } from "./log-record.js";
import type { Level } from "./sigma-rule.js";

/** One account over the whole scan. */
export interface AccountTally {
  readonly account: string;
  readonly count: number;
  /** How often in each form. */
  readonly forms: Readonly<Partial<Record<AccountForm, number>>>;
  /** ISO 8601, where the logs tell. */
  readonly first?: string;
  readonly last?: string;
  /** Masked; the first few. */
  readonly accessKeyIds: readonly string[];
  readonly services: readonly string[];
  readonly regions: readonly string[];
  readonly hosts: readonly string[];
}

/** What a scan learned of accounts. */
export interface AccountsSummary {
  /** Most often seen first. */
  readonly accounts: readonly AccountTally[];
  /** Keys that tell no account: those from before about 2019, and examples of the documentation. */
  readonly unknownKeys: number;
  /** Lines with an account beyond the number that is counted. */
  readonly uncounted: number;
}

/** A judge, and what it has seen. */
export interface AccountJudge extends Judge {
  readonly summary: () => AccountsSummary;
}

/** Options of {@link createAccountJudge}. */
export interface AccountJudgeOptions {
  /** Accounts of one's own, at least one unless they are learned; what is of any other is a finding. */
  readonly accounts: readonly string[];
  /** Only count the accounts, and make no finding. Default `false`. */
  readonly learn?: boolean;
}

const RULE: Omit<JudgeRule, "level"> = {
  id: "egress.foreign_account",
  title: "AWS Account That Is Not One of Ours",
};

/** Different accounts that are counted, and different things told of each. */
const MOST_ACCOUNTS = 10_000;
const MOST_EXAMPLES = 10;

/**
 * A judge for `scan`.
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE` for what is no account id
 */
export function createAccountJudge({ accounts, learn = false }: AccountJudgeOptions): AccountJudge {
  if (!learn) checkAccountIds(accounts);
  const own = new Set(accounts);
  const passOver = new Set(learn ? [] : accounts);
  const numbers = new Set(learn ? [] : accounts.map(Number));
  const tallies = new Map<string, Tally>();
  let unknownKeys = 0;
  let uncounted = 0;

  function count(seen: AccountSeen & { readonly account: string }, time: string | undefined): Tally | undefined {
    let tally = tallies.get(seen.account);
    if (tally === undefined) {
      if (tallies.size >= MOST_ACCOUNTS) {
        uncounted++;
        return undefined;
      }
      tally = new Tally(seen.account);
      tallies.set(seen.account, tally);
    }
    tally.add(seen, time);
    return tally;
  }

  return {
    next: (buffer, from, to) => nextAccount(buffer, from, to, numbers),
    line(line) {
      const verdicts: Verdict[] = [];
      const context = new LineContext(line);
      const seenHere = accountsIn(line.text, { passOver, accountOfSession: () => context.accountOfSession });
      for (const seen of strongest(withColumns(seenHere, line))) {
        const { account } = seen;
        if (account === undefined) {
          if (seen.accessKeyId !== undefined) unknownKeys++;
          continue;
        }
        if (!learn && own.has(account)) continue;
        const host = seen.host ?? context.host;
        const whole = { ...seen, account, ...(host !== undefined && { host }) };
        const tally = count(whole, context.time);
        if (learn) continue;
        verdicts.push({
          rule: { ...RULE, level: levelOf(seen.form, context) },
          foreign: {
            ...whole,
            ...(seen.accessKeyId !== undefined && { accessKeyId: maskAccessKeyId(seen.accessKeyId) }),
            ...(tally ?? new Tally(account)).soFar(),
          },
        });
      }
      return verdicts;
    },
    summary: () => ({
      accounts: [...tallies.values()]
        .map((tally) => tally.result())
        .sort((a, b) => b.count - a.count || (a.account < b.account ? -1 : 1)),
      unknownKeys,
      uncounted,
    }),
  };
}

class Tally {
  readonly #account: string;
  readonly #forms = new Map<AccountForm, number>();
  readonly #keys = new Set<string>();
  readonly #services = new Set<string>();
  readonly #regions = new Set<string>();
  readonly #hosts = new Set<string>();
  #count = 0;
  #first: string | undefined;
  #last: string | undefined;

  constructor(account: string) {
    this.#account = account;
  }

  add({ form, accessKeyId, service, region, host }: AccountSeen, time: string | undefined): void {
    this.#count++;
    this.#forms.set(form, (this.#forms.get(form) ?? 0) + 1);
    keep(this.#keys, accessKeyId && maskAccessKeyId(accessKeyId));
    keep(this.#services, service);
    keep(this.#regions, region);
    keep(this.#hosts, host);
    // ISO 8601 of four-digit years orders as text.
    if (time !== undefined && (this.#first === undefined || time < this.#first)) this.#first = time;
    if (time !== undefined && (this.#last === undefined || time > this.#last)) this.#last = time;
  }

  soFar(): Pick<ForeignAccount, "count" | "first" | "last"> {
    return {
      count: this.#count,
      ...(this.#first !== undefined && { first: this.#first }),
      ...(this.#last !== undefined && { last: this.#last }),
    };
  }

  result(): AccountTally {
    return {
      account: this.#account,
      ...this.soFar(),
      forms: Object.fromEntries(
        ACCOUNT_FORMS.flatMap((form) => {
          const count = this.#forms.get(form);
          return count === undefined ? [] : [[form, count]];
        }),
      ),
      accessKeyIds: [...this.#keys],
      services: [...this.#services],
      regions: [...this.#regions],
      hosts: [...this.#hosts],
    };
  }
}

function keep(values: Set<string>, value: string | undefined): void {
  if (value !== undefined && values.size < MOST_EXAMPLES) values.add(value);
}

/** Each key, and of each account that no key tells, the form that says most. */
function strongest(all: readonly AccountSeen[]): readonly AccountSeen[] {
  if (all.length < 2) return all;
  const best = new Map<string, AccountSeen>();
  for (const seen of all) {
    const { account = "", form } = seen;
    const other = best.get(account);
    if (other === undefined || ACCOUNT_FORMS.indexOf(form) < ACCOUNT_FORMS.indexOf(other.form)) best.set(account, seen);
  }
  return all.filter((seen) => seen.accessKeyId !== undefined || best.get(seen.account ?? "") === seen);
}

const HIGH: ReadonlySet<AccountForm> = new Set(["sigv4", "sigv4a", "sigv2", "post-form", "instance-session"]);

function levelOf(form: AccountForm, line: LineContext): Level {
  if (HIGH.has(form)) return "high";
  if (form === "host-name") return "medium";
  // Browsers follow presigned URLs of strangers all day; who writes to one gives data away.
  return (form === "presigned" || form === "presigned-v2") && line.writes ? "high" : "low";
}

const METHODS = [
  "cs-method",
  "method",
  "http.method",
  "http.request.method",
  "http_method",
  "request_method",
  "requestMethod",
  "httpMethod",
  "http_request.http_method",
  "request.method",
];
/** The method of a request as logs write it. */
const METHOD = /(?:^|[\s"'\[(|,;:=>])(GET|HEAD|PUT|POST|DELETE|PATCH)(?=[\s"'\])|,;\\<]|$)/;

function writes({ text, records }: ReadLine): boolean {
  for (const { fields } of records) {
    const method = firstOf(fields, METHODS);
    if (isText(method)) return /^(?:PUT|POST|DELETE|PATCH)$/i.test(method);
  }
  const method = METHOD.exec(text)?.[1];
  return method !== undefined && method !== "GET" && method !== "HEAD";
}

const HOSTS = [
  "cs-host",
  "host",
  "http.hostname",
  "tls.sni",
  "dns.rrname",
  "tls.client.server_name",
  "server_name",
  "sni",
  "url.domain",
  "destination.domain",
  "http_request.url.hostname",
  "eventSource",
  "query",
];

function hostOf(records: readonly LogRecord[]): string | undefined {
  const hosts = records.map(({ fields }) => firstOf(fields, HOSTS));
  return hosts.find((host): host is string => isText(host) && /^[A-Za-z0-9.-]{1,253}$/.test(host));
}

function timeOf(records: readonly LogRecord[]): string | undefined {
  const time = records.find((record) => record.time !== undefined)?.time;
  return time === undefined || Math.abs(time) > 8.64e15 ? undefined : new Date(time).toISOString();
}

/** CloudTrail says beside the principal whose it is. */
function accountOfSession({ text, records }: ReadLine): string | undefined {
  for (const { fields } of records) {
    const account = fieldOf(fields, "userIdentity.accountId");
    if (isAccountId(account)) return account;
  }
  return /accountId["'\\]{0,8}\s{0,4}[:=]\s{0,4}["'\\]{0,8}([0-9]{12})(?![0-9])/.exec(text)?.[1];
}

/** What a line tells beside its accounts: looked for once, and only where an account of it asks. */
class LineContext {
  readonly #line: ReadLine;
  #writes: boolean | undefined;
  #host: { readonly is: string | undefined } | undefined;
  #time: { readonly is: string | undefined } | undefined;
  #session: { readonly is: string | undefined } | undefined;

  constructor(line: ReadLine) {
    this.#line = line;
  }

  get writes(): boolean {
    return (this.#writes ??= writes(this.#line));
  }

  get host(): string | undefined {
    return (this.#host ??= { is: hostOf(this.#line.records) }).is;
  }

  /** ISO 8601. */
  get time(): string | undefined {
    return (this.#time ??= { is: timeOf(this.#line.records) }).is;
  }

  get accountOfSession(): string | undefined {
    return (this.#session ??= { is: accountOfSession(this.#line) }).is;
  }
}

/** With the accounts of columns, whose names stand in another line or nowhere: those of flow logs and CSV. */
function withColumns(seen: readonly AccountSeen[], { records, row }: ReadLine): readonly AccountSeen[] {
  let all: AccountSeen[] | undefined;
  for (const fields of [...records.map((record) => record.fields), ...(row === undefined ? [] : [row])]) {
    for (const name of Object.keys(fields)) {
      const account = ACCOUNT_FIELD.test(name) ? fields[name] : undefined;
      if (!isAccountId(account) || (all ?? seen).some((one) => one.account === account)) continue;
      (all ??= [...seen]).push({ form: "account-id", account });
    }
  }
  return all ?? seen;
}

const ACCOUNT_FIELD = /account(?:[._ -]?(?:id|number|uid))?$/i;
