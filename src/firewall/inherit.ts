/** Takes the firewall along into worker threads and Node child processes, however they are started. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { requireOption, withNodeOption } from "../base/text.js";
import { binding } from "./bindings.js";
import { isLoaded } from "./loaded.js";

const { apply, construct } = Reflect;
const { getBuiltinModule } = process;

/** The preload of this very copy, or undefined where this file was bundled away from it. */
export function preloadPath(): string | undefined {
  const here = typeof __filename === "string" ? __filename : fileURLToPath(import.meta.url);
  const path = join(dirname(here), "register.cjs");
  return existsSync(path) ? path : undefined;
}

/** Settings that a child gets even where its environment was emptied: what was decided here holds there. */
export type Inherited = Readonly<Record<string, string>>;

/**
 * Makes workers and children load the preload at `path`. An absolute path, because children start in other directories.
 *
 * @returns what could not be covered, in words
 */
export function passOn(path: string, inherited: Inherited): string[] {
  const option = requireOption(path);
  const notClosed: string[] = [];
  process.env["NODE_OPTIONS"] = withNodeOption(process.env["NODE_OPTIONS"], option);
  // What ECMAScript modules import of either is made when it is loaded, and has to be told of changes after that.
  const imported = isLoaded("worker_threads") || isLoaded("process");
  wrapWorker(path);
  wrapSpawn(processes(), option, inherited);
  // The synchronous calls share no public function; the binding is what all of them call.
  const synchronous = binding("spawn_sync") as { spawn: Spawn } | undefined;
  if (synchronous) wrapSpawn(synchronous, option, inherited);
  else
    notClosed.push(
      "children of spawnSync, execSync and execFileSync that are given an environment without NODE_OPTIONS",
    );
  wrapExecve(option, inherited);
  if (imported) getBuiltinModule("node:module").syncBuiltinESMExports();
  return notClosed;
}

/** `NAME=value` pairs, as they go to the operating system. */
function withPairs(pairs: readonly unknown[], option: string, inherited: Inherited): unknown[] {
  const rest = pairs.filter((pair) => typeof pair !== "string" || !pair.startsWith("NODE_OPTIONS="));
  const given = pairs.find((pair) => typeof pair === "string" && pair.startsWith("NODE_OPTIONS=")) as
    string | undefined;
  const added = Object.entries(inherited).filter(
    ([name]) => !pairs.some((pair) => typeof pair === "string" && pair.startsWith(`${name}=`)),
  );
  return [
    ...rest,
    `NODE_OPTIONS=${withNodeOption(given?.slice("NODE_OPTIONS=".length), option)}`,
    ...added.map(([name, value]) => `${name}=${value}`),
  ];
}

type Spawn = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Node 24 and later give the native handle of a process one argument after the other, and this is the environment's
 * place.
 */
const ENVIRONMENT_AT = 3;
/** The newest major version of Node.js whose native handles of processes are known. */
const KNOWN_NODE = 26;

/** Where the environment of a child passes as pairs, whichever function of `node:child_process` was called. */
function wrapSpawn(target: { spawn: Spawn }, option: string, inherited: Inherited): void {
  const { spawn: original } = target;
  target.spawn = function spawn(...args) {
    const [options] = args;
    const holder = (typeof options === "object" && options !== null ? options : args) as Record<
      string | number,
      unknown
    >;
    const key = holder === (args as unknown) ? ENVIRONMENT_AT : "envPairs";
    const pairs = holder[key];
    if (Array.isArray(pairs)) holder[key] = withPairs(pairs, option, inherited);
    return apply(original, this, args);
  };
}

/**
 * The native handle of a process, so that `node:child_process` need not be loaded; where that is out of reach or
 * unknown, its class.
 */
function processes(): { spawn: Spawn } {
  const known = Number.parseInt(process.versions.node, 10) <= KNOWN_NODE;
  const { Process } = ((known && binding("process_wrap")) || {}) as {
    Process?: { readonly prototype?: Partial<{ spawn: Spawn }> };
  };
  const { prototype } =
    typeof Process?.prototype?.spawn === "function" ? Process : getBuiltinModule("node:child_process").ChildProcess;
  return prototype as unknown as { spawn: Spawn };
}

interface ReplacesItself {
  execve?: (file: string, args?: readonly string[], env?: Record<string, string | undefined>) => never;
}

/** `process.execve`, Node 22.15 and later. */
function wrapExecve(option: string, inherited: Inherited): void {
  const target = process as unknown as ReplacesItself;
  const { execve: original } = target;
  if (typeof original !== "function") return;
  target.execve = function execve(file, args = [], env = process.env) {
    return apply(original, process, [
      file,
      args,
      { ...inherited, ...env, NODE_OPTIONS: withNodeOption(env["NODE_OPTIONS"], option) },
    ]) as never;
  };
}

interface WorkerOptions {
  readonly execArgv?: readonly string[];
}

/**
 * A worker inherits `--require` of this process unless it is given `execArgv`, and `--import` does not run in every
 * worker; so the preload is named in `execArgv`. Loading it twice is harmless.
 */
function wrapWorker(path: string): void {
  const workerThreads = getBuiltinModule("node:worker_threads");
  const { Worker: original } = workerThreads;
  const option = `--require=${path}`;
  const Worker = new Proxy(original, {
    construct(target, args: [unknown, WorkerOptions?], newTarget) {
      const [program, options] = args;
      const given: readonly string[] = Array.isArray(options?.execArgv)
        ? (options.execArgv as string[])
        : process.execArgv;
      const execArgv = [...given, option];
      try {
        return construct(target, [program, { ...options, execArgv }], newTarget) as object;
      } catch (error) {
        // Options of the whole process cannot be named for a worker. It then inherits them, and with them a `-r` of
        // ours.
        const inherits =
          options?.execArgv === undefined &&
          (error as { code?: string } | null)?.code === "ERR_WORKER_INVALID_EXEC_ARGV";
        if (!inherits) throw error;
        return construct(target, args, newTarget) as object;
      }
    },
  });
  (workerThreads as { Worker: typeof original }).Worker = Worker;
}
