/**
 * The process itself. Test runners give their realms a copy, with an environment that no child ever sees and a
 * `getBuiltinModule` that answers with the copy again; what runs in the main context sees the real one.
 */
import { runInThisContext } from "node:vm";
import { loadPlainly } from "../base/plain-load.js";

/** `process` of the thread, whatever realm this module was loaded in. */
export const nodeProcess = runInThisContext("process") as NodeJS.Process;

const { hasOwn } = Object;
const { getBuiltinModule: builtin } = nodeProcess;

/** A module of Node's own, loaded where it was not. */
export const getBuiltinModule = ((name: string) => loadPlainly(() => builtin(name))) as typeof builtin;

/** A variable of its environment, which inherits from Object.prototype as any object does. */
export function ownVariable(name: string): string | undefined {
  const { env } = nodeProcess;
  return hasOwn(env, name) ? env[name] : undefined;
}
