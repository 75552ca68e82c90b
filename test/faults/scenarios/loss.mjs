// @ts-check
/** Packets are lost on the way, or late; the machine that this runs in sees to that. */
import { openStage, print } from "../stage.mjs";

const [, , cycleCount, delay, guardTimeout] = process.argv;
const stage = await openStage({ guard: { timeout: Number(guardTimeout) } });
await stage.begin();
stage.imds()?.set({ delayMs: Number(delay) });
for (let cycle = 0; cycle < Number(cycleCount); cycle += 1) {
  stage.due();
  for (let tries = 0; tries < 3; tries += 1) {
    const before = stage.events.get("imds.credentials_obtained");
    await stage.ask(10, { forceRefresh: true });
    await stage.settle();
    if (stage.events.get("imds.credentials_obtained") !== before) break;
  }
}
print(await stage.report({ atMostPerRefresh: 12 }));
