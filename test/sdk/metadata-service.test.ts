import { describe, expect, it } from "vitest";
import { checkMetadataPath } from "../../src/guard/metadata.js";
import { MetadataService } from "../../src/sdk/metadata-service.js";
import type { AttestedService } from "./attested-service.js";
import { withAttestedService } from "./attested-service.js";
import { fc } from "../support/properties.js";

describe("MetadataService", () => {
  it("answers from a responder that has proved itself, over IMDSv2 only", async () => {
    await withAttestedService({}, {}, async ({ service, options }) => {
      const metadata = new MetadataService({ guard: options });
      await expect(metadata.request("/latest/meta-data/instance-id", {})).resolves.toBe(service.identity.instanceId);
      await expect(metadata.instanceId()).resolves.toBe(service.identity.instanceId);
      await expect(metadata.region()).resolves.toBe("eu-central-1");
      await expect(metadata.availabilityZone()).resolves.toMatch(/^eu-central-1[a-z]$/);
      await expect(metadata.tags()).resolves.toEqual({});
      await expect(metadata.fetchMetadataToken()).resolves.toMatch(/^[\w=-]{56}$/);
      expect(service.counters.byRequest["PUT /latest/api/token"]).toBe(1);
      expect(service.counters.byRequest["GET /latest/dynamic/instance-identity/rsa2048"]).toBe(1);
      expect(service.counters.withoutToken).toBe(0);
    });
  });

  it("gives nothing of a responder that has not", async () => {
    await withAttestedService({}, { signDocument: undefined }, async ({ options }) => {
      const metadata = new MetadataService({ guard: options });
      await expect(metadata.request("/latest/meta-data/instance-id")).rejects.toMatchObject({
        code: "ERR_IMDS_ATTESTATION_MISSING",
      });
      await expect(metadata.fetchMetadataToken()).rejects.toMatchObject({ code: "ERR_IMDS_ATTESTATION_MISSING" });
    });
  });

  it("asks nobody where IMDS is disabled", async () => {
    await withAttestedService({ env: { AWS_EC2_METADATA_DISABLED: "true" } }, {}, async ({ service, options }) => {
      await expect(
        new MetadataService({ guard: options }).request("/latest/meta-data/instance-id"),
      ).rejects.toMatchObject({ code: "ERR_IMDS_DISABLED" });
      expect(service.counters.total).toBe(0);
    });
  });

  it("passes on what IMDS says of a path it does not have", async () => {
    await withAttestedService({}, {}, async ({ options }) => {
      await expect(
        new MetadataService({ guard: options }).request("/latest/meta-data/no-such-thing"),
      ).rejects.toMatchObject({ code: "ERR_IMDS_NOT_FOUND" });
    });
  });

  it("takes GET only", async () => {
    await withAttestedService({}, {}, async ({ service, options }) => {
      const metadata = new MetadataService({ guard: options });
      await expect(metadata.request("/latest/meta-data/", { method: "POST" })).rejects.toMatchObject({
        code: "ERR_INVALID_ARG_VALUE",
        message: expect.stringMatching(/options\.method.*"POST".*GET/s) as string,
      });
      await expect(metadata.request("/latest/meta-data/instance-id", { method: "GET" })).resolves.toBe(
        service.identity.instanceId,
      );
    });
  });

  const unproved = (
    identity: Parameters<typeof withAttestedService>[1],
    act: (metadata: MetadataService, service: AttestedService["service"]) => Promise<void>,
  ) =>
    withAttestedService({ env: { AWS_REGION: "eu-central-1" } }, identity, ({ service, options }) =>
      act(new MetadataService({ guard: { ...options, attestation: "off" } }), service),
    );

  it("asks for what no signed document says", async () => {
    await unproved({}, async (metadata, service) => {
      await expect(metadata.instanceId()).resolves.toBe(service.identity.instanceId);
      await expect(metadata.availabilityZone()).resolves.toMatch(/^eu-central-1[a-z]$/);
      expect(Object.keys(service.counters.byRequest)).toEqual(
        expect.arrayContaining([
          "GET /latest/meta-data/instance-id",
          "GET /latest/meta-data/placement/availability-zone",
        ]),
      );
    });
  });

  it("does not ask for what the signed document says", async () => {
    await withAttestedService({}, {}, async ({ service, options }) => {
      const metadata = new MetadataService({ guard: options });
      await metadata.instanceId();
      await metadata.availabilityZone();
      expect(Object.keys(service.counters.byRequest)).not.toEqual(
        expect.arrayContaining(["GET /latest/meta-data/instance-id"]),
      );
      expect(Object.keys(service.counters.byRequest)).not.toEqual(
        expect.arrayContaining(["GET /latest/meta-data/placement/availability-zone"]),
      );
    });
  });

  it("reads every tag, and passes on any failure but that there are none", async () => {
    await withAttestedService({}, { tags: { Name: "web", team: "blue" } }, async ({ options }) => {
      await expect(new MetadataService({ guard: options }).tags()).resolves.toEqual({ Name: "web", team: "blue" });
    });
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`t${at}`, "x"]));
    await withAttestedService({}, { tags: many }, async ({ service, options }) => {
      const metadata = new MetadataService({ guard: { ...options, maxRetries: 0 } });
      expect(Object.keys(await metadata.tags())).toHaveLength(64);
      service.fail({ path: /tags/, times: 9, outcome: 500 });
      await expect(metadata.tags()).rejects.toMatchObject({ kind: "unavailable" });
    });
    await withAttestedService({}, { signDocument: undefined }, async ({ options }) => {
      await expect(new MetadataService({ guard: options }).tags()).rejects.toMatchObject({
        code: "ERR_IMDS_ATTESTATION_MISSING",
      });
    });
  });
});

describe("checkMetadataPath", () => {
  it.each([
    "/latest/meta-data/",
    "/latest/meta-data/ami-id",
    "/2021-03-23/meta-data/tags/instance/Name",
    "/latest/user-data",
    "/latest/dynamic/instance-identity/document",
  ])("lets %s through", (path) => expect(() => checkMetadataPath(path)).not.toThrow());

  it.each([
    "latest/meta-data/",
    "//latest/meta-data/",
    "/latest/api/token",
    "/latest/meta-data/../api/token",
    "/latest/meta-data/./x",
    "/latest/meta-data/x?y",
    "/latest/meta-data/x#y",
    "/latest/meta-data/x%2fy",
    "/latest/meta-data/x y",
    "/latest/meta-data/x\r\nHost: evil",
    "/latest/meta-data/iam/security-credentials/",
    "/latest/meta-data/iam/security-credentials/role",
    "/latest/meta-data/iam//security-credentials/role",
    "/latest/meta-data/iam/security-credentials-extended/role",
    "/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance",
    "http://evil.example/",
    `/latest/meta-data/${"x".repeat(512)}`,
    "",
    undefined,
    7,
  ])("refuses %j", (path) => expect(() => checkMetadataPath(path)).toThrow(TypeError));

  it("never lets a path through that URL parsing would turn into another", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (tail) => {
        const path = `/latest/meta-data/${tail}`;
        try {
          checkMetadataPath(path);
        } catch {
          return;
        }
        expect(new URL(path, "http://169.254.169.254").pathname).toBe(path);
      }),
      { numRuns: 5_000 },
    );
  });
});
