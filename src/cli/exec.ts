/**
 * `imds-guard exec`: runs any program with the guard's decision in its environment, and credentials that were proved.
 */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { isImdsGuardError } from "../base/errors.js";
import { preloadInExecutable } from "../base/executable-files.js";
import { OWN_FOLDER } from "../base/own-folder.js";
import type { System } from "../base/system.js";
import { createGuard } from "../guard/create-guard.js";
import type { Rejection } from "../serving/loopback-server.js";
import { atMost, checkForImpersonator } from "../serving/impersonator-check.js";
import type { PreparedChild } from "../serving/prepare-child.js";
import type { Command, CommandContext, ExitCode } from "./command.js";
import { UsageError } from "./command.js";
import type { Ui } from "./ui.js";

/** A program that ends at once is held back for so many milliseconds, in which an impersonator can answer. */
const CHECK_MS = 50;

/** The program was not started because of the guard; as `env` and container runtimes have it. */
const NOT_STARTED = 125;

export const command: Command = {
  name: "exec",
  summary: "run a program that reaches IMDS through the guard or not at all",
  usage: "[--profile NAME] [--no-credentials | --serve-all] [--dry-run] -- COMMAND [ARGUMENT]...",
  description: [
    "Shuts every way to IMDS that the AWS SDKs and the AWS CLI honour in their environment. Where IMDS may be asked, its credentials are attested, held against the expected accounts, and served to the program on loopback (AWS_CONTAINER_CREDENTIALS_FULL_URI with a token for this run); they renew, and the server ends with the program. So are those that a certificate gives (IAM Roles Anywhere, AWS IoT). Credentials of other kinds are left for the program to find; --serve-all serves those too, so that none are used that are not expected.",
    "A region is set where nothing states one. Node.js programs are given the preload of this package, which closes what their environment cannot. What an environment cannot close for others: a program that speaks HTTP to the address by itself.",
    "Signals, terminal and exit code pass through: the exit code is the program's, 128 plus the number of the signal that ended it, 127 where there is no such program, 126 where it cannot be run, and 125 where the guard has a finding or no credentials that it could serve and the program was not started.",
    "With --json one line on stderr tells what was prepared, because stdout is the program's.",
  ],
  options: [
    { name: "profile", short: "p", value: "NAME", summary: "shared config profile for guard and program" },
    { name: "no-credentials", summary: "serve none; those the program finds by itself stay" },
    { name: "serve-all", summary: "serve credentials of every kind, not only those of the instance" },
    { name: "dry-run", summary: "show what would be changed in the environment, and start nothing" },
  ],
  exitCodes: [
    ["any", "the program's own; 128 plus the number of the signal that ended it"],
    ["2", "wrong usage; nothing was done"],
    ["125", "not started: a finding, or no credentials that could be served"],
    ["126", "not started: the program cannot be run"],
    ["127", "not started: there is no such program"],
  ],
  examples: [
    { command: "imds-guard exec -- aws s3 ls", does: "the AWS CLI with proved credentials" },
    {
      command: "IMDS_GUARD_EXPECTED_ACCOUNTS=111122223333 imds-guard exec -- ./agent",
      does: "an agent that can only ever act in this account",
    },
    { command: "imds-guard exec --dry-run -- true", does: "what a program would be given here" },
  ],
  async run(context) {
    const { options, words, ui } = context;
    const [program, ...args] = words;
    const dry = options["dry-run"] === true;
    if (program === undefined && !dry)
      throw new UsageError("no program is named", "imds-guard exec -- COMMAND [ARGUMENT]...");
    if (options["no-credentials"] === true && options["serve-all"] === true)
      throw new UsageError("--no-credentials and --serve-all contradict each other");
    const prepared = await unlessStopped(prepare(context), context.signal);
    if (prepared === undefined) return NOT_STARTED as ExitCode;
    try {
      context.signal.throwIfAborted();
      if (dry || program === undefined) return show(prepared, context);
      return (await runPrepared(program, args, prepared, context)) as ExitCode;
    } catch (error) {
      if (context.signal.aborted) throw error;
      ui.error((error as Error).message);
      return NOT_STARTED as ExitCode;
    } finally {
      await prepared.close();
    }
  },
};

/**
 * What `preparing` comes to, unless this process is told to stop before: then nothing is started any more, and what
 * was prepared meanwhile is closed.
 * @throws AbortError
 */
async function unlessStopped(
  preparing: Promise<PreparedChild | undefined>,
  signal: AbortSignal,
): Promise<PreparedChild | undefined> {
  const waiting = new AbortController();
  const stopped = once(signal, "abort", { signal: waiting.signal });
  stopped.catch(() => undefined);
  try {
    if (!signal.aborted) await Promise.race([preparing, stopped]);
    if (!signal.aborted) return await preparing;
  } finally {
    waiting.abort();
  }
  void preparing.then((prepared) => prepared?.close()).catch(() => undefined);
  signal.throwIfAborted();
  return undefined;
}

async function prepare({ options, system, ui, json }: CommandContext): Promise<PreparedChild | undefined> {
  const { profile } = options;
  const named = typeof profile === "string" ? { profile } : {};
  const guard = createGuard(named, { system });
  const { prepareChild } = await import("../serving/prepare-child.js");
  try {
    const serve = options["no-credentials"] === true ? "none" : options["serve-all"] === true ? "all" : "instance";
    return await prepareChild({
      guard,
      system,
      ...named,
      serve,
      preload: await preloadPath(system),
      onRejected: rejectionNotes(ui),
    });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const known = isImdsGuardError(error);
    if (json)
      process.stderr.write(
        `${JSON.stringify({ started: false, error: { code: known ? error.code : error.name, message: error.message } })}\n`,
      );
    else
      ui.error(
        known ? `not started: ${error.message} [${error.code}]` : `not started: ${error.message}`,
        known ? [error.advice] : [],
      );
    return undefined;
  }
}

async function runPrepared(
  program: string,
  args: readonly string[],
  prepared: PreparedChild,
  { system, ui, json }: CommandContext,
): Promise<number> {
  const [{ applyChanges }, { runProgram }] = await Promise.all([
    import("../serving/child-environment.js"),
    import("../serving/run-program.js"),
  ]);
  if (json) process.stderr.write(`${JSON.stringify(summary(prepared))}\n`);
  else if (prepared.waiting !== undefined)
    ui.note(
      `no credentials yet, they are served once there are: ${prepared.waiting.message} [${prepared.waiting.code}]`,
    );
  const imds = prepared.origin === "instance" || prepared.origin === "profile-of-instance";
  const { decision } = prepared;
  // The program's SDK says no more than that it found no credentials.
  if (imds && decision.kind === "refuse" && !json && system.env["IMDS_GUARD_LOG"] !== "off")
    ui.note(`IMDS is not asked: ${decision.reason.replace(/\.$/, "")}. ${decision.advice} [${decision.code}]`);
  const checking = imds ? checkForImpersonator(prepared.guard) : Promise.resolve();
  const { exitCode, failure } = await runProgram(
    program,
    args,
    applyChanges(system.env, prepared.changes),
    prepared.listener,
  );
  await atMost(checking, CHECK_MS);
  if (failure !== undefined)
    ui.error(`${program} ${failure === "ENOENT" ? "was not found" : `cannot be run (${failure})`}`);
  return exitCode;
}

function show(prepared: PreparedChild, { json, ui }: CommandContext): ExitCode {
  const changes = Object.entries(prepared.changes).map(
    ([name, value]) =>
      [name, name.endsWith("_TOKEN") && value !== undefined ? "(a token for each run)" : (value ?? null)] as const,
  );
  if (json) {
    ui.json({ ...summary(prepared), environment: Object.fromEntries(changes) });
    return 0;
  }
  const { host, decision, origin, served } = prepared;
  ui.table([
    [ui.paint("host", "dim"), host.verdict],
    [ui.paint("imds", "dim"), decision.kind === "contact" ? "may be asked" : `is not asked: ${decision.reason}`],
    [
      ui.paint("credentials", "dim"),
      served
        ? `served on loopback (${ORIGINS[origin]})`
        : prepared.decision.kind === "refuse" && origin === "instance"
          ? "none"
          : `not served (${ORIGINS[origin]})`,
    ],
  ]);
  ui.line();
  ui.table(changes.map(([name, value]) => [ui.paint(name, "strong"), value ?? ui.paint("(removed)", "dim")]));
  return 0;
}

const ORIGINS: Readonly<Record<PreparedChild["origin"], string>> = {
  environment: "the program finds keys in its environment",
  certificate: "obtained with a certificate",
  profile: "the program's profile has its own",
  "profile-of-instance": "a profile whose source is the instance",
  "web-identity": "the program has a web identity token",
  container: "the program has a container endpoint",
  instance: "those of the instance",
};

function summary({ host, decision, origin, served, waiting }: PreparedChild): object {
  return {
    host: host.verdict,
    imds: decision.kind,
    ...(decision.kind === "refuse" && { code: decision.code }),
    origin,
    served,
    ...(waiting && { waiting: waiting.code }),
  };
}

/** One note for each reason: somebody on this host looks for credentials that are not meant for it. */
export function rejectionNotes(ui: Ui): (reason: Rejection) => void {
  const reported = new Set<Rejection>();
  return (reason) => {
    if (reported.has(reason)) return;
    reported.add(reason);
    ui.note(
      `warning: a request to the credential server was turned away (${reason}); another program of this host made it`,
    );
  };
}

/** The preload beside this program, where the package is built; written out where this is a single executable. */
async function preloadPath(system: System): Promise<string | undefined> {
  const files = preloadInExecutable();
  if (files !== undefined) return (await import("./executable/preload.js")).writePreload(files, system);
  if (OWN_FOLDER === undefined) return undefined;
  const path = join(OWN_FOLDER, "register.cjs");
  return existsSync(path) ? path : undefined;
}
