/** Takes the firewall along into worker threads and Node child processes, however they are started. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ownProperties } from "../base/own-properties.js";
import { requireOption, withNodeOption } from "../base/text.js";
import { OWN_FOLDER } from "../base/own-folder.js";
import { binding } from "./bindings.js";
import { defineOwn } from "./define-own.js";
import { isLoaded } from "./loaded-builtins.js";
import { getBuiltinModule, nodeProcess, ownVariable } from "./node-process.js";

const { apply, construct } = Reflect;
const { assign, hasOwn, keys } = Object;
const { isArray } = Array;

/** The preload of this very copy, or undefined where this file was bundled away from it. */
export function preloadPath(): string | undefined {
  if (OWN_FOLDER === undefined) return undefined;
  const path = join(OWN_FOLDER, "register.cjs");
  return existsSync(path) ? path : undefined;
}

/** Settings that a child gets even where its environment was emptied: what was decided here holds there. */
export type Inherited = Readonly<Record<string, string>>;

/**
 * Makes workers and children load the preload at `path`. An absolute path, because children start in other directories.
 *
 * @returns what could not be covered, in words
 */
export function coverChildren(path: string, inherited: Inherited): string[] {
  const option = requireOption(path);
  const notClosed: string[] = [];
  nodeProcess.env["NODE_OPTIONS"] = withNodeOption(ownVariable("NODE_OPTIONS"), option);
  // What ECMAScript modules import of either is made when it is loaded, and has to be told of changes after that.
  const imported = isLoaded("worker_threads") || isLoaded("process");
  wrapWorker(path, option);
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
  const own = pairs.find((pair) => typeof pair === "string" && pair.startsWith("NODE_OPTIONS=")) as string | undefined;
  const added = keys(inherited).filter(
    (name) => !pairs.some((pair) => typeof pair === "string" && pair.startsWith(`${name}=`)),
  );
  return [
    ...rest,
    `NODE_OPTIONS=${withNodeOption(own?.slice("NODE_OPTIONS=".length), option)}`,
    ...added.map((name) => `${name}=${inherited[name]}`),
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
    const options = args[0];
    const positional = typeof options !== "object" || options === null;
    const holder = (positional ? args : options) as Record<string | number, unknown>;
    const key = positional ? ENVIRONMENT_AT : "envPairs";
    const pairs = holder[key];
    // Without pairs a child is given the environment of this process, from which our option may be gone.
    if (isArray(pairs)) holder[key] = withPairs(pairs, option, inherited);
    else if (pairs === undefined || pairs === null) {
      if (!positional || typeof options === "string") holder[key] = withPairs(environmentPairs(), option, inherited);
    }
    return apply(original, this, args);
  };
}

function environmentPairs(): string[] {
  const { env } = nodeProcess;
  return keys(env).map((name) => `${name}=${env[name]}`);
}

/**
 * The native handle of a process, so that `node:child_process` need not be loaded; where that is out of reach or
 * unknown, its class.
 */
function processes(): { spawn: Spawn } {
  const known = Number.parseInt(nodeProcess.versions.node, 10) <= KNOWN_NODE;
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
  const target = nodeProcess as unknown as ReplacesItself;
  const { execve: original } = target;
  if (typeof original !== "function") return;
  target.execve = function execve(file, args = [], env = nodeProcess.env) {
    return apply(original, nodeProcess, [
      file,
      args,
      { ...inherited, ...env, NODE_OPTIONS: withNodeOption(variableIn(env, "NODE_OPTIONS"), option) },
    ]) as never;
  };
}

type Environment = Readonly<Record<string, string | undefined>>;

/** A variable of an environment that somebody made, and nothing that it inherits. */
function variableIn(env: Environment, name: string): string | undefined {
  return hasOwn(env, name) ? env[name] : undefined;
}

interface WorkerOptions {
  readonly execArgv?: readonly string[];
  readonly env?: Environment | symbol | null;
}

/**
 * A worker inherits `--require` of this process unless it is given `execArgv`, and `--import` does not run in every
 * worker; so the preload is named in `execArgv`, first: an option whose value stands apart may end the reading of those
 * behind it. Loading it twice is harmless.
 */
function wrapWorker(path: string, option: string): void {
  const workerThreads = getBuiltinModule("node:worker_threads");
  const { Worker: original } = workerThreads;
  const preload = `--require=${path}`;
  // A trap that all objects inherit would be one of these.
  const traps = ownProperties<ProxyHandler<typeof original>>({
    construct(target, args: [unknown, WorkerOptions?], newTarget) {
      const program = args[0];
      const options = args[1];
      const own = isArray(options?.execArgv) ? (options.execArgv as string[]) : undefined;
      const start = (changed: WorkerOptions): object =>
        construct(target, [program, assign({}, options, changed)], newTarget) as object;
      const execArgv = [preload, ...(own ?? nodeProcess.execArgv)];
      try {
        return start({ execArgv });
      } catch (error) {
        if (own !== undefined || !namesOptionOfProcess(error)) throw error;
        // Options of the whole process and of V8 cannot be named for a worker, but they may be inherited, and beside
        // them NODE_OPTIONS of an environment that is given are read.
        const env = options?.env ?? nodeProcess.env;
        if (typeof env === "object") return start({ env: withNodeOptions(env, option) });
        // The environment that is shared with this thread cannot be given another time.
        return startWithout(error, execArgv, preload, start);
      }
    },
  });
  const Worker = new Proxy(original, traps);
  // The public ways to the class itself.
  defineOwn(original.prototype, "constructor", Worker);
  (workerThreads as { Worker: typeof original }).Worker = Worker;
}

function withNodeOptions(env: Environment, option: string): Environment {
  return { ...env, NODE_OPTIONS: withNodeOption(variableIn(env, "NODE_OPTIONS"), option) };
}

function namesOptionOfProcess(error: unknown): error is Error {
  return (error as { code?: string } | null)?.code === "ERR_WORKER_INVALID_EXEC_ARGV";
}

/** Leaves out the options that Node names in its error, and where that does not help, all but the preload. */
function startWithout(
  error: Error,
  execArgv: readonly string[],
  preload: string,
  start: (changed: WorkerOptions) => object,
): object {
  const named = error.message.split(/: |, /);
  const kept = execArgv.filter((argument) => argument === preload || !named.includes(argument));
  try {
    return start({ execArgv: kept });
  } catch (again) {
    if (!namesOptionOfProcess(again)) throw again;
    return start({ execArgv: [preload] });
  }
}
