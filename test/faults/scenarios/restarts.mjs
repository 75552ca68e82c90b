// @ts-check
/** The service restarts in the middle of renewals, and forgets every token. */
import { openStage, print } from "../stage.mjs";

const cycles = Number(process.argv[2]);
const stage = await openStage();
await stage.begin();
for (let cycle = 0; cycle < cycles; cycle += 1) {
  stage.due();
  await stage.stop();
  await stage.ask(20);
  await stage.settle();
  await stage.start();
  await stage.ask(20, { forceRefresh: true });
  await stage.settle();
}
// A token that a restart made worthless, a new one, the credentials; and whoever asked while nobody listened.
print(await stage.report({ atMostPerRefresh: 6 }));
