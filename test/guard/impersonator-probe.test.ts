/** The watch off EC2: whoever answers as IMDS is told of, once; other clouds and silence are not. */
import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { createReporter } from "../../src/events/reporter.js";
import type { Reporter } from "../../src/events/reporter.js";
import { probeAndReport, probeOnce } from "../../src/guard/impersonator-probe.js";
import { realSystem } from "../../src/base/system.js";
import type { System } from "../../src/base/system.js";
import { LAPTOP, machine, rejection, rigOn } from "./guarded-host.js";

const TOKEN = "AQAEAtokenOfTheImpersonatorAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
const IMPERSONATOR = `HTTP/1.1 200 OK\r\nServer: EC2ws\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\nContent-Length: ${TOKEN.length}\r\n\r\n${TOKEN}`;

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

interface Answering {
  readonly target: { readonly address: string; readonly port: number };
  readonly heard: string[];
}

/** A loopback service that gives `answer` to whatever it hears; undefined: nothing. */
async function answering(answer: string | undefined): Promise<Answering> {
  const heard: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      heard.push(bytes.toString("latin1"));
      if (answer !== undefined) socket.end(answer);
    });
    if (answer === undefined) setTimeout(() => socket.destroy(), 1_000).unref();
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { target: { address: "127.0.0.1", port: (server.address() as AddressInfo).port }, heard };
}

function recording(system: System): { reporter: Reporter; events: GuardEvent[] } {
  const events: GuardEvent[] = [];
  return { events, reporter: createReporter({ system, sinks: [{ write: (event) => void events.push(event) }] }) };
}

describe("probeOnce", () => {
  test.each([
    ["not-ec2", "imds.impersonation_detected", "critical"],
    ["unknown", "imds.unverified_responder", "warning"],
  ] as const)("on a host that is %s, an IMDSv2 answer is %s", async (verdict, code, severity) => {
    const { system } = machine(LAPTOP);
    const { events, reporter } = recording(system);
    const { target, heard } = await answering(IMPERSONATOR);
    await probeOnce(target, verdict, reporter, system);
    expect(events).toMatchObject([{ code, severity, endpoint: target, responder: { interface: "lo" } }]);
    expect(events[0]?.evidence.map(({ source }) => source)).toEqual(["PUT /latest/api/token", "Server header"]);
    expect(JSON.stringify(events)).not.toContain(TOKEN);
    expect(heard).toHaveLength(1);
    expect(heard[0]).toMatch(/^PUT \/latest\/api\/token HTTP\/1\.1\r\n/);
    expect(heard[0]).toContain("User-Agent: imds-guard-probe");
  });

  const WATCH =
    "Credentials from there would belong to whoever answers. Trace the address by MAC, interface and route; block 169.254.169.254 and " +
    "fd00:ec2::254 on this network; look for AWS SDK programs on it that do not use this guard.";
  const HANDED = { source: "PUT /latest/api/token", value: "200", says: "an IMDSv2 token was handed out" };
  test.each([
    ["not-ec2", "but this host is not EC2"],
    ["unknown", "and this host could not be identified"],
    ["ec2", "and this host could not be identified"],
  ] as const)("on a host that is %s, it is told in words", async (verdict, says) => {
    const { system } = machine(LAPTOP);
    const { events, reporter } = recording(system);
    const { target } = await answering(IMPERSONATOR.replace("EC2ws", "x\ty"));
    await probeAndReport(target, verdict, reporter, system);
    expect(events[0]).toMatchObject({
      message: `127.0.0.1 answers as the EC2 instance metadata service, ${says}`,
      advice: WATCH,
      evidence: [HANDED, { source: "Server header", value: '"x?y"', says: "trivially copied, proves nothing" }],
    });
  });

  test("who names no server is told of without one", async () => {
    const { system } = machine(LAPTOP);
    const { events, reporter } = recording(system);
    await probeAndReport(
      (await answering(IMPERSONATOR.replace("Server: EC2ws\r\n", ""))).target,
      "not-ec2",
      reporter,
      system,
    );
    expect(events[0]?.evidence).toEqual([HANDED]);
  });

  test("a probe that cannot be made is told to who asks for one", async () => {
    const { system } = machine(LAPTOP);
    const { events, reporter } = recording(system);
    for (const target of [
      { address: "no address", port: 80 },
      { address: "127.0.0.1", port: 70_000 },
    ])
      expect(await rejection(probeAndReport(target, "not-ec2", reporter, system))).toBeInstanceOf(Error);
    // And one that was made is made again.
    const { target, heard } = await answering(IMPERSONATOR);
    await probeAndReport(target, "not-ec2", reporter, system);
    await probeAndReport(target, "not-ec2", reporter, system);
    expect([heard.length, events.length]).toEqual([2, 2]);
  });

  test.each([
    [
      "GCP",
      "HTTP/1.1 405 Method Not Allowed\r\nMetadata-Flavor: Google\r\nServer: Metadata Server for VM\r\nContent-Length: 0\r\n\r\n",
    ],
    ["Azure", "HTTP/1.1 400 Bad Request\r\nServer: IMDS/150.870.65.1854\r\nContent-Length: 0\r\n\r\n"],
    [
      "a web page",
      "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 27\r\n\r\n<html><body>hi</body></html>",
    ],
    ["something that is not HTTP", "SSH-2.0-OpenSSH_9.6\r\n"],
    ["silence", undefined],
  ])("%s is no event", async (_, answer) => {
    const { system } = machine(LAPTOP);
    const { events, reporter } = recording(system);
    await probeOnce((await answering(answer)).target, "not-ec2", reporter, system);
    expect(events).toEqual([]);
  });

  test("a closed port, and a target that is no address, are neither event nor rejection", async () => {
    const { system } = machine(LAPTOP);
    const { events, reporter } = recording(system);
    for (const target of [
      { address: "127.0.0.1", port: 1 },
      { address: "no address", port: 80 },
      { address: "127.0.0.1", port: 70_000 },
    ]) {
      await expect(probeOnce(target, "not-ec2", reporter, system)).resolves.toBeUndefined();
    }
    expect(events).toEqual([]);
  });

  test("each address is asked once by a machine, however many guards ask", async () => {
    const { system } = machine(LAPTOP);
    const { events, reporter } = recording(system);
    const [first, second] = [await answering(IMPERSONATOR), await answering(IMPERSONATOR)];
    await Promise.all(Array.from({ length: 5 }, () => probeOnce(first.target, "not-ec2", reporter, system)));
    await probeOnce(first.target, "not-ec2", reporter, system);
    await probeOnce(second.target, "not-ec2", reporter, system);
    expect([first.heard.length, second.heard.length, events.length]).toEqual([1, 1, 2]);
  });

  test("two copies of the package in one process ask once", async () => {
    const { events, reporter } = recording(realSystem);
    const { target, heard } = await answering(IMPERSONATOR);
    await probeOnce(target, "not-ec2", reporter, realSystem);
    await probeOnce(target, "not-ec2", reporter, { ...realSystem });
    expect([heard.length, events.length]).toEqual([1, 1]);
  });
});

describe("the guard", () => {
  test("asks nobody once it is closed, and ends a probe that is under way", async () => {
    const { heard, target } = await answering(undefined);
    const { system } = machine(LAPTOP);
    const { events, reporter } = recording(system);
    const ending = new AbortController();
    const watching = probeOnce(target, "not-ec2", reporter, system, ending.signal);
    ending.abort();
    await watching;
    await probeOnce({ ...target, address: "::1" }, "not-ec2", reporter, system, ending.signal);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([heard, events]).toEqual([[], []]);
    // Whom a closed guard did not ask, another one may.
    const other = await answering(IMPERSONATOR);
    await probeOnce(other.target, "not-ec2", reporter, system, ending.signal);
    expect(other.heard).toEqual([]);
    await probeOnce(other.target, "not-ec2", reporter, system);
    expect(other.heard).toHaveLength(1);
  });

  test("does not watch where a setting and not the host refused", async () => {
    const { heard, target } = await answering(IMPERSONATOR);
    const { guard, codes } = rigOn({ url: `http://127.0.0.1:${target.port}` }, { mode: "deny", probe: "on" }, LAPTOP);
    expect(await rejection(guard.credentials())).toMatchObject({ code: "ERR_IMDS_DISABLED" });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard).toEqual([]);
    expect(codes()).toEqual(["imds.refused_disabled"]);
  });
});
