/** The firewall that a guard installs, by its settings and with its events. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:http";
import { connect, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { kernel, noting, putBack } from "../firewall/kernel.js";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { createGuard } from "../../src/sdk/application-guard.js";
import type { GuardOptions } from "../../src/settings/options.js";
import { freePort } from "../support/free-port.js";
import { withAttestedService } from "./attested-service.js";

const IMDS = "169.254.169.254";
const DNS = "169.254.169.253";

async function installed(options: GuardOptions) {
  const events: GuardEvent[] = [];
  const guard = createGuard({ log: "off", probe: "off", onEvent: (event) => void events.push(event), ...options });
  const report = await guard.installFirewall();
  return { guard, report, codes: () => events.map(({ code }) => code) };
}
/** Whether the operating system is asked for a connection. */
const dials = (address: string): boolean => new kernel.TCP().connect({}, address, 80) !== 0;
const isRefused = (address: string): boolean => {
  const before = kernel.arrived.length;
  dials(address);
  return kernel.arrived.length === before;
};

describe("its mode and its exceptions are those of the settings", () => {
  it.each([
    ["block", true, ["firewall.connection_blocked"]],
    ["report", false, ["firewall.connection_seen"]],
    ["off", false, []],
  ] as const)("%s", async (firewall, refused, codes) => {
    const { guard, report, codes: told } = await installed({ firewall, firewallAllow: ["dns"] });
    expect(report).toMatchObject({ mode: firewall, allow: ["dns"], alreadyInstalled: false });
    expect([isRefused(IMDS), isRefused(DNS)]).toEqual([refused, false]);
    await guard.close();
    expect(told()).toEqual(codes);
  });
});

it("its children report as this process does", async () => {
  kernel.preload = true;
  const { guard } = await installed({ eventsFile: "/nonexistent/events", eventFormat: "ecs" });
  new kernel.Process().spawn({ envPairs: [] });
  const [options] = kernel.arrived.at(-1)?.args ?? [];
  const { envPairs } = options as { readonly envPairs: readonly string[] };
  expect(envPairs).toContain("IMDS_GUARD_EVENTS_FILE=/nonexistent/events");
  expect(envPairs).toContain("IMDS_GUARD_EVENT_FORMAT=ecs");
  await guard.close();
});

describe("programs that ask for themselves are answered as the settings say", () => {
  it.each([
    ["metadata", 404],
    ["credentials", 200],
  ] as const)("%s", async (firewallAnswers, ofRoles) => {
    putBack(Socket.prototype, "connect");
    await withAttestedService({}, {}, async ({ service, options }) => {
      const local = await freePort();
      Object.assign(kernel.TCP.prototype, {
        bind: () => 0,
        connect: noting("tcp.connect", 0),
        getsockname: (found: object) => (Object.assign(found, { port: local }), 0),
      });
      const { guard } = await installed({ ...options, firewallAnswers });
      const handle = new kernel.TCP();
      handle[Symbol("owner_symbol")] = { _handle: handle };
      handle.connect({}, IMDS, 80);
      const led = () => kernel.arrived.find(({ method }) => method === "tcp.connect")?.args;
      await expect.poll(led).toMatchObject([{}, "127.0.0.1", expect.any(Number) as number]);
      // What the operating system was asked for.
      const socket = connect({
        host: "127.0.0.1",
        port: led()?.[2] as number,
        localAddress: "127.0.0.1",
        localPort: local,
      });
      const ask = async (path: string, method = "GET", headers: Record<string, string> = {}) => {
        const asked = request({
          path,
          method,
          headers: { host: IMDS, connection: "keep-alive", ...headers },
          createConnection: () => socket,
        }).end();
        const [response] = (await once(asked, "response")) as [IncomingMessage];
        return [response.statusCode, await text(response)] as const;
      };
      const [status, token] = await ask("/latest/api/token", "PUT", { "x-aws-ec2-metadata-token-ttl-seconds": "60" });
      const holding = { "x-aws-ec2-metadata-token": token };
      expect(status).toBe(200);
      expect(await ask("/latest/meta-data/instance-id", "GET", holding)).toEqual([200, service.identity.instanceId]);
      expect((await ask("/latest/meta-data/iam/security-credentials/", "GET", holding))[0]).toBe(ofRoles);
      socket.destroy();
      await guard.close();
    });
  });
});
