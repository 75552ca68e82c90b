// @ts-check
/** How long the first `import()` of a module takes in this process. */
import { order, report } from "./order.mjs";

const { module } = order();
await import("./empty.mjs");
const began = performance.now();
await import(module);
report({ ms: performance.now() - began });
