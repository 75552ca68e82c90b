/** Signatures of requests that leave the process, seen through node:http and undici; no request is changed. */
import { createServer, request as httpRequest } from "node:http";
import type { IncomingHttpHeaders, Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { watchEgress } from "../../src/firewall/egress.js";
import type { EventDetails } from "../../src/events/catalogue.js";

const FOREIGN_KEY = "ASIAY34FZKBOKMUTVV7A"; // of account 609629065308
const OWN_KEY = "ASIATFQR7NSCTM3XVF6B"; // of account 218007301253
const signed = (key: string): string =>
  `AWS4-HMAC-SHA256 Credential=${key}/20261128/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=fe5f80f77d5fa3`;

let server: Server;
let port: number;
let received: IncomingHttpHeaders[] = [];
let events: { code: string; details: EventDetails }[] = [];
const lookup = ((_name: string, options: { all?: boolean }, done: (...answer: unknown[]) => void) =>
  options.all === true ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4)) as never;

beforeAll(async () => {
  server = createServer((request, response) => {
    received.push(request.headers);
    response.end("ok");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => void server.close());
beforeEach(() => {
  received = [];
  events = [];
  watchEgress({
    expectedAccounts: ["218007301253"],
    report: (code, details) => void events.push({ code, details }),
  });
});

async function byHttp(host: string, headers: Record<string, string> | string[]): Promise<void> {
  const outgoing = httpRequest({ host, port, lookup, headers, agent: false });
  outgoing.end();
  const [response] = (await once(outgoing, "response")) as [{ resume: () => void }];
  response.resume();
}

/** By the undici in Node.js, with an agent of its own class, which looks names up as told. */
async function byFetch(host: string, headers: Record<string, string>): Promise<void> {
  await (await fetch(`http://127.0.0.1:${port}/`)).text();
  // From undici 8 on (Node.js 26) the agent is behind another symbol, and behind this one something that wraps it.
  const held = globalThis as unknown as Record<symbol, object | undefined>;
  const shared = held[Symbol.for("undici.globalDispatcher.2")] ?? held[Symbol.for("undici.globalDispatcher.1")]!;
  const Agent = shared.constructor as new (options: object) => { close: () => Promise<void> };
  const dispatcher = new Agent({ connect: { lookup } });
  const response = await fetch(`http://${host}:${port}/`, { dispatcher, headers } as RequestInit);
  await response.text();
  await dispatcher.close();
  received = received.filter((one) => !one.host?.startsWith("127.0.0.1"));
}

describe.each([
  ["node:http", byHttp],
  ["undici", byFetch],
] as const)("%s", (_, send) => {
  it("tells of a key of an account that is not expected, once, masked, and sends what was to be sent", async () => {
    await send("b.s3.eu-central-1.amazonaws.com", { authorization: signed(FOREIGN_KEY) });
    await send("sts.amazonaws.com", { Authorization: signed(FOREIGN_KEY) });
    expect(received.map(({ authorization }) => authorization)).toEqual([signed(FOREIGN_KEY), signed(FOREIGN_KEY)]);
    expect(events.map(({ code }) => code)).toEqual(["credentials.foreign_account_signed"]);
    const printed = JSON.stringify(events);
    expect(printed).toContain("609629065308");
    expect(printed).not.toContain(FOREIGN_KEY);
    expect(printed).not.toContain("fe5f80f77d5fa3");
  });

  it("says nothing of expected accounts, of keys that tell none, of other hosts, and of requests without a signature", async () => {
    await send("s3.amazonaws.com", { authorization: signed(OWN_KEY) });
    await send("s3.amazonaws.com", { authorization: signed("AKIAIOSFODNN7EXAMPLE") });
    await send("s3.example.com", { authorization: signed(FOREIGN_KEY) });
    await send("s3.amazonaws.com.example.net", { authorization: signed(FOREIGN_KEY) });
    await send("s3.amazonaws.com", {});
    expect(received).toHaveLength(5);
    expect(events).toEqual([]);
  });
});

it("sees headers that were given as a list", async () => {
  await byHttp("s3.amazonaws.com", ["Host", "s3.amazonaws.com", "Authorization", signed(FOREIGN_KEY)]);
  expect(events).toHaveLength(1);
});

it("lets a request go whose event cannot be reported", async () => {
  watchEgress({
    expectedAccounts: ["218007301253"],
    report: () => {
      throw new Error("no sink");
    },
  });
  await byHttp("s3.amazonaws.com", { authorization: signed(FOREIGN_KEY) });
  expect(received).toHaveLength(1);
});
