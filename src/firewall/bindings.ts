/** Node's own bindings, which it deprecates for programs, without a warning that would be blamed on the program. */
import { nodeProcess } from "./node-process.js";

/** The binding `name`, or undefined where it is out of reach. The program's own uses of bindings still warn. */
export function binding(name: string): unknown {
  const { noDeprecation } = nodeProcess;
  try {
    nodeProcess.noDeprecation = true;
    return (nodeProcess as unknown as { binding(name: string): unknown }).binding(name);
  } catch {
    // `--permission` and embedders take the bindings away, each with an error of its own.
    return undefined;
  } finally {
    if (noDeprecation === undefined) delete nodeProcess.noDeprecation;
    else nodeProcess.noDeprecation = noDeprecation;
  }
}
