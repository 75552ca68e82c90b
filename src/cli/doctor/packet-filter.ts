/** What rules of nftables and iptables, as their own tools list them, do to packets for the metadata addresses. */
import { IMDS_IPV4, IMDS_IPV6, inNetwork, parseIp, parseNetwork } from "../../base/addresses.js";
import { own } from "./agents/documents.js";

/** One rule that names a metadata address, a network or a range around one, or a set that holds one. */
export interface FilterRule {
  /** As its tool printed it. */
  readonly text: string;
  /** The metadata address. */
  readonly address: string;
  /**
   * `blocks`: drops or rejects. `passes`: accepts. `unclear`: rewrites, marks, or leads where it could not be followed.
   */
  readonly effect: "blocks" | "passes" | "unclear";
  /** Whether it concerns programs of this host, and not only what the host forwards for others. */
  readonly ownPackets: boolean;
}

interface Rule {
  /** As its tool prints it. */
  readonly text: string;
  /** The addresses, networks and ranges that it names as destinations, in any text. */
  readonly destinations: string;
  readonly verdict: Verdict;
}

interface Chain<R = Rule> {
  readonly table: string;
  readonly name: string;
  /** Lower case; only of chains that the kernel calls by itself. */
  readonly hook: string | undefined;
  readonly rules: R[];
}

/** Reads `nft -j list ruleset`; `undefined` for what is none. */
export function readNftJson(text: string): readonly FilterRule[] | undefined {
  let objects: unknown;
  try {
    objects = own(JSON.parse(text), "nftables");
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (!Array.isArray(objects)) return undefined;
  const of = (kind: string): readonly unknown[] =>
    objects.map((object) => own(object, kind)).filter((one) => one !== undefined);
  const tableOf = (object: unknown): string => `${String(own(object, "family"))} ${String(own(object, "table"))}`;
  const sets = new Map(
    [...of("set"), ...of("map")].map((set) => [
      `${tableOf(set)} ${String(own(set, "name"))}`,
      operandText(own(set, "elem")),
    ]),
  );
  const chains = of("chain").map((chain): Chain => {
    const hook = own(chain, "hook");
    const hooked = typeof hook === "string" ? hook.toLowerCase() : undefined;
    return { table: tableOf(chain), name: String(own(chain, "name")), hook: hooked, rules: [] };
  });
  const byName = new Map(chains.map((chain) => [`${chain.table} ${chain.name}`, chain]));
  for (const rule of of("rule")) {
    const table = tableOf(rule);
    const statements = own(rule, "expr");
    if (!Array.isArray(statements)) continue;
    const comment = own(rule, "comment");
    byName.get(`${table} ${String(own(rule, "chain"))}`)?.rules.push({
      text: [...statements.map(statementText), ...(typeof comment === "string" ? [`comment "${comment}"`] : [])].join(
        " ",
      ),
      destinations: statements.map((statement) => destinationsOf(statement, table, sets)).join(" "),
      verdict: verdictOf(statements),
    });
  }
  return judged(chains);
}

/** The destinations of one statement of a rule, those of the set that it names included. */
function destinationsOf(statement: unknown, table: string, sets: ReadonlyMap<string, string>): string {
  const match = own(statement, "match");
  const vmap = own(statement, "vmap");
  const key = own(own(match, "left") ?? own(vmap, "key"), "payload");
  if (own(key, "field") !== "daddr" || own(match, "op") === "!=") return "";
  const operand = operandText(own(match, "right") ?? own(vmap, "data"));
  return operand.startsWith("@") ? (sets.get(`${table} ${operand.slice(1)}`) ?? "") : operand;
}

function verdictOf(statements: readonly unknown[]): Verdict {
  for (const statement of statements) {
    const target = own(own(statement, "jump") ?? own(statement, "goto"), "target");
    if (typeof target === "string") return { chain: target };
    if (own(statement, "drop") !== undefined || own(statement, "reject") !== undefined) return { effect: "blocks" };
    if (own(statement, "accept") !== undefined) return { effect: "passes" };
    const vmap = JSON.stringify(own(own(statement, "vmap"), "data") ?? null);
    if (/"(?:drop|reject)":/.test(vmap)) return { effect: "blocks" };
  }
  return undefined;
}

/** A value of nft's JSON as nft writes it in text. */
function operandText(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string" && value.includes(" ")) return `"${value}"`;
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return value.map(operandText).join(", ");
  const prefix = own(value, "prefix");
  if (own(prefix, "addr") !== undefined)
    return `${operandText(own(prefix, "addr"))}/${operandText(own(prefix, "len"))}`;
  const range = own(value, "range");
  if (Array.isArray(range)) return range.map(operandText).join("-");
  const set = own(value, "set");
  if (set !== undefined) return `{ ${operandText(set)} }`;
  // An element with a timeout, a counter or a comment
  const element = own(own(value, "elem"), "val");
  if (element !== undefined) return operandText(element);
  return Object.entries(value)
    .map(([name, inner]) => `${name} ${operandText(inner)}`.trim())
    .join(" ");
}

/** A statement as nft prints it, for those that matter here; any other by its name and values. */
function statementText(statement: unknown): string {
  const match = own(statement, "match");
  if (match !== undefined) {
    const [left, op] = [own(match, "left"), own(match, "op")];
    const payload = own(left, "payload");
    const what =
      payload === undefined
        ? operandText(left).replace(/^meta key /, "meta ")
        : `${operandText(own(payload, "protocol"))} ${operandText(own(payload, "field"))}`;
    return `${what} ${op === "==" || op === "in" ? "" : `${String(op)} `}${operandText(own(match, "right"))}`;
  }
  for (const name of ["jump", "goto"]) {
    const target = own(own(statement, name), "target");
    if (target !== undefined) return `${name} ${String(target)}`;
  }
  const port = (value: unknown): string =>
    own(value, "port") === undefined ? "" : `:${operandText(own(value, "port"))}`;
  const redirect = own(statement, "redirect");
  if (redirect !== undefined) return `redirect to ${port(redirect)}`;
  const dnat = own(statement, "dnat");
  if (dnat !== undefined) return `dnat to ${operandText(own(dnat, "addr"))}${port(dnat)}`;
  return operandText(statement);
}

/** Reads `nft list ruleset`, of an nft that writes no JSON. */
export function readNft(text: string): readonly FilterRule[] {
  const chains: Chain<string>[] = [];
  const sets = new Map<string, string>();
  let table = "";
  let within: { readonly chain: Chain<string> } | { readonly set: string } | undefined;
  const lines = text.split("\n").map((line) => line.trim());
  for (const [index, line] of lines.entries()) {
    const opened = /^(table|chain|set|map) (.+?) \{$/.exec(line);
    if (opened?.[1] === "table") table = opened[2] as string;
    else if (opened?.[1] === "chain") {
      const hook = /^type \S+ hook (\S+)/.exec(lines[index + 1] ?? "")?.[1];
      within = { chain: { table, name: opened[2] as string, hook, rules: [] } };
      chains.push(within.chain);
    } else if (opened) within = { set: `${table} ${opened[2] as string}` };
    else if (line === "}") within = undefined;
    else if (within !== undefined && "chain" in within) within.chain.rules.push(line);
    else if (within !== undefined) sets.set(within.set, `${sets.get(within.set) ?? ""} ${line}`);
  }
  return judged(
    chains.map((chain) => ({
      ...chain,
      rules: chain.rules.map((rule) => ({
        text: rule,
        destinations: nftDestinations(rule, chain.table, sets),
        verdict: nftVerdict(rule),
      })),
    })),
  );
}

/** Reads `iptables-save` or `ip6tables-save`. */
export function readIptables(text: string): readonly FilterRule[] {
  const chains = new Map<string, Chain>();
  let table = "";
  for (const line of text.split("\n").map((raw) => raw.trim())) {
    if (line.startsWith("*")) table = line.slice(1);
    const declared = /^:(\S+) (\S+)/.exec(line);
    // Built-in chains have a policy, those of users a dash.
    if (declared)
      chains.set(`${table} ${declared[1]}`, {
        table,
        name: declared[1] as string,
        hook: declared[2] === "-" ? undefined : declared[1]?.toLowerCase(),
        rules: [],
      });
    const rule = /^-A (\S+) (.*)$/.exec(line);
    const words = rule?.[2];
    if (words !== undefined)
      chains
        .get(`${table} ${rule?.[1]}`)
        ?.rules.push({ text: words, destinations: iptablesDestinations(words), verdict: iptablesVerdict(words) });
  }
  return judged([...chains.values()]);
}

type Verdict = Pick<FilterRule, "effect"> | { readonly chain: string } | undefined;

function judged(chains: readonly Chain[]): FilterRule[] {
  const find = (table: string, name: string): Chain | undefined =>
    chains.find((chain) => chain.table === table && chain.name === name);

  function effectOf({ verdict }: Rule, table: string, depth = 0): FilterRule["effect"] {
    if (verdict === undefined || depth > MAX_DEPTH) return "unclear";
    if ("effect" in verdict) return verdict.effect;
    const effects = (find(table, verdict.chain)?.rules ?? []).map((inner) => effectOf(inner, table, depth + 1));
    return effects.includes("blocks") ? "blocks" : "unclear";
  }

  function hooksOf({ table, name, hook }: Chain, depth = 0): readonly string[] {
    if (hook !== undefined) return [hook];
    if (depth > MAX_DEPTH) return [];
    const callers = chains.filter(
      (chain) =>
        chain.table === table &&
        chain.rules.some(({ verdict }) => verdict !== undefined && "chain" in verdict && verdict.chain === name),
    );
    return callers.flatMap((chain) => hooksOf(chain, depth + 1));
  }

  return chains.flatMap((chain) => {
    const ownPackets = hooksOf(chain).some((hook) => hook === "output" || hook === "postrouting");
    return chain.rules.flatMap((rule) => {
      const address = [IMDS_IPV4, IMDS_IPV6].find((candidate) => names(rule.destinations, candidate));
      return address === undefined || OTHER_PORT.test(rule.text)
        ? []
        : [{ text: rule.text, address, effect: effectOf(rule, chain.table), ownPackets }];
    });
  });
}

/** One port that is not the one of the metadata service, as both tools write it. */
const OTHER_PORT = /\bdport (?!80\b)\d+(?![\d:-])/;

/** Chains that lead to one another; a ruleset cannot make circles, but a text can. */
const MAX_DEPTH = 8;

function nftDestinations(rule: string, table: string, sets: ReadonlyMap<string, string>): string {
  const [, operand = ""] = /\bip6? daddr (?!!=)(@\S+|\{[^}]*\}|vmap \{[^}]*\}|\S+)/.exec(rule) ?? [];
  return operand.startsWith("@") ? (sets.get(`${table} ${operand.slice(1)}`) ?? "") : operand;
}

function nftVerdict(rule: string): Verdict {
  const plain = rule.replace(/"[^"]*"/g, "");
  const chain = /\b(?:jump|goto) (\S+)/.exec(plain)?.[1];
  if (chain !== undefined) return { chain };
  if (/\b(?:drop|reject)\b/.test(plain)) return { effect: "blocks" };
  return /\baccept\b/.test(plain) ? { effect: "passes" } : undefined;
}

function iptablesDestinations(rule: string): string {
  const ranges = /(?<!! )--dst-range (\S+)/.exec(rule)?.[1] ?? "";
  return /(?<!! )-d (\S+)/.exec(rule)?.[1] ?? ranges;
}

function iptablesVerdict(rule: string): Verdict {
  const target = /(?:^| )-[jg] (\S+)/.exec(rule.replace(/"[^"]*"/g, ""))?.[1];
  if (target === "DROP" || target === "REJECT") return { effect: "blocks" };
  if (target === "ACCEPT") return { effect: "passes" };
  // Targets that are no chains (LOG, DNAT, ...) are not found among them.
  return target === undefined ? undefined : { chain: target };
}

/** Whether a text names an address: by itself, in a network, or in a range. */
function names(text: string, address: string): boolean {
  return (text.match(/[0-9a-f]*[.:][0-9a-f.:]*(?:\/\d{1,3}|-[0-9a-f.:]+)?/gi) ?? []).some((item) => {
    const [first = "", last] = item.split("-");
    if (last !== undefined) return inRange(address, first, last);
    return (
      parseIp(first.split("/")[0] as string) !== undefined &&
      !first.endsWith("/0") &&
      inNetwork(parseNetwork(first), address)
    );
  });
}

function inRange(address: string, first: string, last: string): boolean {
  const [at, from, to] = [address, first, last].map(parseIp);
  if (
    at === undefined ||
    from === undefined ||
    to === undefined ||
    from.family !== at.family ||
    to.family !== at.family
  )
    return false;
  return Buffer.compare(from.bytes, at.bytes) <= 0 && Buffer.compare(at.bytes, to.bytes) <= 0;
}
