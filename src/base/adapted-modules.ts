/** Modules of the AWS SDK that a preload has adapted for the program, known to every copy of this package in the process. */
import { shareInProcess } from "./process-wide.js";

const ADAPTED = Symbol.for("imds-guard.adapted-modules.1");

/** Adapted exports -> what they are a copy of. */
const originals = (): WeakMap<object, object> => shareInProcess(ADAPTED, "data", () => new WeakMap<object, object>());

/** Remembers of which exports `adapted` is a copy. */
export function noteAdapted(adapted: object, original: object): void {
  originals().set(adapted, original);
}

/**
 * A CommonJS module as `require` or `import()` gives it, without adaptations: this package's own links are held by the
 * guard of their provider, and not once more by one of the preload's.
 */
export function unadapted<Module extends object>(module: Module & { readonly default?: unknown }): Module {
  const { default: exports = module } = module;
  return ((typeof exports === "object" && exports !== null && originals().get(exports)) || module) as Module;
}
