/** The `imds-guard` program: finds the command, runs it, and turns what becomes of it into words and an exit code. */
import type { ImdsGuardError } from "../base/errors.js";
import { isImdsGuardError } from "../base/errors.js";
import { PACKAGE_VERSION } from "../base/package-version.js";
import { realSystem } from "../base/system.js";
import { nearest } from "../settings/nearest.js";
import { UsageError } from "./command.js";
import { COMMANDS } from "./commands.js";
import { commandHelp, programHelp } from "./help.js";
import { parseWords } from "./parse.js";
import type { Ui } from "./ui.js";
import { createUi } from "./ui.js";

const STOP_SIGNALS = ["SIGINT", "SIGTERM"] as const;

const stop = new AbortController();
let stoppedBy: (typeof STOP_SIGNALS)[number] | undefined;
for (const signal of STOP_SIGNALS) {
  // Once: whoever asks a second time is not kept waiting by a command that tidies up.
  process.once(signal, () => {
    stoppedBy ??= signal;
    stop.abort();
  });
}
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // The reader has gone, as `head` does. That is no mistake of anybody, but not all was delivered either.
    if (error.code !== "EPIPE")
      process.stderr.write(`imds-guard: error: output cannot be written (${error.code ?? error.message})\n`);
    process.exit(3);
  });
}

const ui = createUi({ stdout: process.stdout, stderr: process.stderr, env: process.env });
main().catch((error: unknown) => {
  process.exitCode = explain(error, false, ui);
});

async function main(): Promise<void> {
  const code = await run(process.argv.slice(2));
  ui.progress(undefined);
  if (stoppedBy !== undefined && code === undefined) {
    // The parent learns of the signal as from any program that does not handle it.
    process.kill(process.pid, stoppedBy);
  } else process.exitCode = code ?? 3;
}

/** Undefined for a command that gave up because it was told to stop. */
async function run(args: readonly string[]): Promise<number | undefined> {
  const [first, ...rest] = args;
  try {
    if (first === "--version" || first === "-V") {
      ui.line(PACKAGE_VERSION);
      return 0;
    }
    if (first === undefined || first === "--help" || first === "-h") {
      const help = programHelp(await COMMANDS.loadAll(), ui.columns, (text) => ui.paint(text, "strong"));
      if (first !== undefined) ui.line(help);
      else process.stderr.write(`${help}\n`);
      return first === undefined ? 2 : 0;
    }
    if (first.startsWith("-")) throw new UsageError(`the command comes first, not ${first}`, hintFor(first));
    return await runCommand(first, rest);
  } catch (error) {
    if (stop.signal.aborted && (error as Error).name === "AbortError") return undefined;
    return explain(error, rest.includes("--json"), ui);
  }
}

function hintFor(option: string): string {
  const near = nearest(option, ["--version", "--help"]);
  return near === undefined ? "run imds-guard --help" : `did you mean ${near}?`;
}

async function runCommand(name: string, args: readonly string[]): Promise<number> {
  const command = await COMMANDS.load(name);
  try {
    const { options, words, json, help } = parseWords(command, args);
    if (help) {
      ui.line(commandHelp(command, ui.columns, (text) => ui.paint(text, "strong")));
      return 0;
    }
    return await command.run({ options, words, json, ui, system: realSystem, signal: stop.signal, commands: COMMANDS });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    ui.error(error.message, [
      ...(error.hint === undefined ? [] : [error.hint]),
      `usage: imds-guard ${name} ${command.usage}`.trimEnd(),
    ]);
    return 2;
  }
}

/** Says what went wrong, and what to do about it apart from it. */
function explain(error: unknown, json: boolean, { error: say, json: print }: Ui): number {
  if (error instanceof UsageError) {
    say(error.message, error.hint === undefined ? [] : [error.hint]);
    return 2;
  }
  if (isImdsGuardError(error)) {
    if (json) print({ error: described(error) });
    say(`${error.message} [${error.code}]`, [error.advice]);
    return error.kind === "impersonation" || error.kind === "untrusted" ? 1 : 3;
  }
  const { code, message, stack } = error as NodeJS.ErrnoException;
  if (typeof code === "string") say(message);
  else
    say(`unexpected: ${stack ?? String(error)}`, [
      "this is a mistake in imds-guard; please report it with the lines above",
    ]);
  return 3;
}

function described({ kind, code, message, evidence, advice }: ImdsGuardError): object {
  return { kind, code, message, evidence, advice };
}
