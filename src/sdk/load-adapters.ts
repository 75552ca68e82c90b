/** Loads the adapters for modules of the SDK, at once. */

/** With the first module that is adapted: most programs have none. */
export function adapters(): typeof import("./adapters.js") {
  return require("./adapters.js") as typeof import("./adapters.js");
}

/** The class of this very module, which is Node's loader: loading node:module for it would cost a millisecond. */
export function moduleClass(): unknown {
  return module.constructor;
}
