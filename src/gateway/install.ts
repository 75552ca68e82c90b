/** Puts the packet filter rules in place, takes them away, and tells whether they are there. Needs root. */
import { spawnSync } from "node:child_process";
import type { FilterCall, FilterPlan } from "./packet-filter.js";
import { iptablesCalls, iptablesRemoval, NFT_REMOVAL, nftRules, STATUS_CALLS } from "./packet-filter.js";
import type { InstalledState } from "./state.js";
import { readState, removeState, STATE_FILE, writeState } from "./state.js";

const TIMEOUT_MS = 10_000;

/** A call of nft or iptables that did not do what it was asked. */
export class FilterError extends Error {
  override readonly name = "FilterError";
  readonly code = "ERR_GATEWAY_FILTER";
  /** What to do about it. */
  readonly hint: string;
  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

interface Result {
  readonly ok: boolean;
  readonly missing: boolean;
  readonly said: string;
}

function run([program = "", ...args]: readonly string[], input = ""): Result {
  const { status, stderr, error } = spawnSync(program, args, {
    input,
    encoding: "utf8",
    timeout: TIMEOUT_MS,
    maxBuffer: 1024 * 1024,
  });
  const missing = (error as NodeJS.ErrnoException | undefined)?.code === "ENOENT";
  return {
    ok: status === 0,
    missing,
    said: (stderr ?? "").trim().split("\n")[0] || (error?.message ?? `exit code ${status}`),
  };
}

/** The program of this host: nft, else iptables. */
export function filterProgram(): "nft" | "iptables" | undefined {
  if (!run(["nft", "--version"]).missing) return "nft";
  return run(["iptables", "--version"]).missing ? undefined : "iptables";
}

/** What would be done, as a shell would be given it. */
export function describePlan(plan: FilterPlan, by: "nft" | "iptables"): string {
  if (by === "nft") return `nft -f - <<'RULES'\n${nftRules(plan)}RULES`;
  return iptablesCalls(plan)
    .map(({ command, input, unless }) => {
      const line = command.join(" ");
      if (input !== undefined) return `${line} <<'RULES'\n${input}RULES`;
      return unless === undefined ? line : `${unless.join(" ")} || ${line}`;
    })
    .join("\n");
}

/**
 * Puts the rules in place, in one transaction with nft. With iptables, what a first installation did is undone where a
 * later call fails.
 * @throws FilterError
 */
export function install(
  plan: FilterPlan & { readonly user: string; readonly uid: number },
  stateFile = STATE_FILE,
): InstalledState {
  const by = filterProgram();
  if (by === undefined)
    throw new FilterError(
      "neither nft nor iptables is installed",
      "install nftables with the package manager of this host",
    );
  if (by === "nft") demand(run(["nft", "-f", "-"], nftRules(plan)), "nft");
  else {
    try {
      for (const call of iptablesCalls(plan)) apply(call);
    } catch (error) {
      // Rules that were in place before stay: without them every program would be open again.
      if (readState(stateFile) === undefined) removeIptables();
      throw error;
    }
  }
  const state = { uid: plan.uid, port: plan.port, bridges: plan.bridges, user: plan.user, by };
  writeState(state, stateFile);
  return state;
}

function apply({ command, input, unless }: FilterCall): void {
  if (unless !== undefined && run(unless).ok) return;
  const result = run(command, input);
  if (!result.ok && ipv6IsOff(command, result)) return;
  demand(result, command[0] ?? "");
}

/** A kernel without IPv6 has no table for it, and nothing to lead. */
function ipv6IsOff([program = ""]: readonly string[], { missing }: Result): boolean {
  return program.startsWith("ip6") && (missing || !run(["ip6tables", "-w", "-t", "nat", "-L", "OUTPUT"]).ok);
}

function removeIptables(): void {
  for (const command of iptablesRemoval()) run(command);
}

function demand({ ok, said }: Result, program: string): void {
  if (ok) return;
  const hint =
    process.geteuid?.() === 0
      ? "look at what else uses the nat table of this host; nothing was changed"
      : "run it as root: rules need CAP_NET_ADMIN";
  throw new FilterError(`${program} refused the rules: ${said}`, hint);
}

/** Takes rules of either program away; fine where there are none. @throws FilterError */
export function uninstall(stateFile = STATE_FILE): void {
  const state = readState(stateFile);
  const program = filterProgram();
  if (program === "nft") demand(run(["nft", "-f", "-"], NFT_REMOVAL), "nft");
  if (state?.by === "iptables" || program === "iptables") {
    if (process.geteuid?.() !== 0 && !run(["iptables", "-w", "-t", "nat", "-L", "OUTPUT"]).ok)
      throw new FilterError("iptables cannot be asked", "run it as root: rules need CAP_NET_ADMIN");
    removeIptables();
  }
  removeState(stateFile);
}

/** Whether rules are in place, as the kernel says; "unknown" for those who may not ask it. */
export function installed(): "yes" | "no" | "unknown" {
  const program = filterProgram();
  if (program === undefined) return "no";
  const root = process.geteuid?.() === 0;
  for (const command of STATUS_CALLS[program]) {
    const result = run(command);
    if (result.ok) continue;
    if (!root && /permitted|permission|root/i.test(result.said)) return "unknown";
    if (!ipv6IsOff(command, result)) return "no";
  }
  return "yes";
}
