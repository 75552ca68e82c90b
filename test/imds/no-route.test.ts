/** Hosts that have IPv6 alone: the IPv4 address has no route, and the other one is tried once. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { realSystem } from "../../src/base/system.js";
import { createSession } from "../../src/imds/session.js";
import { startDeadline } from "../../src/imds/transport.js";

/** No TCP connection can be made to it, which the operating system says at once. */
const NOWHERE = "255.255.255.255";
const deadline = () => startDeadline(3_000, () => performance.now());

test("the spare address is asked, and everything behind the token, too", async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.end(request.method === "PUT" ? "TOKEN" : "role");
  });
  await new Promise<void>((resolve) => server.listen(0, "::1", resolve));
  const { port } = server.address() as AddressInfo;
  const session = createSession({
    pin: { addresses: [NOWHERE], port, spare: "::1" },
    system: realSystem,
    maxRetries: 0,
  });
  await expect(session.roleName(deadline())).resolves.toBe("role");
  expect(session.pin.address).toBe("::1");
  expect(asked).toEqual(["PUT /latest/api/token", "GET /latest/meta-data/iam/security-credentials/"]);
  server.close();
});

test("where neither can be reached, the error is that of the first, and the next question begins with it", async () => {
  const session = createSession({
    pin: { addresses: [NOWHERE], port: 1, spare: "::1" },
    system: realSystem,
    maxRetries: 0,
  });
  for (const _ of [1, 2]) {
    await expect(session.roleName(deadline())).rejects.toMatchObject({
      code: "ERR_IMDS_UNREACHABLE",
      message: expect.stringContaining(NOWHERE) as string,
      advice: expect.stringContaining("--http-protocol-ipv6 enabled") as string,
    });
    expect(session.pin.address).toBe(NOWHERE);
  }
});

test("an address that refuses has a route", async () => {
  const session = createSession({
    pin: { addresses: ["127.0.0.1"], port: 1, spare: "::1" },
    system: realSystem,
    maxRetries: 0,
  });
  await expect(session.roleName(deadline())).rejects.toMatchObject({
    message: expect.stringContaining("127.0.0.1") as string,
    advice: expect.stringContaining("Is aws_signing_helper serve") as string,
  });
});
