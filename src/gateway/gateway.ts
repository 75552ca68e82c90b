/** The gateway itself: guard, responder, rules, log, counters and events, joined for as long as the daemon runs. */
import { readFileSync, statSync } from "node:fs";
import type { System } from "../base/system.js";
import type { EventFormat } from "../events/catalogue.js";
import type { Guard } from "../guard/guard.js";
import { servicesOf } from "../guard/guard.js";
import { probeAndReport } from "../guard/impersonator-probe.js";
import { openAccessLog, recordOf } from "./access-log.js";
import type { Accounts } from "./accounts.js";
import { createAnnouncer, seldom } from "./announcer.js";
import type { Bridge } from "./bridges.js";
import { createCallerLookup } from "./callers.js";
import type { Counter } from "./counters.js";
import { createCounter } from "./counters.js";
import type { Responder } from "./responder.js";
import { startResponder } from "./responder.js";
import type { GatewayRule } from "./rules.js";
import type { RulesFile } from "./rules-file.js";
import { MAX_RULES_BYTES, readRules } from "./rules-file.js";
import type { SocketDiag } from "./socket-diag.js";
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
  /** Asked who the owner of a connection is. Default: the kernel's table is read. */
  readonly diag?: SocketDiag | undefined;
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
  const announce = createAnnouncer(reporter, seldom(system.monotonic));
  const crowded = seldom(system.monotonic);
  const responder: Responder = await startResponder({
    port: options.port,
    addresses: ["127.0.0.1", ...(hasIpv6() ? ["::1"] : []), ...bridges.flatMap(({ addresses }) => addresses)],
    bridgeOf: (address) => bridges.find(({ addresses }) => addresses.includes(address.replace(/^::ffff:/, "")))?.name,
    lookup: createCallerLookup({ accounts, diag: options.diag }),
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

/** Whether `::1` is there to listen on. */
function hasIpv6(): boolean {
  try {
    return /^0{31}1 /m.test(readFileSync("/proc/net/if_inet6", "latin1"));
  } catch {
    return false;
  }
}
