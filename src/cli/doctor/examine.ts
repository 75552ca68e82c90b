/** The whole examination of a host, part by part. */
import { readdirSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { HostReport } from "../../host/report.js";
import type { System } from "../../base/system.js";
import { checkAgents } from "./agents.js";
import type { NetworkAnswers } from "./answers.js";
import { askAround, judgeAnswers } from "./answers.js";
import type { Check, DoctorSystem, Listing, Machine } from "./check.js";
import { otherCloudOf, SECTIONS } from "./check.js";
import { checkHelperServe } from "./helper-serve.js";
import { checkLeases } from "./leases.js";
import { askNames, checkHostsFile, judgeNames } from "./names.js";
import { findRoutes, judgeRoutes } from "./routes.js";
import { gatewayOf, judgeRules, readFilter } from "./rules.js";
import { checkService, hopLimit, judgeTokens } from "./service.js";
import { checkGuardSettings, checkProfiles, judgeEnvironment } from "./settings.js";

/** What came of it. */
export interface Examination {
  readonly host: HostReport;
  /** By section, in the order of the page. */
  readonly checks: readonly Check[];
}

/** How far to go. */
export interface ExamineOptions {
  /** Whether anything may be sent. */
  readonly probe: boolean;
  readonly signal: AbortSignal;
  /** Told before each part. */
  readonly onPart: (part: string) => void;
}

/** Examines this host. Sends nothing without `probe`; with it, nothing secret. */
export async function examine(system: System, { probe, signal, onPart }: ExamineOptions): Promise<Examination> {
  onPart("reading the host's own marks");
  const { detectHost } = await import("../../host/detect.js");
  const host = await detectHost(system);
  const seen: Machine = { system: withDirectories(system), host, otherCloud: otherCloudOf(host) };
  const filter = await readFilter(seen);
  const machine: Machine = { ...seen, gateway: gatewayOf(filter, seen) };
  const checks: Check[] = [judgeHost(machine)];

  onPart("asking the metadata addresses");
  const answers = probe ? await askAround(machine) : undefined;
  signal.throwIfAborted();
  const responders = new Map(
    answers?.imds.flatMap(({ address, responder }) => (responder === undefined ? [] : [[address, responder] as const])),
  );
  const routes = findRoutes(machine, localAddresses());
  checks.push(
    ...(answers === undefined ? [notProbed] : judgeAnswers(answers, machine)),
    ...judgeRoutes(routes, machine, responders),
    ...checkLeases(machine),
  );

  onPart("asking for names");
  checks.push(...(probe ? judgeNames(await askNames(machine), machine) : []), ...checkHostsFile(machine));
  signal.throwIfAborted();

  onPart("checking the service");
  if (answers !== undefined)
    checks.push(...judgeTokens(answers, machine), ...(await examineService(answers, machine)), ...hopLimit(machine));
  signal.throwIfAborted();

  onPart("reading settings, agents and rules");
  checks.push(
    ...(await checkGuardSettings(machine)),
    ...judgeEnvironment(system.env, machine),
    ...(await checkProfiles(machine)),
    ...(await checkHelperServe(machine, probe)),
    ...checkAgents(machine),
  );
  checks.push(judgeRules(filter, routes, answers, machine));
  const judged = host.verdict === "unknown" ? checks.map(temper) : checks;
  return { host, checks: judged.sort((a, b) => SECTIONS.indexOf(a.section) - SECTIONS.indexOf(b.section)) };
}

const notProbed: Check = {
  section: "network",
  id: "imds-answer",
  status: "unknown",
  subject: "metadata addresses",
  says: "not asked (--no-probe)",
};

function judgeHost({ host, otherCloud }: Machine): Check {
  const says = `${host.verdict}: ${host.reason}${otherCloud === undefined ? "" : ` (${otherCloud})`}`;
  const unknown = host.verdict === "unknown";
  return {
    section: "host",
    id: "verdict",
    status: unknown ? "unknown" : "ok",
    subject: "verdict",
    says,
    evidence: host.evidence.filter(({ weight }) => weight !== "neutral"),
    ...(unknown && { advice: ["$ imds-guard detect --explain"] }),
  };
}

/**
 * On a host that may be EC2 after all, what would be a finding elsewhere is not one yet; settings that do not say what
 * they seem to are wrong anywhere.
 */
function temper(check: Check): Check {
  if (check.status !== "finding" || check.section === "settings" || check.section === "service") return check;
  return { ...check, status: "unknown", says: `if this is not EC2: ${check.says}` };
}

/** The events of this guard would say on stderr what its checks say on the page. */
async function examineService(answers: NetworkAnswers, machine: Machine): Promise<Check[]> {
  const { createGuard } = await import("../../guard/create-guard.js");
  const guard = createGuard({ log: "off", probe: "off" }, { system: machine.system });
  try {
    return await checkService(guard, answers, machine);
  } finally {
    await guard.close();
  }
}

function localAddresses(): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(networkInterfaces()).flatMap(([name, entries]) =>
      (entries ?? []).map(({ address }) => [address, name] as const),
    ),
  );
}

const MAX_NAMES = 1_000;

function withDirectories(system: System): DoctorSystem {
  const listDirectory = (path: string): Listing => {
    try {
      return { kind: "names", names: readdirSync(path).sort().slice(0, MAX_NAMES) };
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "EUNKNOWN";
      return code === "ENOENT" || code === "ENOTDIR" ? { kind: "absent" } : { kind: "unreadable", code };
    }
  };
  return { ...system, env: system.env, listDirectory };
}
