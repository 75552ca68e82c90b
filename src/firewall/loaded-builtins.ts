/** Which of Node's own modules this thread has loaded: those that it has not can be waited for. */
import { nodeProcess } from "./node-process.js";

const { isArray } = Array;
const listed = Function.prototype.call.bind(Array.prototype.includes) as (
  list: readonly unknown[],
  entry: string,
) => boolean;

/** Whether `module` (`net`, without `node:`) is loaded. Where Node does not say, it counts as loaded. */
export function isLoaded(module: string): boolean {
  const { moduleLoadList } = nodeProcess as unknown as { moduleLoadList?: unknown };
  return !isArray(moduleLoadList) || listed(moduleLoadList, `NativeModule ${module}`);
}
