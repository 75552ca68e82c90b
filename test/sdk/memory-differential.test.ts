/** What a chain remembers: the same number of resolutions as the stock one, call by call; and what ours adds to it. */
import {
  fromInstanceMetadata as stockInstanceMetadata,
  fromNodeProviderChain as stockChain,
} from "@aws-sdk/credential-providers";
import { CredentialsProviderError } from "@smithy/core/config";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fromInstanceMetadata } from "../../src/sdk/instance-metadata.js";
import { fromNodeProviderChain } from "../../src/sdk/node-chain.js";
import type { ImdsServer } from "../support/imds-server.mjs";
import { startImdsServer } from "../support/imds-server.mjs";
import { recordingSts } from "./recorder.js";
import { inScene, outcomeOf } from "./side-by-side.js";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const MINUTE = 60_000;

type Chain = ReturnType<typeof stockChain>;
/** What a program does with one chain. */
type Usage = (chain: Chain) => Promise<unknown>;

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

/** How long credentials live, what is done, and how often a link is asked in the course of it. */
const USAGES: Record<string, readonly [lifeMs: number | undefined, usage: Usage, counts: number]> = {
  "never used": [MINUTE, () => Promise.resolve(), 0],
  "one after the other": [60 * MINUTE, async (chain) => [await chain(), await chain(), await chain()], 1],
  "all at once": [60 * MINUTE, (chain) => Promise.all(Array.from({ length: 50 }, () => chain())), 1],
  "credentials without an end": [undefined, async (chain) => [await chain(), await chain()], 1],
  "near their end: served, and renewed behind the caller's back": [
    4 * MINUTE,
    async (chain) => [await chain(), await chain(), await settled(), await chain(), await settled()],
    3,
  ],
  "near their end, all at once": [
    4 * MINUTE,
    async (chain) => [await chain(), await Promise.all(Array.from({ length: 50 }, () => chain())), await settled()],
    2,
  ],
  "after their end": [-MINUTE, async (chain) => [await chain(), await chain()], 2],
  forced: [60 * MINUTE, async (chain) => [await chain(), await chain({ forceRefresh: true }), await chain()], 2],
  "forced at first": [60 * MINUTE, async (chain) => [await chain({ forceRefresh: true }), await chain()], 1],
  "forced all at once": [
    60 * MINUTE,
    (chain) => Promise.all(Array.from({ length: 50 }, () => chain({ forceRefresh: true }))),
    1,
  ],
  "forced beside others": [
    60 * MINUTE,
    async (chain) => [await chain(), await Promise.all([chain({ forceRefresh: true }), chain(), chain()])],
    2,
  ],
};

describe("a chain beside the stock one", () => {
  test.each(Object.entries(USAGES))("%s", async (_, [life, usage, counts]) => {
    const scene = {
      env: {
        AWS_EC2_METADATA_DISABLED: "true",
        AWS_WEB_IDENTITY_TOKEN_FILE: "{HOME}/token",
        AWS_ROLE_ARN: "arn:aws:iam::444455556666:role/web",
      },
      files: { token: "jwt" },
    };
    const asked: number[] = [];
    for (const create of [stockChain, fromNodeProviderChain]) {
      await inScene(scene, async () => {
        const end = life === undefined ? undefined : new Date(Date.now() + life);
        const sts = recordingSts(() => end as Date);
        const chain = create({ logger: SILENT, roleAssumerWithWebIdentity: sts.roleAssumerWithWebIdentity });
        await usage(chain);
        asked.push(sts.calls.length);
      });
    }
    expect(asked).toEqual([counts, counts]);
  });

  test("a failure is not remembered", async () => {
    for (const create of [stockChain, fromNodeProviderChain]) {
      await inScene({ env: { AWS_EC2_METADATA_DISABLED: "true" } }, async () => {
        const chain = create({ logger: SILENT });
        expect(await outcomeOf(() => chain())).toMatchObject({ name: "CredentialsProviderError" });
        Object.assign(process.env, { AWS_ACCESS_KEY_ID: "AKIAENVIRONMENT00001", AWS_SECRET_ACCESS_KEY: "s" });
        expect(await chain()).toMatchObject({ accessKeyId: "AKIAENVIRONMENT00001" });
      });
    }
  });

  test("nothing of the options or the environment is read before the first call but what the guard checks", async () => {
    await inScene({ env: { AWS_EC2_METADATA_DISABLED: "true" } }, async () => {
      const chain = fromNodeProviderChain({ logger: SILENT });
      Object.assign(process.env, {
        AWS_ACCESS_KEY_ID: "AKIAENVIRONMENT00001",
        AWS_SECRET_ACCESS_KEY: "s",
        IMDS_GUARD_EXPECTED_ACCOUNTS: "111122223333",
      });
      await expect(chain()).rejects.toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNKNOWN" });
    });
  });
});

describe("fromInstanceMetadata beside the stock one", () => {
  let imds: ImdsServer;
  beforeAll(async () => {
    imds = await startImdsServer();
  });
  beforeEach(() => imds.resetCounters());
  afterAll(() => imds.close());
  const onLoopback = <T>(act: () => Promise<T>, env: Readonly<Record<string, string>> = {}): Promise<T> =>
    inScene({ env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.url, ...env } }, act);

  test("the same credentials, with the same marks", async () => {
    const stock = await onLoopback(() => stockInstanceMetadata({ logger: SILENT })());
    const ours = await onLoopback(() => fromInstanceMetadata({ logger: SILENT })());
    expect({ ...ours, expiration: undefined }).toEqual({ ...stock, expiration: undefined });
    expect(Math.abs((ours.expiration as Date).getTime() - (stock.expiration as Date).getTime())).toBeLessThan(60_000);
    expect(ours).toHaveProperty("$source", { CREDENTIALS_IMDS: "0" });
  });

  test("in a chain, as there, without the mark", async () => {
    const stock = await onLoopback(() => stockChain({ logger: SILENT })());
    const ours = await onLoopback(() => fromNodeProviderChain({ logger: SILENT })());
    expect(ours).not.toHaveProperty("$source");
    expect({ ...ours, expiration: undefined }).toEqual({ ...stock, expiration: undefined });
  });

  test("IMDSv2 only, and nothing again while the credentials live, unless it is forced", async () => {
    await onLoopback(async () => {
      const provider = fromInstanceMetadata({ logger: SILENT });
      await Promise.all([provider(), provider(), provider()]);
      await provider();
      expect([imds.counters.total, imds.counters.withoutToken]).toEqual([3, 0]);
      await provider({ forceRefresh: true } as never);
      expect(imds.counters.total).toBe(4);
    });
  });

  test("callers cannot change what others get", async () => {
    await onLoopback(async () => {
      const provider = fromInstanceMetadata({ logger: SILENT });
      const first = await provider();
      Object.assign(first, { accessKeyId: "changed", $source: { CHANGED: "1" } });
      expect(await provider()).toMatchObject({
        accessKeyId: imds.identity.accessKeyId,
        $source: { CREDENTIALS_IMDS: "0" },
      });
    });
  });

  test.each([
    ["nobody there", "http://127.0.0.1:1", "ERR_IMDS_UNREACHABLE"],
    ["an endpoint that may not be asked", "http://192.0.2.1", "ERR_IMDS_ENDPOINT_OVERRIDE"],
  ])("%s: an error of both kinds, and a chain may go on", async (_, endpoint, code) => {
    const error: unknown = await onLoopback(() => fromInstanceMetadata()().catch((reason: unknown) => reason), {
      AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint,
    });
    expect(error).toBeInstanceOf(CredentialsProviderError);
    expect(error).toMatchObject({ name: "CredentialsProviderError", code, tryNextLink: true, cause: { code } });
  });

  test("at the end of a chain the error is the chain's, with the reason of the guard", async () => {
    const env = { AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://127.0.0.1:1" };
    const ours: unknown = await onLoopback(() => fromNodeProviderChain()().catch((reason: unknown) => reason), env);
    const stock = await onLoopback(() => outcomeOf(() => stockChain()()), env);
    expect(ours).toMatchObject({
      name: "CredentialsProviderError",
      tryNextLink: false,
      code: "ERR_IMDS_UNREACHABLE",
      kind: "unavailable",
      cause: { code: "ERR_IMDS_UNREACHABLE" },
    });
    expect((ours as Error).message).toMatch(
      /^Could not load credentials from any providers\. IMDS at 127\.0\.0\.1 port 1 cannot be reached \(ECONNREFUSED\)\. See docs\/errors\.md#ERR_IMDS_UNREACHABLE$/,
    );
    expect(stock).toMatchObject({ message: "Could not load credentials from any providers", tryNextLink: false });
  });
});
