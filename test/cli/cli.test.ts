/** Plays the scripts of this folder against the built program, each on a host of its own. */
import { afterAll, beforeAll, describe, it } from "vitest";
import { canUnshare } from "../support/machine.mjs";
import { isBuilt, openStage, scripts } from "./script.js";

const able = canUnshare();
const missing = !able.ok ? `no namespaces here: ${able.reason}` : isBuilt() ? undefined : "dist/cli.js is not built";
if (missing !== undefined) console.log(`command line scripts skipped: ${missing}`);

describe.skipIf(missing !== undefined).each(scripts())("$name", ({ blocks }) => {
  let stage: Awaited<ReturnType<typeof openStage>> | undefined;
  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(() => stage?.close());

  it.each(blocks.map((block) => [block.title, block] as const))("%s", async (_title, block) => {
    await stage?.play(block);
  });
});
