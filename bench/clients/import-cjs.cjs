// @ts-check
/** How long the first `require()` of a module takes in this process. */
const { module: name } = JSON.parse(process.argv[2] ?? "{}");
require("./empty.cjs");
const began = performance.now();
require(name);
process.stdout.write(JSON.stringify({ ms: performance.now() - began }));
