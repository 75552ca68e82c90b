// @ts-check
/** Packets are lost on the way, or late; the machine that this runs in sees to that. */
import { openStage, print } from "../stage.mjs";

const [, , cycleCount, delay, guardTimeout] = process.argv;
const stage = await openStage({ guard: { timeout: Number(guardTimeout) } });
await stage.begin();
stage.imds()?.set({ delayMs: Number(delay) });
for (let cycle = 0; cycle < Number(cycleCount); cycle += 1) {
  stage.due();
  await stage.ask(10, { forceRefresh: true });
  await stage.settle();
}
print(await stage.report({ atMostPerRefresh: 12 }));
