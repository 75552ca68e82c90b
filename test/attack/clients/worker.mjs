// @ts-check
/** The victim of `ask.mjs` in a thread of its own; this thread passes orders and answers on, and asks nothing itself. */
import { Worker } from "node:worker_threads";

const victim = new Worker(new URL("ask.mjs", import.meta.url));
victim.on("message", (told) => {
  process.send?.(told);
});
victim.on("error", (error) => {
  process.stderr.write(`the thread of the victim ended: ${error.stack}\n`);
});
// Whoever asked learns of it by the end of this process.
victim.once("exit", () => {
  process.exit(0);
});
process.on("message", (order) => {
  victim.postMessage(order);
});
process.on("disconnect", () => {
  process.exit(0);
});
