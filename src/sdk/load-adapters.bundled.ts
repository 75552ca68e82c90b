/** The form of load-adapters.ts in a bundle, which has everything in it. */
import * as module from "./adapters.js";

export const adapters = (): typeof module => module;

/** Modules of bundles are none of Node's. */
export const moduleClass = (): undefined => undefined;
