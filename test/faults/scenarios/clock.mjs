// @ts-check
/** Somebody sets the clock of the day, and machines sleep. */
import { setClock } from "../clock.mjs";
import { openStage, print } from "../stage.mjs";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const JUMPS = [
  5 * MINUTE,
  -5 * MINUTE,
  HOUR,
  -HOUR,
  7 * HOUR,
  -7 * HOUR,
  24 * HOUR,
  -24 * HOUR,
  365 * 24 * HOUR,
  -365 * 24 * HOUR,
  3_650 * 24 * HOUR,
  -3_650 * 24 * HOUR,
];

const rounds = Number(process.argv[2]);
const stage = await openStage();
await stage.begin();
for (let round = 0; round < rounds; round += 1) {
  for (const jump of JUMPS) {
    stage.due(1 * MINUTE);
    setClock(jump);
    await stage.ask(5);
    await stage.settle();
    await stage.ask(5, { forceRefresh: true });
    await stage.settle();
  }
}
print(
  await stage.report({
    atMostPerRefresh: 4,
    note: `${rounds * JUMPS.length} jumps of up to ten years, forward and back`,
  }),
);
