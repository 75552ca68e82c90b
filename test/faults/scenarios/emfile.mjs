// @ts-check
/** The process has no file descriptor left, again and again. */
import { closeSync, openSync } from "node:fs";
import { openStage, print } from "../stage.mjs";

const cycles = Number(process.argv[2]);
const stage = await openStage();
await stage.begin();
let exhausted = 0;
for (let cycle = 0; cycle < cycles; cycle += 1) {
  stage.due();
  /** @type {number[]} */
  const held = [];
  try {
    for (;;) held.push(openSync("/dev/null", "r"));
  } catch (error) {
    if (/** @type {any} */ (error).code === "EMFILE") exhausted += 1;
  }
  await stage.ask(10);
  await stage.settle();
  await stage.ask(10, { forceRefresh: true });
  await stage.settle();
  for (const fd of held) closeSync(fd);
  await stage.ask(10, { forceRefresh: true });
  await stage.settle();
}
const missed = exhausted < cycles ? [`descriptors ran out ${exhausted} times of ${cycles}`] : [];
print(await stage.report({ atMostPerRefresh: 8, missed }));
