/**
 * A monitor on loopback: it finds who answers, says so once, goes on when a look fails, and holds nothing it was not
 * told to.
 */
import { afterEach, describe, expect, test } from "vitest";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { createReporter } from "../../src/events/reporter.js";
import { callbackSink } from "../../src/events/sinks.js";
import type { Verdict } from "../../src/host/report.js";
import { createGuard } from "../../src/index.js";
import type { MonitorOptions } from "../../src/monitor/monitor.js";
import { createMonitor } from "../../src/monitor/monitor.js";
import type { FileRead, System } from "../../src/base/system.js";
import { realSystem } from "../../src/base/system.js";
import type { ImdsServer } from "../support/imds-server.mjs";
import { startImdsServer } from "../support/imds-server.mjs";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function imds(options: Parameters<typeof startImdsServer>[0] = {}): Promise<ImdsServer> {
  const server = await startImdsServer(options);
  closing.push(() => server.close());
  return server;
}

const NOTHING: FileRead = { kind: "content", bytes: Buffer.from("\n") };

function monitorOf(
  port: number,
  {
    verdict = "not-ec2" as Verdict,
    system = {} as Partial<System>,
    ...options
  }: MonitorOptions & { verdict?: Verdict; system?: Partial<System> } = {},
) {
  const events: GuardEvent[] = [];
  const whole: System = { ...realSystem, readFile: () => NOTHING, ...system };
  const reporter = createReporter({ system: whole, sinks: [callbackSink((event) => void events.push(event))] });
  const monitor = createMonitor(
    { intervalMs: 3_600_000, dns: "off", ...options },
    { system: whole, reporter, verdict, probe: "on", targets: [{ address: "127.0.0.1", port }] },
  );
  closing.push(() => monitor.close());
  return { monitor, events, codes: () => events.map(({ code }) => code) };
}

async function looks(monitor: { look(): Promise<unknown> }, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await monitor.look();
}

describe("responder", () => {
  test("is found once, is gone after three looks, and is found again", async () => {
    const server = await imds();
    const { port } = server.endpoints[0] as { port: number };
    const { monitor, events, codes } = monitorOf(port);
    await looks(monitor, 4);
    expect(codes()).toEqual(["imds.impersonation_detected"]);
    expect(events[0]).toMatchObject({
      severity: "critical",
      endpoint: { address: "127.0.0.1", port },
      responder: { interface: "lo" },
    });
    expect(monitor.status()).toMatchObject({
      looks: 4,
      failedLooks: 0,
      responder: true,
      reported: { "imds.impersonation_detected": 1 },
    });
    expect(server.counters.byRequest).toEqual({ "PUT /latest/api/token": 4 });
    await server.close();
    await looks(monitor, 2);
    expect(codes()).toHaveLength(1);
    await looks(monitor, 3);
    expect(codes()).toEqual(["imds.impersonation_detected", "monitor.responder_gone"]);
    expect(monitor.status().responder).toBe(false);
    await imds({ listen: [{ host: "127.0.0.1", port }] });
    await looks(monitor, 2);
    expect(codes().slice(2)).toEqual(["imds.impersonation_detected"]);
  });

  test.each<[Verdict, string[]]>([
    ["not-ec2", ["imds.impersonation_detected"]],
    ["unknown", ["imds.unverified_responder"]],
    ["ec2", []],
  ])("where the host is %s: %j", async (verdict, wanted) => {
    const server = await imds();
    const { monitor, codes } = monitorOf((server.endpoints[0] as { port: number }).port, { verdict });
    await monitor.look();
    expect(codes()).toEqual(wanted);
    expect(monitor.status().responder).toBe(true);
  });

  test("that is no IMDSv2 is another thing, and becoming one is a finding", async () => {
    const server = await imds({ httpEndpoint: "disabled" });
    const { monitor, codes } = monitorOf((server.endpoints[0] as { port: number }).port);
    await looks(monitor, 2);
    expect(codes()).toEqual(["monitor.responder_appeared"]);
    server.set({ httpEndpoint: "enabled" });
    await looks(monitor, 4);
    expect(codes()).toEqual(["monitor.responder_appeared", "imds.impersonation_detected", "monitor.responder_gone"]);
  });

  test("is not asked where the probe is off", async () => {
    const server = await imds();
    const { monitor, codes } = monitorOf((server.endpoints[0] as { port: number }).port, { probe: "off" });
    await monitor.look();
    expect([codes(), server.counters.total]).toEqual([[], 0]);
  });
});

describe.skipIf(process.platform !== "linux")("tables of this host", () => {
  const HEADER = "head\n";
  const files = (tables: Readonly<Record<string, string>>): Partial<System> => ({
    readFile: (path) =>
      tables[path] === undefined ? { kind: "absent" } : { kind: "content", bytes: Buffer.from(HEADER + tables[path]) },
  });
  const ROUTE = "eth0\tFEA9FEA9\t0102000A\t0007\t0\t0\t100\tFFFFFFFF\t0\t0\t0\n";
  const ROUTE6 = (prefix: string, device: string, flags = "00840003"): string =>
    `fd000ec20000000000000000${prefix === "80" ? "00000254" : "00000000"} ${prefix} ${"0".repeat(32)} 00 fe800000000000000000000000000001 00000400 00000001 00000000 ${flags} ${device}\n`;
  const ARP = "169.254.169.254  0x1  0x2  02:00:00:00:00:01  *  eth0\n";
  const TCP = (uid: number, port: string, state = "01"): string =>
    `0: 0A00020F:${port} FEA9FEA9:0050 ${state} 0:0 0:0 0 ${uid} 0 1\n`;

  test.each<[string, Record<string, string>, string[]]>([
    ["a route of its own", { "/proc/net/route": ROUTE }, ["monitor.host_route"]],
    [
      "a network without a router",
      { "/proc/net/route": "eth0\t0000FEA9\t00000000\t0001\t0\t0\t1000\t0000FFFF\t0\t0\t0\n" },
      [],
    ],
    ["an IPv6 route of its own", { "/proc/net/ipv6_route": ROUTE6("20", "eth0") }, ["monitor.host_route"]],
    ["an IPv6 route of the site", { "/proc/net/ipv6_route": ROUTE6("08", "eth0") }, []],
    ["an IPv6 address of this host itself", { "/proc/net/ipv6_route": ROUTE6("80", "lo", "80200001") }, []],
    ["an IPv6 route that refuses", { "/proc/net/ipv6_route": ROUTE6("20", "lo", "00200200") }, []],
    ["somebody who has the address", { "/proc/net/arp": ARP }, ["monitor.neighbour_appeared"]],
    ["a program that connects", { "/proc/net/tcp": TCP(1000, "C350") }, ["monitor.connection_seen"]],
    [
      "two programs of one user",
      { "/proc/net/tcp": TCP(1000, "C350") + TCP(1000, "C351") },
      ["monitor.connection_seen"],
    ],
    [
      "programs of two users",
      { "/proc/net/tcp": TCP(1000, "C350") + TCP(1001, "C351") },
      ["monitor.connection_seen", "monitor.connection_seen"],
    ],
  ])("%s", async (_what, tables, wanted) => {
    const { monitor, codes } = monitorOf(1, { probe: "off", system: files(tables) });
    await looks(monitor, 3);
    expect(codes()).toEqual(wanted);
    const onEc2 = monitorOf(1, { probe: "off", verdict: "ec2", system: files(tables) });
    await looks(onEc2.monitor, 3);
    expect(onEc2.codes()).toEqual([]);
  });

  test("a connection that waits out its end is still its user's", async () => {
    let table = TCP(1000, "C350");
    const { monitor, codes } = monitorOf(1, {
      probe: "off",
      system: {
        readFile: (path) =>
          path === "/proc/net/tcp" ? { kind: "content", bytes: Buffer.from(HEADER + table) } : { kind: "absent" },
      },
    });
    await monitor.look();
    table = TCP(0, "C350", "06");
    await looks(monitor, 3);
    expect(codes()).toEqual(["monitor.connection_seen"]);
  });
});

test("a look that fails is counted, and the next one is made", async () => {
  let broken = true;
  const readFile = (): FileRead => {
    if (broken) throw new Error("broken");
    return NOTHING;
  };
  const { monitor } = monitorOf(1, {
    probe: "off",
    system: { platform: "linux", readFile },
    onLook: () => {
      throw new Error("of the caller");
    },
  });
  await monitor.look();
  broken = false;
  await monitor.look();
  expect(monitor.status()).toMatchObject({ looks: 1, failedLooks: 1 });
});

test("looks by itself, one at a time", async () => {
  const server = await imds({ delayMs: 20 });
  let done: () => void = () => undefined;
  const five = new Promise<void>((resolve) => (done = resolve));
  const { monitor } = monitorOf((server.endpoints[0] as { port: number }).port, {
    intervalMs: 50,
    onLook: ({ looks: n }) => {
      if (n === 5) done();
    },
  });
  expect(monitor.look()).toBe(monitor.look());
  await five;
  await monitor.close();
  const { total } = server.counters;
  expect(total).toBeGreaterThanOrEqual(5);
});

test.each<[object, RegExp]>([
  [{ interval: 5 }, /"interval"; allowed: intervalMs/],
  [{ intervalMs: 1 }, /monitor\.intervalMs is 1; allowed: a number from 50/],
  [{ probe: true }, /monitor\.probe is true/],
  [{ onLook: "x" }, /monitor\.onLook is "x"/],
])("a wrong option is a TypeError: %j", async (options, message) => {
  const guard = createGuard();
  await expect(guard.monitor(options as MonitorOptions)).rejects.toThrow(message);
  await guard.close();
});

test("a guard's monitor reports where the guard does, and ends with it", async () => {
  const events: GuardEvent[] = [];
  // No probe of the real addresses: this project's tests run with IMDS_GUARD_PROBE=off.
  const guard = createGuard({ log: "off", onEvent: (event) => events.push(event), probe: "off" });
  const monitor = await guard.monitor({ dns: "off" });
  expect((await monitor.look()).looks).toBeGreaterThan(0);
  await guard.close();
  expect(events.map(({ code }) => code)).not.toContain("imds.impersonation_detected");
});
