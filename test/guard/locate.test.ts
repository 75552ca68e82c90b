/** What follows from where a guard is: what is said of a refusal, to whom and how often, and who is looked for. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createReporter } from "../../src/events/reporter.js";
import type { GuardEvent } from "../../src/events/catalogue.js";
import type { Decision, Refusal } from "../../src/guard/decide.js";
import { createGuard } from "../../src/guard/create-guard.js";
import type { Guard } from "../../src/guard/guard.js";
import { createProbe, endpointOf, isOffEc2, refusalError } from "../../src/guard/locate.js";
import type { GuardOptions } from "../../src/settings/options.js";
import type { ImdsServer } from "../support/imds-server.mjs";
import { stderrOf } from "../support/stderr-lines.js";
import { LAPTOP, machine, NITRO, rejection, rigOn, startSigningImds, UNKNOWN } from "./guarded-host.js";

let imds: ImdsServer;
beforeEach(async () => {
  imds = await startSigningImds();
});
afterEach(() => imds.close());

describe("a refusal", () => {
  /** A line within ten minutes of another is held back, and none before it: each test is earlier than those before. */
  let at = 1_000_000_000_000;
  const askOf = async (
    ask: (guard: Guard) => Promise<unknown>,
    options: GuardOptions = {},
    {
      speaks = true,
      files = LAPTOP,
      env = {},
    }: { speaks?: boolean; files?: object; env?: Record<string, string> } = {},
  ) => {
    at -= 3_600_000;
    const { system } = machine(files as Readonly<Record<string, string>>, env);
    const guard = createGuard({ log: "critical", ...options }, { speaks, system: { ...system, now: () => at } });
    const lines = await stderrOf(() => rejection(ask(guard)));
    await guard.close();
    return lines;
  };
  const credentials = (guard: Guard) => guard.credentials();

  test("is said where errors are kept back", async () => {
    const said = await askOf(credentials);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(
      /^imds-guard: IMDS was refused: this host is not EC2: .*\(imds-guard help ERR_IMDS_NOT_EC2\)\n$/,
    );
  });

  test.each<[number, string, (guard: Guard) => Promise<unknown>]>([
    [1, "credentials", credentials],
    [1, "metadata", (guard) => guard.metadata("/latest/meta-data/mac")],
    [1, "a token", (guard) => guard.metadataToken()],
    [0, "an identity", (guard) => guard.identity()],
    [0, "a region", (guard) => guard.region()],
  ])("is said %i times to who asks for %s", async (count, _, ask) => {
    expect(await askOf(ask)).toHaveLength(count);
  });

  test.each<[boolean, GuardOptions, Parameters<typeof askOf>[2]]>([
    [false, {}, { speaks: false }],
    [false, { log: "off" }, {}],
    [true, { log: "error" }, {}],
    // Where the event is printed it says the same.
    [false, { log: "notice" }, {}],
    [true, { log: "notice", mode: "deny" }, {}],
    [true, {}, { files: UNKNOWN }],
    [true, {}, { env: { AWS_EC2_METADATA_DISABLED: "true" } }],
    // Where `exec` shut IMDS, it has said why.
    [
      false,
      {},
      { env: { AWS_EC2_METADATA_DISABLED: "true", AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://127.0.0.1:1" } },
    ],
    [true, {}, { env: { AWS_EC2_METADATA_DISABLED: "true", AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://127.0.0.1:2" } }],
    [true, {}, { env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://192.0.2.1" } }],
  ])("is said (%s) with %j and %j", async (said, options, surroundings) => {
    const lines = await askOf(credentials, options, surroundings);
    expect(lines.some((line) => line.startsWith("imds-guard: IMDS was refused: "))).toBe(said);
  });

  test("is thrown with its code, evidence and advice", () => {
    const target = { kind: "address", host: "169.254.169.254", port: 80 } as const;
    const evidence = [{ source: "s", says: "x" }];
    const refusal = {
      kind: "refuse",
      code: "ERR_IMDS_NOT_EC2",
      event: "imds.refused_not_ec2",
      target,
      reason: "this host is not EC2",
      advice: "Do this.",
      evidence,
    } as const;
    expect(refusalError(refusal)).toMatchObject({
      name: "ImdsRefusedError",
      code: "ERR_IMDS_NOT_EC2",
      message: expect.stringMatching(/^IMDS was not asked: this host is not EC2\./),
      evidence,
      advice: "Do this.",
    });
    expect(endpointOf(target)).toEqual({ address: "169.254.169.254", port: 80 });
  });
});

describe("a permission with something to say", () => {
  test("says it once, with the endpoint", async () => {
    const { guard, events } = rigOn(imds);
    await guard.metadata("/latest/meta-data/instance-id");
    await guard.metadata("/latest/meta-data/instance-id");
    const accepted = events.filter(({ code }) => code === "imds.endpoint_override_accepted");
    expect(accepted).toMatchObject([
      {
        endpoint: { address: "127.0.0.1", port: imds.endpoints[0]?.port },
        message: `AWS_EC2_METADATA_SERVICE_ENDPOINT names 127.0.0.1 port ${imds.endpoints[0]?.port} on this machine; it is asked without attestation`,
      },
    ]);
  });

  test("says nothing to who only asks where it is", async () => {
    const { guard, events } = rigOn(imds);
    await guard.whereAmI();
    expect(events).toEqual([]);
  });
});

test("a host is examined once for all guards on it", async () => {
  const { system } = machine(LAPTOP);
  let looked = 0;
  const watched = {
    ...system,
    readFile(path: string, limit: number) {
      if (path.startsWith("/sys/")) looked += 1;
      return system.readFile(path, limit);
    },
  };
  const of = (files: object) => createGuard({ log: "off" }, { system: { ...watched, ...files } });
  const shared = { system: watched };
  const [one, two] = [createGuard({ log: "off" }, shared), createGuard({ log: "off" }, shared)];
  expect(await one.whereAmI()).toMatchObject({ host: { verdict: "not-ec2" } });
  const before = looked;
  expect(before).toBeGreaterThan(0);
  expect(await two.whereAmI()).toMatchObject({ host: { verdict: "not-ec2" } });
  expect(looked).toBe(before);
  await of({}).whereAmI();
  expect(looked).toBeGreaterThan(before);
});

describe("the look for who answers", () => {
  const decisionOf = (port: number, code: Refusal["code"] = "ERR_IMDS_NOT_EC2"): Decision => ({
    kind: "refuse",
    code,
    event: "imds.refused_not_ec2",
    reason: "",
    advice: "",
    evidence: [],
    target: { kind: "address", host: "127.0.0.1", port },
  });

  async function looking(
    {
      code,
      probe = "on",
      verdict = "not-ec2",
    }: { code?: Refusal["code"]; probe?: "on" | "off"; verdict?: string } = {},
    ending = new AbortController(),
  ) {
    let heard = 0;
    const server = createServer((socket) => {
      heard += 1;
      socket.on("error", () => undefined).once("data", () => socket.end("HTTP/1.1 404 Not Found\r\n\r\n"));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { system } = machine(LAPTOP);
    const events: GuardEvent[] = [];
    const reporter = createReporter({ system, sinks: [{ write: (event) => void events.push(event) }] });
    const look = createProbe(
      {
        decision: decisionOf((server.address() as AddressInfo).port, code),
        settings: { probe },
        host: { verdict },
        reporter,
      } as Parameters<typeof createProbe>[0],
      system,
      () => ending.signal,
    );
    return { look, heard: () => heard, close: () => server.close() };
  }

  test.each<[number, Parameters<typeof looking>[0]]>([
    [1, {}],
    [1, { code: "ERR_IMDS_HOST_UNKNOWN", verdict: "unknown" }],
    [0, { probe: "off" }],
    [0, { code: "ERR_IMDS_DISABLED" }],
    [0, { code: "ERR_IMDS_ENDPOINT_OVERRIDE" }],
  ])("is made %i times with %j, however often it is asked for", async (count, given) => {
    const one = await looking(given);
    const other = await looking();
    one.look();
    one.look();
    other.look();
    await expect.poll(other.heard, { timeout: 10_000 }).toBe(1);
    await expect.poll(one.heard, { timeout: 10_000 }).toBe(count);
    one.close();
    other.close();
  });

  test("is not made once the guard is closed", async () => {
    const ending = new AbortController();
    const one = await looking({}, ending);
    const other = await looking();
    one.look();
    ending.abort();
    other.look();
    await expect.poll(other.heard, { timeout: 10_000 }).toBe(1);
    expect(one.heard()).toBe(0);
    one.close();
    other.close();
  });

  test("is for a host that is not EC2, or not known", () => {
    const contact = { kind: "contact", target: decisionOf(1).target, proof: "none", notices: [] } as const;
    expect(isOffEc2(contact)).toBe(false);
    const codes = [
      "ERR_IMDS_NOT_EC2",
      "ERR_IMDS_HOST_UNKNOWN",
      "ERR_IMDS_DISABLED",
      "ERR_IMDS_ENDPOINT_OVERRIDE",
    ] as const;
    expect(codes.map((code) => isOffEc2(decisionOf(1, code)))).toEqual([true, true, false, false]);
  });
});

test("a file that cannot be used is an event with what it is and what to do", async () => {
  const files = { ...NITRO, "home/nobody/.aws/config": "no INI at all, ec2_metadata" };
  const { guard, events } = rigOn(imds, {}, files);
  const error = await rejection(guard.credentials());
  expect(error).toMatchObject({ code: "ERR_IMDS_GUARD_CONFIG_FILE" });
  const { message, advice, evidence } = error as Error & { advice: string; evidence: object[] };
  expect(events).toMatchObject([{ code: "settings.file_unusable", message, advice, evidence }]);
  const wrong = rigOn(imds, {}, NITRO, { AWS_EC2_METADATA_SERVICE_ENDPOINT: "ftp://x" });
  expect(await rejection(wrong.guard.credentials())).toMatchObject({ code: "ERR_IMDS_GUARD_SETTING" });
  expect(wrong.codes()).toEqual(["settings.invalid"]);
});
