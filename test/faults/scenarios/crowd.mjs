// @ts-check
/** Thousands of callers at once, at the first credentials and at every renewal. */
import { openStage, print } from "../stage.mjs";

const [, , crowd, cycleCount] = process.argv;
const stage = await openStage({ guard: { timeout: 5_000 } });
await stage.begin();
await stage.guard.credentials();
for (let cycle = 0; cycle < Number(cycleCount); cycle += 1) {
  stage.due();
  await stage.ask(Number(crowd));
  await stage.settle();
  await stage.ask(Number(crowd), { forceRefresh: true });
  await stage.settle();
}
print(await stage.report({ atMostPerRefresh: 4, note: `${crowd} at once` }));
