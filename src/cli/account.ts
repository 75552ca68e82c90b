/** `imds-guard account`: whose access keys these are, and how the keys of an account begin. */
import type { Readable } from "node:stream";
import { accountOfAccessKey, accountOfPrincipalId, isAccountId, startOfKeyIds } from "../aws/access-key.js";
import type { UnknownAccountReason } from "../aws/access-key.js";
import { terminalLine } from "../base/text.js";
import { ACCOUNTS_OPTION, accountsOf } from "./account-list.js";
import type { Command, CommandContext, ExitCode } from "./command.js";
import { UsageError } from "./command.js";
import type { Ui } from "./ui.js";

const FORMS = ["regex", "sigma", "grep", "suricata", "kql", "spl"] as const;
type Form = (typeof FORMS)[number];

export const command: Command = {
  name: "account",
  summary: "tell whose access keys these are, offline; or how all keys of an account begin",
  usage: "KEY...|- | ACCOUNT... --pattern [FORM]",
  description: [
    "An access key id made since about 2019 tells its account: KEY is one (AKIA..., ASIA...), or the unique id of a role, user or instance profile (AROA..., AIDA..., AIPA...); with - they are read from standard input, separated by white space. Nothing is asked of AWS. An older id tells no account, and those of AWS's documentation are of none.",
    "With --pattern it is the other way round: an account number alone fixes how all its key ids begin, and the pattern is printed for a tool that searches logs: regex (also that of JavaScript, Python and PCRE), sigma, grep (for grep -E), suricata, kql or spl. It does not match ids from before about 2019.",
    "Exit code 1 if --accounts is given and a key is of none of them; 3 without one if a key tells no account. With --json: keys (id, kind, account or reason, pattern, listed), or form and pattern.",
  ],
  options: [
    ACCOUNTS_OPTION,
    {
      name: "pattern",
      value: "FORM",
      bare: "regex",
      words: FORMS,
      summary: "print the pattern of all keys of ACCOUNT",
    },
  ],
  examples: [
    { command: "imds-guard account ASIARTX3GSDSQAAAAAAA --accounts 111122223333", does: "is that one of ours?" },
    {
      command: 'grep -E "$(imds-guard account 111122223333 --pattern grep)" proxy.log',
      does: "every request signed with a key of that account",
    },
    {
      command: "grep -ohE '(AKIA|ASIA)[A-Z2-7]{16}' *.log | sort -u | imds-guard account - --accounts @ours.txt",
      does: "strangers' keys in any text",
    },
  ],
  async run(context) {
    const { options, words } = context;
    const accounts = accountsOf(options);
    if (options["pattern"] !== undefined) return printPattern(options["pattern"] as Form, accounts ?? [], context);
    if (words.length === 0) throw new UsageError("account needs an access key id, or - for standard input");
    if (words.filter((word) => word === "-").length > 1) throw new UsageError("standard input can be read once");
    const number = words.find(isAccountId);
    if (number !== undefined)
      throw new UsageError(`${number} is an account, not an access key`, `imds-guard account ${number} --pattern`);
    return judge(idsOf(words, process.stdin), accounts, context);
  },
};

/** What one id says. */
interface Described {
  /** As it was given, or as much of it as may be shown. */
  readonly id: string;
  readonly kind: string;
  readonly account?: string;
  readonly reason?: UnknownAccountReason;
  readonly pattern?: string;
  /** Whether it is of one of the accounts given. */
  readonly listed?: boolean;
}

/** One document of JSON holds no more. */
const MOST_IN_JSON = 1_000_000;

async function judge(
  ids: AsyncIterable<string>,
  accounts: readonly string[] | undefined,
  { json, ui }: CommandContext,
): Promise<ExitCode> {
  const own = accounts && new Set(accounts);
  const keys: Described[] = [];
  let count = 0;
  let foreign = 0;
  let unknown = 0;
  for await (const id of ids) {
    const described = describeId(id, own);
    if (described.account === undefined) unknown++;
    else if (described.listed === false) foreign++;
    if (++count > MOST_IN_JSON && json) throw new UsageError(`--json takes at most ${MOST_IN_JSON} keys`);
    if (json) keys.push(described);
    else printDescribed(described, ui);
  }
  if (count === 0) throw new UsageError("there was no access key id on standard input");
  if (json) ui.json({ version: 1, keys });
  if (foreign > 0) return 1;
  return unknown > 0 ? 3 : 0;
}

const KINDS: Readonly<Record<string, string>> = {
  AKIA: "long-term access key",
  ASIA: "temporary access key",
  ABIA: "STS bearer token",
  ACCA: "context-specific credential",
  AROA: "role",
  AIDA: "user",
  AIPA: "instance profile",
};

const REASONS: Readonly<Record<UnknownAccountReason, string>> = {
  documentation: "an example of AWS's documentation, of no account",
  "old-format": "from before about 2019: only AWS knows its account",
  "not-decodable": "it has the form of a key that tells its account, but stands for none",
  "not-an-access-key": "no access key id: those have 20 characters, capital letters and digits",
  "not-a-principal-id": "no principal id: those have 21 characters, capital letters and digits",
};

function describeId(id: string, own: ReadonlySet<string> | undefined): Described {
  const prefix = id.slice(0, 4);
  const principal = ["AROA", "AIDA", "AIPA"].includes(prefix);
  const owner = principal ? accountOfPrincipalId(id) : accountOfAccessKey(id);
  const kind =
    owner.kind === "unknown" && owner.reason.startsWith("not-a") ? "unknown" : (KINDS[prefix] ?? "unknown prefix");
  if (owner.kind === "unknown") return { id: shown(id, owner.reason), kind, reason: owner.reason };
  const { accountId: account } = owner;
  const prefixes = principal ? prefix : "(AKIA|ASIA)";
  return {
    id,
    kind,
    account,
    pattern: prefixes + startOfKeyIds(account),
    ...(own && { listed: own.has(account) }),
  };
}

/** What is no key id may be the secret that belongs to one: only its beginning is shown. */
function shown(id: string, reason: UnknownAccountReason): string {
  const long = id.length > 21 && reason.startsWith("not-a");
  return terminalLine(long ? `${id.slice(0, 4)}... (${id.length} characters)` : id);
}

function printDescribed({ id, kind, account, reason, pattern, listed }: Described, ui: Ui): void {
  const said =
    account === undefined
      ? [ui.paint("unknown     ", "unknown"), REASONS[reason!]]
      : [
          listed === false ? ui.paint(account, "finding") : account,
          kind.padEnd(20),
          pattern!,
          ...(listed === undefined ? [] : [listed ? "one of yours" : ui.paint("NOT one of yours", "finding")]),
        ];
  const [first = "", ...rest] = said.map((text) => text.trimEnd());
  // On a terminal what does not fit goes on below itself; for programs a key is one line.
  if (ui.terminal) ui.table([[id.padEnd(21), first.padEnd(12), rest.join(", ")]]);
  else ui.line([id.padEnd(21), ...said].join("  "));
}

/** Longer words are no ids, whatever follows. */
const LONGEST = 4_096;

async function* idsOf(words: readonly string[], stdin: Readable): AsyncGenerator<string, void, void> {
  for (const word of words) {
    if (word === "-") yield* wordsOf(stdin);
    else yield word;
  }
}

/** The words of a stream; of longer ones than an id can be, the beginning. */
async function* wordsOf(stream: Readable): AsyncGenerator<string, void, void> {
  let rest = "";
  stream.setEncoding("utf8");
  for await (const chunk of stream as AsyncIterable<string>) {
    const parts = (rest + chunk).split(/[\s,;"']+/);
    rest = parts.pop()!.slice(0, LONGEST);
    for (const part of parts) if (part !== "") yield part;
  }
  if (rest !== "") yield rest;
}

function printPattern(form: Form, listed: readonly string[], { words, json, ui }: CommandContext): 0 {
  const wrong = words.find((word) => !isAccountId(word));
  if (wrong !== undefined)
    throw new UsageError(`${terminalLine(wrong).slice(0, 40)} is no account id`, "account ids have 12 digits");
  const accounts = [...new Set([...words, ...listed])];
  if (accounts.length === 0) throw new UsageError("account --pattern needs an account id of 12 digits");
  const pattern = PATTERNS[form](accounts);
  if (json) ui.json({ version: 1, accounts, form, pattern });
  else ui.line(pattern);
  return 0;
}

/** The ids of keys of these accounts, with groups that every engine knows. */
function idsOfAccounts(accounts: readonly string[], group = "("): string {
  const starts = accounts.map(startOfKeyIds);
  const start = starts.length === 1 ? starts[0]! : `${group}${starts.join("|")})`;
  return `${group}AKIA|ASIA)${start}[A-Z2-7]{7}`;
}

const PATTERNS: Readonly<Record<Form, (accounts: readonly string[]) => string>> = {
  regex: (accounts) => String.raw`\b${idsOfAccounts(accounts, "(?:")}\b`,
  // Extended expressions of POSIX know neither groups without capture nor ends of words.
  grep: (accounts) => idsOfAccounts(accounts),
  sigma: (accounts) =>
    [
      "selection:",
      `    - userIdentity.accessKeyId|re: '^${idsOfAccounts(accounts, "(?:")}$'`,
      `    - cs-authorization|re: 'Credential=${idsOfAccounts(accounts, "(?:")}/'`,
    ].join("\n"),
  suricata: (accounts) =>
    [
      'alert http any any -> any any (msg:"Request signed with an AWS access key of account ',
      accounts.length === 1 ? accounts[0] : `${accounts[0]} or ${accounts.length - 1} more`,
      '"; flow:established,to_server; http.header; content:"Credential="; ',
      `pcre:"/Credential=${idsOfAccounts(accounts, "(?:")}\\//"; classtype:policy-violation; sid:1690001; rev:1;)`,
    ].join(""),
  kql: (accounts) => `matches regex @"${idsOfAccounts(accounts, "(?:")}"`,
  spl: (accounts) => `| regex _raw="${idsOfAccounts(accounts, "(?:")}"`,
};
