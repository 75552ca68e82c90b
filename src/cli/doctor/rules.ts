/** Whether this host itself keeps programs from the metadata addresses: routes that refuse, packet filter rules, and what asking came to. */
import { IMDS_IPV4 } from "../../addresses.js";
import type { NetworkAnswers } from "./answers.js";
import type { Check, Patient } from "./check.js";
import { BLOCK_FIXES } from "./fixes.js";
import type { Way } from "./routes.js";

/** What could be seen of the packet filter. */
export interface FilterView {
  /** Tools whose rules were read. */
  readonly read: readonly string[];
  /** Rules, as printed, that name a metadata address. */
  readonly naming: readonly string[];
  /** Tools that are missing or refused to tell, with the reason. */
  readonly unseen: readonly string[];
}

const TOOLS: readonly (readonly [command: string, ...args: string[]])[] = [["nft", "list", "ruleset"], ["iptables-save"], ["ip6tables-save"]];
const NAMES_IMDS = /169\.254\.169\.25[34]|169\.254\.0\.0\/16|fd00:ec2:/i;

/** Reads the packet filter by its own tools. They tell root only. */
export async function readFilter({ system }: Patient): Promise<FilterView> {
  if (system.platform !== "linux") return { read: [], naming: [], unseen: [`packet filters are not read on ${system.platform}`] };
  const results = await Promise.all(TOOLS.map(async ([command, ...args]) => ({ command, result: await system.run(command, args, 3_000) })));
  const read: string[] = [];
  const naming: string[] = [];
  const unseen: string[] = [];
  for (const { command, result } of results) {
    if (result.kind === "failed") {
      unseen.push(`${command}: ${result.reason === "ENOENT" ? "not installed" : "refused (needs root)"}`);
      continue;
    }
    read.push(command);
    const lines = result.stdout.split("\n").map((line) => line.trim());
    naming.push(...lines.filter((line) => NAMES_IMDS.test(line)).map((line) => `${command}: ${line.slice(0, 160)}`));
  }
  return { read, naming: naming.slice(0, 20), unseen };
}

/** Judges off EC2 whether programs can get out to the address; on EC2 they are meant to. */
export function judgeRules(filter: FilterView, ways: readonly Way[], answers: NetworkAnswers | undefined, { host }: Patient): Check {
  const line = { section: "rules", id: "block", subject: "kernel rules" } as const;
  const evidence = filter.naming.map((rule) => ({ source: "packet filter", value: rule, says: "names a metadata address" }));
  const seen = [filter.read.length > 0 ? `read: ${filter.read.join(", ")}` : undefined, ...filter.unseen].filter((part) => part !== undefined).join("; ");
  const way = ways.find(({ address }) => address === IMDS_IPV4);
  const asked = answers?.imds.find(({ address }) => address === IMDS_IPV4)?.answer;
  if (host.verdict === "ec2") {
    return { ...line, status: "ok", says: evidence.length === 0 ? "on EC2 none is needed" : `${evidence.length} rules name the metadata addresses (${seen})`, evidence };
  }
  if (way?.kind === "closed" || way?.kind === "no-route") return { ...line, status: "ok", says: `nothing gets out to ${IMDS_IPV4}: ${way.says}`, evidence };
  if (asked?.kind === "refused") return { ...line, status: "ok", says: `connections to ${IMDS_IPV4} are refused (${asked.code})`, evidence };
  if (asked !== undefined && asked.kind !== "silent") {
    return { ...line, status: "finding", says: `nothing keeps programs of this host from ${IMDS_IPV4}, and somebody answers there`, evidence, advice: ["block it (--fix-plan)"], fixes: BLOCK_FIXES };
  }
  if (evidence.length > 0) return { ...line, status: "ok", says: `rules name the metadata addresses (${seen})`, evidence };
  if (filter.read.length === 0) {
    return { ...line, status: "unknown", says: `whether a rule blocks ${IMDS_IPV4} was not seen (${seen})`, advice: ["run doctor as root, and with nft or iptables-save installed, to see the rules; --fix-plan shows one that blocks"], fixes: BLOCK_FIXES };
  }
  return {
    ...line, status: "finding", says: `no rule blocks ${IMDS_IPV4}: whoever owns the network may answer there (${seen})`,
    advice: ["block it, so that no program of this host can ask (--fix-plan)"], fixes: BLOCK_FIXES,
  };
}
