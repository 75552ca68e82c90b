/** What applications call, in one module, so that Node.js can load it with the first call. */
export { fromInstanceMetadata } from "./instance-metadata.js";
export { fromGuardedRegion } from "./region.js";
export { createGuard } from "./application-guard.js";
export { guardOf } from "./guard-option.js";
