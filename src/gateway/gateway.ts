/** The gateway itself: guard, responder, rules, log, counters and events, joined for as long as the daemon runs. */
import { readFileSync, statSync } from "node:fs";
import { printable } from "../base/text.js";
import type { System } from "../base/system.js";
import type { EventCode, EventFormat } from "../events/catalogue.js";
import type { Reporter } from "../events/reporter.js";
import type { Guard } from "../guard/guard.js";
import { servicesOf } from "../guard/guard.js";
import { probeAndReport } from "../guard/impersonator-probe.js";
import { openAccessLog, recordOf } from "./access-log.js";
import type { Accounts } from "./accounts.js";
import type { Bridge } from "./bridges.js";
import { createCallerLookup } from "./callers.js";
import type { Counter } from "./counters.js";
import { createCounter } from "./counters.js";
import type { Exchange, Responder } from "./responder.js";
import { startResponder } from "./responder.js";
import type { Caller, GatewayRule } from "./rules.js";
import type { RulesFile } from "./rules-file.js";
import { MAX_RULES_BYTES, readRules } from "./rules-file.js";
import { createTokenMint } from "./tokens.js";
import { createUpstream } from "./upstream.js";

/** What a gateway runs with. */
export interface GatewayOptions {
  readonly guard: Guard;
  readonly system: System;
  readonly accounts: Accounts;
  readonly port: number;
  readonly bridges: readonly Bridge[];
  readonly rulesFile: string;
  /** Whether it is no mistake that the file is not there. */
  readonly rulesOptional: boolean;
  readonly accessLog?: { readonly path: string; readonly format: EventFormat } | undefined;
  readonly v1: "refuse" | "report";
  /** Told what a person at the daemon's terminal should know. */
  readonly note: (text: string) => void;
}

/** A running gateway. */
export interface Gateway {
  readonly port: number;
  readonly counter: Counter;
  /** How many rules are in force. */
  readonly rules: () => number;
  /** Why every request is refused, or undefined where IMDS may be asked. */
  readonly refusal: string | undefined;
  /** Reads the rules anew; with a mistake in them, those that were stay. */
  reload(): void;
  close(): Promise<void>;
}

/** A file of rules that cannot be used. */
export class RulesError extends Error {
  override readonly name = "RulesError";
  readonly code = "ERR_GATEWAY_RULES";
  readonly problems: readonly string[];
  constructor(path: string, problems: readonly string[]) {
    super(`${path} cannot be used: ${problems[0] ?? ""}`);
    this.problems = problems;
  }
}

const PROBE_EVERY_MS = 60 * 60_000;
/** The same program, refused for the same reason, is an event once in this time; every request is in the log. */
const QUIET_MS = 10 * 60_000;
const MAX_KINDS = 256;

/** @throws RulesError; ImdsGuardSettingsError; the system's error where an address cannot be had */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { guard, system, accounts, bridges, note } = options;
  const { host, decision } = await guard.whereAmI();
  const { reporter, settings, fetch, acquired } = await servicesOf(guard);
  const refusal = decision.kind === "refuse" ? decision.reason : undefined;
  let rules = load(options);
  const counter = createCounter();
  const log =
    options.accessLog &&
    openAccessLog(options.accessLog.path, options.accessLog.format, (code) =>
      note(`warning: ${options.accessLog?.path} cannot be written (${code}); lines wait for it`),
    );
  const announce = createAnnouncer(reporter, seldom(system));
  const crowded = seldom(system);
  const responder: Responder = await startResponder({
    port: options.port,
    addresses: ["127.0.0.1", ...(hasIpv6() ? ["::1"] : []), ...bridges.flatMap(({ addresses }) => addresses)],
    bridgeOf: (address) => bridges.find(({ addresses }) => addresses.includes(address.replace(/^::ffff:/, "")))?.name,
    lookup: createCallerLookup(accounts),
    mint: createTokenMint(system.monotonic),
    upstream: createUpstream({ fetch, credentials: acquired }, system.monotonic, system.now),
    rules: () => rules,
    uidMin: accounts.uidMin,
    refusal: async () => refusal,
    v1: options.v1,
    onExchange(exchange) {
      counter.count(exchange);
      log?.write(recordOf(exchange, system.now()));
      announce(exchange);
    },
    onCrowded(uid) {
      if (crowded(String(uid)))
        note(
          `warning: ${uid === undefined ? "callers that cannot be told have" : `user ${accounts.userName(uid) ?? uid} has`} too many connections; some were ended`,
        );
    },
  });

  const target = { address: decision.target.host, port: decision.target.port };
  const probe = (): void => {
    // Nobody waits for it: a probe that cannot be made is made again in an hour.
    probeAndReport(target, host.verdict, reporter, system).catch(() => undefined);
  };
  const probing = refusal !== undefined && settings.probe !== "off" && host.verdict !== "ec2";
  if (probing) probe();
  const timer = probing ? setInterval(probe, PROBE_EVERY_MS).unref() : undefined;

  return {
    port: responder.port,
    counter,
    rules: () => rules.length,
    refusal,
    reload() {
      try {
        rules = load(options);
        note(`rules read again: ${rules.length} in force`);
      } catch (error) {
        if (!(error instanceof RulesError)) throw error;
        note(`warning: ${error.message}; the rules that were stay in force`);
        reporter.report("gateway.rules_invalid", {
          message: error.message,
          evidence: error.problems.slice(0, 5).map((problem) => ({ source: options.rulesFile, says: problem })),
          advice: `Run imds-guard gateway check ${options.rulesFile}, correct it, and reload again.`,
        });
      }
    },
    async close() {
      clearInterval(timer);
      await responder.close();
      await log?.close();
    },
  };
}

/** Reads and checks a file of rules. @throws RulesError; the system's error where it cannot be read */
export function readRulesFile(path: string, accounts: Accounts): RulesFile {
  const size = statSync(path);
  if (!size.isFile()) throw new RulesError(path, ["it is no regular file"]);
  if (size.size > MAX_RULES_BYTES)
    throw new RulesError(path, [`it has ${size.size} bytes; at most ${MAX_RULES_BYTES}`]);
  return readRules(readFileSync(path, "utf8"), accounts);
}

function load({ rulesFile, rulesOptional, accounts, note }: GatewayOptions): readonly GatewayRule[] {
  let file: RulesFile;
  try {
    file = readRulesFile(rulesFile, accounts);
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && rulesOptional) return [];
    if (error instanceof RulesError) throw error;
    throw new RulesError(rulesFile, [`it cannot be read (${code})`]);
  }
  for (const { line, message } of file.notes) note(`warning: ${rulesFile}:${line}: ${message}`);
  if (file.problems.length > 0) {
    throw new RulesError(
      rulesFile,
      file.problems.map(({ line, column, message }) => `line ${line}, column ${column}: ${message}`),
    );
  }
  return file.rules;
}

/** Whether something of this kind is to be said: once in ten minutes. */
function seldom(system: System): (kind: string) => boolean {
  const said = new Map<string, number>();
  return (kind) => {
    const now = system.monotonic();
    if (now - (said.get(kind) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return false;
    said.delete(kind);
    said.set(kind, now);
    if (said.size > MAX_KINDS) said.delete(said.keys().next().value ?? "");
    return true;
  };
}

/** Events for those who are on call. */
function createAnnouncer(reporter: Reporter, first: (kind: string) => boolean): (exchange: Exchange) => void {
  return (exchange) => {
    const code = codeOf(exchange);
    if (code === undefined) return;
    const { caller, reason } = exchange;
    const kind = [code, caller.uid, caller.program, caller.container, caller.bridge && caller.address, reason];
    if (!first(JSON.stringify(kind))) return;
    reporter.report(code, {
      message: `${nameOf(caller)} asked for ${printable(exchange.path)} (IMDSv${exchange.version}, answered ${exchange.status}${reason === "" ? "" : `: ${reason}`})`,
      evidence: evidenceOf(caller),
      advice: ADVICE[code],
    });
  };
}

type GatewayEvent = Extract<EventCode, "gateway.refused" | "gateway.denied" | "gateway.v1_request">;

/** A token that has run out is nobody's fault: clients take another. */
function codeOf({ outcome, version, status }: Exchange): GatewayEvent | undefined {
  if (outcome === "refused") return "gateway.refused";
  if (version === 1) return "gateway.v1_request";
  return outcome === "denied" && status === 403 ? "gateway.denied" : undefined;
}

const ADVICE: Readonly<Record<GatewayEvent, string>> = {
  "gateway.refused":
    "Give this program credentials of another kind, or tell it not to ask (AWS_EC2_METADATA_DISABLED=true). Without the gateway it would believe whoever answers.",
  "gateway.denied": "If this program needs it, give its user a rule in the gateway's file and reload.",
  "gateway.v1_request":
    "Update the AWS SDK of this program, or whatever else in it asks without a token; then require IMDSv2.",
};

function nameOf({ program, pid, user, uid, bridge, address }: Caller): string {
  if (bridge !== undefined) return `a client at ${address} on ${bridge}`;
  const who = user ?? (uid === undefined ? "an unknown user" : `user ${uid}`);
  return program === undefined
    ? `a program of ${printable(who)}`
    : `${printable(program)} (pid ${pid ?? 0}) of ${printable(who)}`;
}

function evidenceOf({
  uid,
  user,
  pid,
  program,
  unit,
  container,
  address,
  bridge,
}: Caller): { source: string; value: string; says: string }[] {
  const facts: readonly (readonly [source: string, value: string | number | undefined, says: string])[] = [
    ["program", program, "asked"],
    ["pid", pid, "its process"],
    ["user", user ?? uid, "owns the socket, as the kernel says"],
    ["unit", unit, "the systemd unit of the process"],
    ["container", container, "the container of the process"],
    ["address", bridge === undefined ? undefined : address, `where it came from, on ${bridge ?? ""}`],
  ];
  return facts.flatMap(([source, value, says]) =>
    value === undefined ? [] : [{ source, value: String(value).slice(0, 100), says }],
  );
}

/** Whether `::1` is there to listen on. */
function hasIpv6(): boolean {
  try {
    return /^0{31}1 /m.test(readFileSync("/proc/net/if_inet6", "latin1"));
  } catch {
    return false;
  }
}
