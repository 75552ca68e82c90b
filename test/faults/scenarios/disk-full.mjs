// @ts-check
/** The file system of the events file is full, and later has room again. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { openStage, print } from "../stage.mjs";

const [, , cycleCount, folder = ""] = process.argv;
const eventsFile = `${folder}/events.jsonl`;
const ballast = `${folder}/ballast`;
const stage = await openStage({ guard: { eventsFile } });
await stage.begin();
try {
  writeFileSync(ballast, Buffer.alloc(1024 * 1024));
} catch {
  // That was the purpose: what fitted is written, and nothing else fits.
}
for (let cycle = 0; cycle < Number(cycleCount); cycle += 1) {
  stage.due();
  await stage.ask(5, { forceRefresh: true });
  await stage.settle();
}
const failing = stage.events.get("events.file_failing") ?? 0;
rmSync(ballast);
const before = readFileSync(eventsFile, "utf8").length;
for (let cycle = 0; cycle < 5; cycle += 1) {
  stage.due(30 * 60_000);
  await stage.ask(1, { forceRefresh: true });
  await stage.settle();
  await new Promise((resolve) => {
    setTimeout(resolve, 50);
  });
}
const text = readFileSync(eventsFile, "utf8");
const missed = [
  ...(failing === 0 ? ["nothing was said about a file that cannot be written"] : []),
  ...(text.length <= before ? ["nothing was written any more once there was room"] : []),
];
print(
  await stage.report({
    atMostPerRefresh: 4,
    note: `events.file_failing told ${failing} times; ${text.length - before} bytes written once there was room`,
    missed,
  }),
);
