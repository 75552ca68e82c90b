/**
 * Whether this host itself keeps programs from the metadata addresses: routes that refuse, packet filter rules, and
 * what asking came to.
 */
import { IMDS_IPV4 } from "../../base/addresses.js";
import type { NetworkAnswers } from "./answers.js";
import type { System } from "../../base/system.js";
import type { Check, LocalGateway, Machine } from "./check.js";
import { readText } from "./check.js";
import { BLOCK_FIXES, limitsByUser } from "./fixes.js";
import type { FilterRule } from "./packet-filter.js";
import { readIptables, readNft, readNftJson } from "./packet-filter.js";
import type { MetadataRoute } from "./routes.js";

/** What could be seen of the packet filter. */
export interface FilterView {
  /** Tools whose rules were read. */
  readonly read: readonly string[];
  /** Rules that name a metadata address, with the tool that told them. */
  readonly rules: readonly (FilterRule & { readonly tool: string })[];
  /** Tools that are missing or refused to tell, with the reason. */
  readonly unseen: readonly string[];
}

const TOOLS = ["nft", "iptables-save", "ip6tables-save"] as const;
const TOOL_TIMEOUT_MS = 3_000;
/** Rules that are shown. */
const MAX_SHOWN = 20;

/** Reads the packet filter by its own tools. They tell root only. */
export async function readFilter({ system }: Machine): Promise<FilterView> {
  if (system.platform !== "linux")
    return { read: [], rules: [], unseen: [`packet filters are not read on ${system.platform}`] };
  const results = await Promise.all(
    TOOLS.map(async (command) => ({ command, result: await rulesOf(command, system) })),
  );
  const read: string[] = [];
  const rules: FilterView["rules"][number][] = [];
  const unseen: string[] = [];
  for (const { command, result } of results) {
    if (typeof result === "string") {
      unseen.push(`${command}: ${result}`);
      continue;
    }
    read.push(command);
    rules.push(...result.map((rule) => ({ ...rule, tool: command })));
  }
  return { read, rules, unseen };
}

/** The rules that one tool lists, or why it lists none. */
async function rulesOf(command: (typeof TOOLS)[number], system: System): Promise<readonly FilterRule[] | string> {
  if (command === "nft") {
    const json = await system.run(command, ["-j", "list", "ruleset"], TOOL_TIMEOUT_MS);
    const rules = json.kind === "failed" ? undefined : readNftJson(json.stdout);
    if (rules !== undefined) return rules;
    if (json.kind === "failed" && json.reason === "ENOENT") return NOT_INSTALLED;
  }
  // An nft may be built without JSON.
  const listed = await system.run(command, command === "nft" ? ["list", "ruleset"] : [], TOOL_TIMEOUT_MS);
  if (listed.kind === "failed") return listed.reason === "ENOENT" ? NOT_INSTALLED : "refused (needs root)";
  return command === "nft" ? readNft(listed.stdout) : readIptables(listed.stdout);
}

const NOT_INSTALLED = "not installed";
const REDIRECT = /redirect to :(\d+)|dnat(?: ip6?)? to (\S+)|--to-ports (\d+)|--to-destination (\S+)/i;
/** Written by `gateway install`, for those who may not see the packet filter. */
const OUR_STATE = "/run/imds-guard/gateway.json";

/** Where the packet filter leads what asks for IMDS, as far as rules or the note of our own gateway tell. */
export function gatewayOf(filter: FilterView, { system }: Machine): LocalGateway | undefined {
  const note = readText(system, OUR_STATE);
  const our = note.kind === "text" ? /"port":(\d+)/.exec(note.text)?.[1] : undefined;
  for (const { text, address } of filter.rules) {
    const redirect = address === IMDS_IPV4 ? REDIRECT.exec(text) : null;
    const target = redirect?.slice(1).find((part) => part !== undefined);
    if (target !== undefined) return { ours: target === our, target };
  }
  return our === undefined || filter.read.length > 0 ? undefined : { ours: true, target: our };
}

const EFFECTS: Readonly<Record<FilterRule["effect"], string>> = {
  blocks: "blocks a metadata address",
  passes: "lets packets for a metadata address pass",
  unclear: "names a metadata address",
};

/** Judges off EC2 whether programs can get out to the address; on EC2 they are meant to. */
export function judgeRules(
  filter: FilterView,
  routes: readonly MetadataRoute[],
  answers: NetworkAnswers | undefined,
  { host, gateway, system }: Machine,
): Check {
  const line = { section: "rules", id: "block", subject: "kernel rules" } as const;
  const evidence = filter.rules.slice(0, MAX_SHOWN).map(({ tool, text, effect, ownPackets }) => ({
    source: "packet filter",
    value: `${tool}: ${text.slice(0, 160)}`,
    says: `${EFFECTS[effect]}${ownPackets ? "" : ", but only what is forwarded for others"}`,
  }));
  const ofHost = filter.rules.filter(({ address, ownPackets }) => ownPackets && address === IMDS_IPV4);
  const seen = [filter.read.length > 0 ? `read: ${filter.read.join(", ")}` : undefined, ...filter.unseen]
    .filter((part) => part !== undefined)
    .join("; ");
  const route = routes.find(({ address }) => address === IMDS_IPV4);
  const asked = answers?.imds.find(({ address }) => address === IMDS_IPV4)?.answer;
  if (host.verdict === "ec2") {
    return {
      ...line,
      status: "ok",
      says:
        evidence.length === 0
          ? "on EC2 none is needed; --fix-plan shows how to limit IMDS to some users"
          : `${filter.rules.length} rules name the metadata addresses (${seen})`,
      evidence,
      offers: gateway === undefined ? limitsByUser(system.platform) : [],
    };
  }
  if (gateway !== undefined)
    return {
      ...line,
      status: "ok",
      says: `programs of this host are led to ${gateway.ours ? "the gateway of imds-guard" : "a gateway of somebody else's, as kube2iam and kiam are"} (${gateway.target})`,
      evidence,
    };
  if (route?.kind === "closed" || route?.kind === "no-route")
    return { ...line, status: "ok", says: `nothing gets out to ${IMDS_IPV4}: ${route.says}`, evidence };
  if (asked?.kind === "refused")
    return { ...line, status: "ok", says: `connections to ${IMDS_IPV4} are refused (${asked.code})`, evidence };
  if (asked !== undefined && asked.kind !== "silent") {
    return {
      ...line,
      status: "finding",
      says: `nothing keeps programs of this host from ${IMDS_IPV4}, and somebody answers there`,
      evidence,
      advice: ["block it (--fix-plan)"],
      fixes: BLOCK_FIXES,
    };
  }
  if (ofHost.some(({ effect }) => effect === "blocks"))
    return { ...line, status: "ok", says: `rules block ${IMDS_IPV4} (${seen})`, evidence };
  if (ofHost.some(({ effect }) => effect === "unclear")) {
    return {
      ...line,
      status: "unknown",
      says: `rules name ${IMDS_IPV4}, and whether they block it was not understood (${seen})`,
      evidence,
      advice: evidence.map(({ value }) => `look at: ${value}`),
    };
  }
  if (filter.read.length === 0) {
    return {
      ...line,
      status: "unknown",
      says: `whether a rule blocks ${IMDS_IPV4} was not seen (${seen})`,
      advice: [
        "run doctor as root, and with nft or iptables-save installed, to see the rules; --fix-plan shows one that blocks",
      ],
      fixes: BLOCK_FIXES,
    };
  }
  return {
    ...line,
    status: "finding",
    evidence,
    says: `no rule blocks ${IMDS_IPV4}: whoever owns the network may answer there (${seen})`,
    advice: ["block it, so that no program of this host can ask (--fix-plan)"],
    fixes: BLOCK_FIXES,
  };
}
