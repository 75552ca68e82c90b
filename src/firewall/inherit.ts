/** Takes the firewall along into worker threads and Node child processes, however they are started. */
import { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import workerThreads from "node:worker_threads";
import { withoutDeprecations } from "./without-deprecations.js";

const { apply, construct } = Reflect;

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
  const option = `--require ${quoted(path)}`;
  const notClosed: string[] = [];
  process.env["NODE_OPTIONS"] = withOption(process.env["NODE_OPTIONS"], option);
  wrapWorker(path);
  wrapSpawn(option, inherited);
  if (!wrapSpawnSync(option, inherited)) notClosed.push("children of spawnSync, execSync and execFileSync that are given an environment without NODE_OPTIONS");
  wrapExecve(option, inherited);
  syncBuiltinESMExports();
  return notClosed;
}

/** As Node reads NODE_OPTIONS: a value with spaces in double quotes, in which a backslash escapes. */
function quoted(path: string): string {
  return /[\s"\\]/.test(path) ? `"${path.replace(/["\\]/g, "\\$&")}"` : path;
}

function withOption(present: string | undefined, option: string): string {
  if (present === undefined || present.trim() === "") return option;
  return ` ${present} `.includes(` ${option} `) ? present : `${present} ${option}`;
}

/** `NAME=value` pairs, as they go to the operating system. */
function withPairs(pairs: readonly unknown[], option: string, inherited: Inherited): unknown[] {
  const rest = pairs.filter((pair) => typeof pair !== "string" || !pair.startsWith("NODE_OPTIONS="));
  const given = pairs.find((pair) => typeof pair === "string" && pair.startsWith("NODE_OPTIONS=")) as string | undefined;
  const added = Object.entries(inherited).filter(([name]) => !pairs.some((pair) => typeof pair === "string" && pair.startsWith(`${name}=`)));
  return [...rest, `NODE_OPTIONS=${withOption(given?.slice("NODE_OPTIONS=".length), option)}`, ...added.map(([name, value]) => `${name}=${value}`)];
}

interface Spawnable {
  envPairs?: readonly unknown[] | undefined;
}

function wrapSpawn(option: string, inherited: Inherited): void {
  const prototype = ChildProcess.prototype as unknown as { spawn: (this: ChildProcess, options: Spawnable) => number };
  const { spawn: original } = prototype;
  prototype.spawn = function spawn(options) {
    if (Array.isArray(options?.envPairs)) options.envPairs = withPairs(options.envPairs, option, inherited);
    return apply(original, this, [options]);
  };
}

/** The synchronous calls share no public function; the binding is what all of them call. */
function wrapSpawnSync(option: string, inherited: Inherited): boolean {
  try {
    const binding = withoutDeprecations(() => (process as unknown as { binding(name: string): { spawn: (options: Spawnable) => unknown } }).binding("spawn_sync"));
    const { spawn: original } = binding;
    binding.spawn = function spawn(this: unknown, options) {
      if (Array.isArray(options?.envPairs)) options.envPairs = withPairs(options.envPairs, option, inherited);
      return apply(original, this, [options]);
    };
    return true;
  } catch {
    // `--permission` and embedders take the binding away, each with an error of its own.
    return false;
  }
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
    return apply(original, process, [file, args, { ...inherited, ...env, NODE_OPTIONS: withOption(env["NODE_OPTIONS"], option) }]) as never;
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
  const { Worker: original } = workerThreads;
  const option = `--require=${path}`;
  const Worker = new Proxy(original, {
    construct(target, args: [unknown, WorkerOptions?], newTarget) {
      const [program, options] = args;
      const given: readonly string[] = Array.isArray(options?.execArgv) ? (options.execArgv as string[]) : process.execArgv;
      const execArgv = [...given, option];
      try {
        return construct(target, [program, { ...options, execArgv }], newTarget) as object;
      } catch (error) {
        // Options of the whole process cannot be named for a worker. It then inherits them, and with them a `-r` of ours.
        const inherits = options?.execArgv === undefined && (error as { code?: string } | null)?.code === "ERR_WORKER_INVALID_EXEC_ARGV";
        if (!inherits) throw error;
        return construct(target, args, newTarget) as object;
      }
    },
  });
  (workerThreads as { Worker: typeof original }).Worker = Worker;
}
