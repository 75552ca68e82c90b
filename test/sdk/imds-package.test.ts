/** The names of `@smithy/credential-provider-imds`, with IMDS behind a guard. */
import type { RequestOptions } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as stock from "@smithy/credential-provider-imds";
import * as ours from "../../src/sdk/imds-package.js";
import { withAttestedService } from "./attested-service.js";
import { inScene } from "./side-by-side.js";

describe("httpRequest", () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.end("body");
  });
  let port = 0;
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ({ port } = server.address() as AddressInfo);
  });
  afterAll(() => server.close());

  const refusedOnes: readonly (readonly [RequestOptions, string, string?])[] = [
    [{ host: "169.254.169.254" }, "169.254.169.254"],
    [{ hostname: "169.254.169.254" }, "169.254.169.254"],
    // As in node:http, which takes `hostname` where there are both.
    [{ hostname: "169.254.169.254", host: "127.0.0.1" }, "169.254.169.254"],
    [{ hostname: "fd00:ec2::254" }, "fd00:ec2::254"],
    [{ hostname: "[fd00:ec2::254]" }, "fd00:ec2::254", "[fd00:ec2::254]"],
    [{ hostname: "", host: "169.254.169.254" }, "169.254.169.254"],
    ...[
      "2852039166",
      "0xa9fea9fe",
      "169.254.43518",
      "0251.0376.0251.0376",
      "169.254.169.254.",
      "\uff11\uff16\uff19.254.169.254",
    ].map((host) => [{ host }, "169.254.169.254", host] as const),
    ...["::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "fe80::a9fe:a9fe%lo", "fd00:ec2::1"].map(
      (hostname) => [{ hostname }, hostname] as const,
    ),
  ];
  it.each(refusedOnes.map(([options, address, named = address]) => ({ options, address, named })))(
    "refuses $options",
    async ({ options, address, named }) => {
      const { code, message, evidence, advice } = (await ours
        .httpRequest({ ...options, path: "/latest/api/token", method: "PUT" })
        .catch((error: unknown) => error)) as Error & { code: string; evidence: object[]; advice: string };
      expect({ code, message, evidence, advice }).toEqual({
        code: "ERR_IMDS_CONNECTION_BLOCKED",
        message: `A bare HTTP request to ${named} was refused. See docs/errors.md#ERR_IMDS_CONNECTION_BLOCKED`,
        evidence: [{ source: "httpRequest", value: address, says: "an address of the instance metadata service" }],
        advice: "Use MetadataService of imds-guard, which decides, pins and proves before it asks.",
      });
    },
  );

  it.each([
    ["one address", (address: unknown) => [address, 4]],
    ["a String", (address: unknown) => [new String(address), 4]],
    [
      "a list",
      (address: unknown) => [
        [
          { address: "192.0.2.1", family: 4 },
          { address, family: 4 },
        ],
      ],
    ],
  ])("refuses a name whose lookup gives %s of IMDS", async (_, answer) => {
    const lookup = (_name: string, _options: object, done: (...found: unknown[]) => void): void =>
      done(null, ...answer("169.254.169.254"));
    await expect(ours.httpRequest({ host: "x.example", port, lookup: lookup as never })).rejects.toMatchObject({
      name: "ImdsRefusedError",
      code: "ERR_IMDS_CONNECTION_BLOCKED",
    });
  });

  it("takes a lookup of the caller's", async () => {
    const lookup = (_name: string, { all }: { all?: boolean }, done: (...found: unknown[]) => void): void =>
      all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4);
    expect(String(await ours.httpRequest({ host: "x.example", port, path: "/", lookup: lookup as never }))).toBe(
      "body",
    );
    const failing = (_name: string, _options: object, done: (...found: unknown[]) => void): void =>
      done(Object.assign(new Error("no"), { code: "ENOTFOUND" }));
    await expect(ours.httpRequest({ host: "y.example", port, lookup: failing as never })).rejects.toMatchObject({
      code: "ENOTFOUND",
    });
  });

  it("asks where it is told to, whatever stands on Object.prototype", async () => {
    const polluted = { agent: "no agent", socketPath: "/nonexistent", host: "169.254.169.254", family: 7 };
    Object.assign(Object.prototype, polluted);
    try {
      expect(String(await ours.httpRequest({ host: "127.0.0.1", port, path: "/" }))).toBe("body");
    } finally {
      for (const name of Object.keys(polluted)) Reflect.deleteProperty(Object.prototype, name);
    }
  });

  it("is the SDK's for anybody else", async () => {
    asked.length = 0;
    expect(String(await ours.httpRequest({ host: "127.0.0.1", port, path: "/credentials" }))).toBe("body");
    expect(
      String(await ours.httpRequest({ hostname: "127.0.0.1", host: "169.254.169.254", port, path: "/hostname" })),
    ).toBe("body");
    expect(asked).toEqual(["/credentials", "/hostname"]);
    await expect(ours.httpRequest({ port: 1, path: "/" })).rejects.not.toMatchObject({
      code: "ERR_IMDS_CONNECTION_BLOCKED",
    });
  });
});

it.each([{}, { timeout: 5 }, { maxRetries: 3 }, { timeout: 5, maxRetries: 3 }])(
  "providerConfigFromInit(%j) fills in what the SDK's does",
  (init) => {
    expect(ours.providerConfigFromInit(init)).toEqual(stock.providerConfigFromInit(init));
  },
);

describe("fromInstanceMetadata", () => {
  it("is a guard, and leaves it to its callers to say where credentials are from", async () => {
    await withAttestedService({}, {}, async ({ service, options }) => {
      const credentials = await ours.fromInstanceMetadata({ guard: options } as never)();
      expect(credentials).toMatchObject({ accessKeyId: service.identity.accessKeyId });
      expect(credentials).not.toHaveProperty("$source");
      expect(service.counters.byRequest["GET /latest/dynamic/instance-identity/rsa2048"]).toBe(1);
    });
  });

  it("takes its settings from the environment where none are given", async () => {
    await inScene({ env: { AWS_EC2_METADATA_DISABLED: "true" } }, async () => {
      await expect(ours.fromInstanceMetadata()()).rejects.toMatchObject({
        name: "CredentialsProviderError",
        code: "ERR_IMDS_DISABLED",
      });
    });
  });
});
