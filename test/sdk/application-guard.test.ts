/** What the guard of an application has besides credentials: monitors that end with it, and a watch over signatures. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { GuardEvent } from "../../src/events/catalogue.js";
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

// Once a process watches, it does so for ever: whoever does not, comes first.
test.each([
  ["off", []],
  ["report", ["credentials.foreign_account_signed"]],
] as const)("signatures of other accounts are told of where egress is %s", async (egress, told) => {
  await inScene({}, async () => {
    const events: GuardEvent[] = [];
    const onEvent = (event: GuardEvent): void => void events.push(event);
    const guard = createGuard({ firewall: "off", egress, expectedAccounts: ["218007301253"], log: "off", onEvent });
    const notClosed = ["anything: the firewall is switched off by a setting"];
    expect(await guard.installFirewall()).toMatchObject({ mode: "off", notClosed });
    const server = createServer((_, response) => response.end()).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const authorization =
      "AWS4-HMAC-SHA256 Credential=ASIAY34FZKBOKMUTVV7A/20261128/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=fe5f80f77d5fa3";
    const lookup = ((_: string, options: { all?: boolean }, done: (...found: unknown[]) => void) =>
      options.all === true ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4)) as never;
    const host = "b.s3.eu-central-1.amazonaws.com";
    const asked = request({ host, port, lookup, headers: { authorization }, agent: false }).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    await once(response.resume(), "end");
    server.close();
    await guard.close();
    expect(events.map(({ code }) => code)).toEqual(told);
  });
});
