import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Responder } from "../../src/events/catalogue.js";
import { describeResponder } from "../../src/network/responder.js";
import { realSystem } from "../../src/base/system.js";
import type { FileRead, System } from "../../src/base/system.js";
import { compileRoom, namespacesAllowed, runInNamespace, SILENT_LINK } from "./namespace.js";
import type { CompiledRoom } from "./namespace.js";
import { fc } from "../support/properties.js";

const machine = (platform: NodeJS.Platform, readFile: (path: string) => FileRead): System => ({
  ...realSystem,
  platform,
  readFile,
});
const loopback = Object.entries(networkInterfaces()).find(([, entries]) =>
  entries?.some(({ address }) => address === "127.0.0.1"),
)?.[0];

describe("describeResponder", () => {
  it.each(["127.0.0.1", "::ffff:127.0.0.1"])("knows %s as this host's own", async (address) => {
    const { interface: device, route } = await describeResponder(address, realSystem);
    expect(device).toBe(loopback);
    expect(route).toBe(`local address of this host on ${loopback}`);
  });

  it("knows loopback addresses that no interface lists", async () => {
    expect(await describeResponder("127.9.8.7", realSystem)).toMatchObject({
      route: `local address of this host on ${loopback}`,
    });
  });

  it.each(["", "imds.example", "127.0.0.1%lo", "[::1]", "1.2.3"])("has nothing to say about %j", async (address) => {
    expect(await describeResponder(address, realSystem)).toEqual({});
  });

  it.each<[string, FileRead]>([
    ["absent", { kind: "absent" }],
    ["unreadable", { kind: "unreadable", code: "EACCES" }],
    ["too large", { kind: "too-large", limit: 1 }],
    ["nonsense", { kind: "content", bytes: Buffer.from("nonsense\nmore \xff nonsense\n", "latin1") }],
    ["empty", { kind: "content", bytes: Buffer.alloc(0) }],
  ])("goes without tables that are %s", async (_, read) => {
    const responder = await describeResponder(
      "198.51.100.7",
      machine("linux", () => read),
    );
    expect(responder).not.toHaveProperty("route");
    expect(responder).not.toHaveProperty("mac");
  });

  it("does not look for the tables of Linux elsewhere", async () => {
    const asked: string[] = [];
    await describeResponder(
      "198.51.100.7",
      machine("darwin", (path) => {
        asked.push(path);
        return { kind: "absent" };
      }),
    );
    expect(asked).toEqual([]);
  });

  it("never rejects, whatever the tables hold", async () => {
    const content = fc
      .uint8Array({ maxLength: 300 })
      .map((bytes): FileRead => ({ kind: "content", bytes: Buffer.from(bytes) }));
    await fc.assert(
      fc.asyncProperty(content, async (read) => {
        await describeResponder(
          "198.51.100.7",
          machine("linux", () => read),
        );
      }),
    );
  });
});

describe.skipIf(!namespacesAllowed)("describeResponder inside a network namespace", { timeout: 60_000 }, () => {
  let room: CompiledRoom;
  beforeAll(() => {
    room = compileRoom();
  });
  afterAll(() => room.remove());

  async function describeIn(setup: string, address: string): Promise<Responder> {
    const program = `
      import { describeResponder } from "./network/responder.js";
      import { realSystem } from "./base/system.js";
      console.log(JSON.stringify(await describeResponder(${JSON.stringify(address)}, realSystem)));`;
    return JSON.parse(await runInNamespace(room, setup, program)) as Responder;
  }

  it.each<[string, string, string, Responder]>([
    [
      "an address on the host's own loopback",
      "ip addr add 169.254.169.254/32 dev lo",
      "169.254.169.254",
      { interface: "lo", route: "local address of this host on lo", localAddress: "169.254.169.254" },
    ],
    [
      "an address routed to the host itself",
      "ip route add local 169.254.0.0/16 dev lo",
      "169.254.169.254",
      { interface: "lo", route: "local address of this host on lo", localAddress: "169.254.169.254" },
    ],
    [
      "an IPv6 address on the host's own loopback",
      "ip addr add fd00:ec2::254/128 dev lo",
      "fd00:ec2::254",
      { interface: "lo", route: "local address of this host on lo", localAddress: "fd00:ec2::254" },
    ],
    [
      "a router in between",
      `${SILENT_LINK} ip route add default via 192.0.2.1`,
      "169.254.169.254",
      {
        mac: "02:00:00:00:00:09",
        interface: "v0",
        gateway: "192.0.2.1",
        route: "default via 192.0.2.1 dev v0",
        localAddress: "192.0.2.2",
      },
    ],
    [
      "a neighbour on the link",
      `${SILENT_LINK} ip route add 169.254.0.0/16 dev v0; ip neigh add 169.254.169.254 lladdr 02:00:00:00:00:66 dev v0 nud permanent`,
      "169.254.169.254",
      { mac: "02:00:00:00:00:66", interface: "v0", route: "169.254.0.0/16 dev v0", localAddress: "192.0.2.2" },
    ],
    [
      "a neighbour nobody has heard of",
      `${SILENT_LINK} ip route add 169.254.0.0/16 dev v0`,
      "169.254.169.254",
      { interface: "v0", route: "169.254.0.0/16 dev v0", localAddress: "192.0.2.2" },
    ],
    [
      "a source address kept on loopback",
      `${SILENT_LINK} ip addr add 203.0.113.5/32 dev lo; ip route add default via 192.0.2.1 src 203.0.113.5`,
      "169.254.169.254",
      {
        mac: "02:00:00:00:00:09",
        interface: "v0",
        gateway: "192.0.2.1",
        route: "default via 192.0.2.1 dev v0",
        localAddress: "203.0.113.5",
      },
    ],
    [
      "a prohibited address",
      "ip route add prohibit 169.254.169.254/32",
      "169.254.169.254",
      { route: "unreachable 169.254.169.254/32" },
    ],
    ["a black hole", "ip route add blackhole 169.254.0.0/16", "169.254.169.254", { route: "blackhole 169.254.0.0/16" }],
    ["no route at all", ":", "169.254.169.254", {}],
    [
      "IPv6 over a link",
      `${SILENT_LINK} ip -6 addr add 2001:db8::2/64 dev v0 nodad; ip -6 route add fd00:ec2::/32 via 2001:db8::1`,
      "fd00:ec2::254",
      {
        interface: "v0",
        gateway: "2001:db8::1",
        route: "fd00:ec2::/32 via 2001:db8::1 dev v0",
        localAddress: "2001:db8::2",
      },
    ],
    [
      "IPv6 on the link",
      `${SILENT_LINK} ip -6 addr add fd00:ec2::1/32 dev v0 nodad`,
      "fd00:ec2::254",
      { interface: "v0", route: "fd00:ec2::/32 dev v0", localAddress: "fd00:ec2::1" },
    ],
    [
      "a prohibited IPv6 address",
      `${SILENT_LINK} ip -6 addr add 2001:db8::2/64 dev v0 nodad; ip -6 route add default via 2001:db8::1; ip -6 route add prohibit fd00:ec2::/32`,
      "fd00:ec2::254",
      { route: "unreachable fd00:ec2::/32" },
    ],
    ["no IPv6 route at all", ":", "fd00:ec2::254", {}],
  ])("sees %s", async (_, setup, address, expected) => {
    expect(await describeIn(setup, address)).toEqual(expected);
  });

  it("does not repeat the main table when a rule leads elsewhere", async () => {
    const setup = `${SILENT_LINK} ip route add default via 192.0.2.1
      ip link add w0 type veth peer name w1; ip addr add 198.51.100.2/24 dev w0; ip link set w0 up; ip link set w1 up
      ip route add default via 198.51.100.1 dev w0 table 7; ip rule add to 169.254.0.0/16 lookup 7`;
    expect(await describeIn(setup, "169.254.169.254")).toEqual({ interface: "w0", localAddress: "198.51.100.2" });
  });

  it("sends nothing", async () => {
    const program = `
      import { readFileSync } from "node:fs";
      import { describeResponder } from "./network/responder.js";
      import { realSystem } from "./base/system.js";
      const outDatagrams = () => readFileSync("/proc/net/snmp", "utf8").match(/^Udp: \\d.*$/m)[0].split(" ")[4];
      const before = outDatagrams();
      await describeResponder("169.254.169.254", realSystem);
      console.log(outDatagrams() - before);`;
    expect(await runInNamespace(room, `${SILENT_LINK} ip route add default via 192.0.2.1`, program)).toBe("0\n");
  });
});
