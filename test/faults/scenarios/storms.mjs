// @ts-check
/** The service answers renewals with faults of one sort, until the storm is over; then comes the next one. */
import { drawing, openStage, print } from "../stage.mjs";

const [, , cycleCount, ...outcomes] = process.argv;
const draw = drawing(20_260_216);
const stage = await openStage();
await stage.begin();
for (let cycle = 0; cycle < Number(cycleCount); cycle += 1) {
  stage.due();
  const outcome = outcomes[Math.floor(draw() * outcomes.length)] ?? "503";
  // Up to four in a row: one more than the guard asks within one operation.
  const fault = /** @type {const} */ ({
    path: /./,
    outcome: /^\d+$/.test(outcome) ? Number(outcome) : /** @type {any} */ (outcome),
    times: 1 + Math.floor(draw() * 4),
  });
  stage.imds()?.fail(fault);
  await stage.ask(10);
  await stage.settle();
  await stage.ask(10, { forceRefresh: true });
  await stage.settle();
  stage.imds()?.calm();
  await stage.ask(10, { forceRefresh: true });
  await stage.settle();
}
print(await stage.report({ atMostPerRefresh: 16 }));
