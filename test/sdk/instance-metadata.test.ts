/** `fromInstanceMetadata`, as the SDK has it. */
import { expect, it } from "vitest";
import { fromInstanceMetadata } from "../../src/sdk/instance-metadata.js";
import { withAttestedService } from "./attested-service.js";
import { inScene } from "./side-by-side.js";

const ROLE = "GET /latest/meta-data/iam/security-credentials/app-server";

it("gives credentials that say where they are from, and remembers for itself", async () => {
  await withAttestedService({}, {}, async ({ service, options }) => {
    const provider = fromInstanceMetadata({ guard: options });
    expect(provider).toHaveProperty("memoized", true);
    expect(await provider()).toMatchObject({
      accessKeyId: service.identity.accessKeyId,
      $source: { CREDENTIALS_IMDS: "0" },
    });
    await provider();
    expect(service.counters.byRequest[ROLE]).toBe(1);
    await provider({ forceRefresh: true } as object);
    expect(service.counters.byRequest[ROLE]).toBe(2);
  });
});

it("says to a logger that it is asked, if that takes such a thing", async () => {
  await inScene({ env: { AWS_EC2_METADATA_DISABLED: "true" } }, async () => {
    const said: unknown[] = [];
    const logger = { debug: (...words: unknown[]) => void said.push(words), info() {}, warn() {}, error() {} };
    await expect(fromInstanceMetadata({ logger })()).rejects.toMatchObject({ code: "ERR_IMDS_DISABLED" });
    expect(said[0]).toEqual(["imds-guard", "fromInstanceMetadata"]);
    await expect(fromInstanceMetadata({ logger: {} as never })()).rejects.toMatchObject({ code: "ERR_IMDS_DISABLED" });
    await expect(fromInstanceMetadata()()).rejects.toMatchObject({ code: "ERR_IMDS_DISABLED" });
  });
});
