// @ts-check
/**
 * A simulated month: an application that asks every minute, with outages of up to five hours and a restart every few
 * days.
 */
import { advance } from "../clock.mjs";
import { drawing, openStage, print } from "../stage.mjs";

const MINUTE = 60_000;
const days = Number(process.argv[2]);
const draw = drawing(30);
const stage = await openStage();
await stage.begin();
/** Minutes until the next outage, and until its end. */
let quiet = 600;
let out = 0;
let outages = 0;
for (let minute = 0; minute < days * 24 * 60; minute += 1) {
  advance(MINUTE);
  if (out > 0) {
    out -= 1;
    if (out === 0) await stage.start();
  } else if (quiet === 0) {
    await stage.stop();
    outages += 1;
    out = 1 + Math.floor(draw() * 300);
    quiet = 600 + Math.floor(draw() * 3_000);
  } else quiet -= 1;
  await stage.ask(1);
  await stage.settle();
}
await stage.start();
const report = await stage.report({
  atMostPerRefresh: 0,
  note: `${days} days, ${outages} outages of up to five hours`,
});
const perRefresh = report.requests / Math.max(1, report.refreshes);
print({ ...report, perRefresh, atMostPerRefresh: 4 });
