/** What rules of nftables and iptables, as their own tools list them, do to packets for the metadata addresses. */
import { IMDS_IPV4, IMDS_IPV6, inNetwork, parseIp, parseNetwork } from "../../base/addresses.js";

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

interface Chain {
  readonly table: string;
  readonly name: string;
  /** Lower case; only of chains that the kernel calls by itself. */
  readonly hook: string | undefined;
  readonly rules: string[];
}

interface Ruleset {
  readonly chains: readonly Chain[];
  /** Table and name of a named set -> its text. */
  readonly sets: ReadonlyMap<string, string>;
}

/** Reads `nft list ruleset`. */
export function readNft(text: string): readonly FilterRule[] {
  const chains: Chain[] = [];
  const sets = new Map<string, string>();
  let table = "";
  let within: { readonly chain: Chain } | { readonly set: string } | undefined;
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
  return judged({ chains, sets }, nftDestinations, nftVerdict);
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
    if (rule) chains.get(`${table} ${rule[1]}`)?.rules.push(rule[2] as string);
  }
  return judged({ chains: [...chains.values()], sets: new Map() }, iptablesDestinations, iptablesVerdict);
}

type Verdict = Pick<FilterRule, "effect"> | { readonly chain: string } | undefined;

function judged(
  { chains, sets }: Ruleset,
  destinations: (rule: string, table: string, sets: Ruleset["sets"]) => string,
  verdict: (rule: string) => Verdict,
): FilterRule[] {
  const find = (table: string, name: string): Chain | undefined =>
    chains.find((chain) => chain.table === table && chain.name === name);

  function effectOf(rule: string, table: string, depth = 0): FilterRule["effect"] {
    const found = verdict(rule);
    if (found === undefined || depth > MAX_DEPTH) return "unclear";
    if ("effect" in found) return found.effect;
    const effects = (find(table, found.chain)?.rules ?? []).map((inner) => effectOf(inner, table, depth + 1));
    return effects.includes("blocks") ? "blocks" : "unclear";
  }

  function hooksOf({ table, name, hook }: Chain, depth = 0): readonly string[] {
    if (hook !== undefined) return [hook];
    if (depth > MAX_DEPTH) return [];
    const callers = chains.filter(
      (chain) =>
        chain.table === table &&
        chain.rules.some((rule) => {
          const found = verdict(rule);
          return found !== undefined && "chain" in found && found.chain === name;
        }),
    );
    return callers.flatMap((chain) => hooksOf(chain, depth + 1));
  }

  return chains.flatMap((chain) => {
    const ownPackets = hooksOf(chain).some((hook) => hook === "output" || hook === "postrouting");
    return chain.rules.flatMap((rule) => {
      const address = [IMDS_IPV4, IMDS_IPV6].find((candidate) =>
        names(destinations(rule, chain.table, sets), candidate),
      );
      return address === undefined || OTHER_PORT.test(rule)
        ? []
        : [{ text: rule, address, effect: effectOf(rule, chain.table), ownPackets }];
    });
  });
}

/** One port that is not the one of the metadata service, as both tools write it. */
const OTHER_PORT = /\bdport (?!80\b)\d+(?![\d:-])/;

/** Chains that lead to one another; a ruleset cannot make circles, but a text can. */
const MAX_DEPTH = 8;

function nftDestinations(rule: string, table: string, sets: Ruleset["sets"]): string {
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
