/** Runs a program in the place of this one: same terminal, signals passed on, its end reported as a shell would. */
import { spawn } from "node:child_process";
import type { Server, Socket } from "node:net";
import { constants } from "node:os";
import { portKeeperArguments } from "./port-keeper.js";

/** The program exists and cannot be run; as `env` and shells have it. */
export const CANNOT_RUN = 126;
/** There is no such program. */
export const NOT_FOUND = 127;

/** What became of a program. */
export interface Ran {
  /** Its exit code; 128 and the number of the signal that ended it; 126 or 127 where it never ran. */
  readonly exitCode: number;
  /** The system's code where it never ran. */
  readonly failure?: string;
}

/** Sent to this process alone by whoever wants the program to hear them. */
const PASSED_ON: readonly NodeJS.Signals[] = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"];
/** Sent by a terminal to every process of the group that has it: the program has them already. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ["SIGINT", "SIGQUIT"];

/**
 * Runs `command` with this process's standard streams and in its process group, so that job control works as without
 * us. Signals that would end this process reach the program instead, which decides.
 *
 * The program holds the listening socket `held` as well, as its descriptor 3: what it leaves running knows the address
 * and the token, and would believe whoever has the port next. As long as something is left running, the port stays
 * taken and every request is answered with 503.
 */
export function runProgram(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  held?: Server,
): Promise<Ran> {
  return new Promise((resolve) => {
    const descriptor = descriptorOf(held);
    const child = spawn(command, [...args], {
      env,
      stdio: ["inherit", "inherit", "inherit", ...(descriptor === undefined ? [] : [descriptor, "pipe" as const])],
    });
    const alive = child.stdio[ALIVE] as Socket | null | undefined;
    // It holds nothing here, and what is written to it is nobody's.
    alive?.on("error", () => undefined).resume();
    alive?.unref();
    const onTerminal = process.stdin.isTTY;
    const handlers = new Map<NodeJS.Signals, () => void>();
    for (const signal of [...PASSED_ON, ...FROM_TERMINAL]) {
      const pass = !(onTerminal && FROM_TERMINAL.includes(signal));
      handlers.set(signal, () => {
        if (pass) child.kill(signal);
      });
    }
    const finish = (ran: Ran): void => {
      for (const [signal, handler] of handlers) process.off(signal, handler);
      resolve(ran);
    };
    for (const [signal, handler] of handlers) listen(signal, handler);
    child.once("error", (error: NodeJS.ErrnoException) => {
      // Also raised for a signal that could not be passed on to a program that runs.
      if (child.pid !== undefined) return;
      const code = error.code ?? "EUNKNOWN";
      finish({ exitCode: code === "ENOENT" ? NOT_FOUND : CANNOT_RUN, failure: code });
    });
    child.once("exit", (code, signal) => {
      const ran = { exitCode: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) };
      if (descriptor === undefined || !alive || alive.closed) return finish(ran);
      // What the program left running has it still; the end of the last one may be told a moment after that of the first.
      const timer = setTimeout(() => {
        keepPort(descriptor, alive);
        finish(ran);
      }, LEFT_RUNNING_MS);
      alive.once("close", () => {
        clearTimeout(timer);
        finish(ran);
      });
    });
  });
}

/** Where the program holds a pipe that tells whether anything of it still runs. */
const ALIVE = 4;
/** Milliseconds in which a program that left nothing running is known to have ended. */
const LEFT_RUNNING_MS = 30;

function keepPort(descriptor: number, alive: Socket): void {
  const keeper = spawn(process.execPath, portKeeperArguments(), {
    cwd: "/",
    env: {},
    detached: true,
    stdio: ["ignore", "ignore", "ignore", descriptor, alive],
  });
  // The socket that is held keeps strangers off without it; requests are then not answered.
  keeper.on("error", () => undefined);
  keeper.unref();
}

/** Of a listening socket where programs can inherit one. */
function descriptorOf(server: Server | undefined): number | undefined {
  const descriptor = (server as { _handle?: { fd?: unknown } } | undefined)?._handle?.fd;
  return process.platform !== "win32" && typeof descriptor === "number" && descriptor > 2 ? descriptor : undefined;
}

function listen(signal: NodeJS.Signals, handler: () => void): void {
  // SIGUSR1 belongs to the debugger of Node until somebody listens; Windows knows few of these.
  if (process.platform === "win32" && !["SIGINT", "SIGTERM", "SIGHUP"].includes(signal)) return;
  process.on(signal, handler);
}
