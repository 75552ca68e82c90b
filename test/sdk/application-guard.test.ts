/** What the guard of an application has besides credentials: monitors that end with it. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { createGuard } from "../../src/sdk/application-guard.js";
import { inScene } from "./side-by-side.js";

const OFTEN = { intervalMs: 50, dns: "off" } as const;

/** A monitor that was closed looks no more, so that this waits for nothing. */
async function looksLater(monitor: { status(): { looks: number } }): Promise<number> {
  const { looks } = monitor.status();
  await sleep(200);
  return monitor.status().looks - looks;
}

test("its monitors look until it ends, and one that was closed before looks no more", async () => {
  await inScene({}, async () => {
    const guard = createGuard({ log: "off", probe: "off" });
    const [one, other] = [await guard.monitor(OFTEN), await guard.monitor(OFTEN)];
    expect((await one.look()).failedLooks).toBe(0);
    await one.close();
    expect(await looksLater(one)).toBe(0);
    const { looks } = other.status();
    await expect.poll(() => other.status().looks).toBeGreaterThan(looks);
    await guard.close();
    expect(await looksLater(other)).toBe(0);
  });
});

test("an option of a monitor that nobody knows is a TypeError", async () => {
  await inScene({}, async () => {
    const guard = createGuard({ log: "off", probe: "off" });
    await expect(guard.monitor({ interval: 5 } as never)).rejects.toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
    await guard.close();
  });
});
