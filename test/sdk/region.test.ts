import { describe, expect, it } from "vitest";
import { fromGuardedRegion } from "../../src/sdk/region.js";
import { withAttestedService } from "./attested-service.js";

describe("fromGuardedRegion", () => {
  it("takes AWS_REGION, then AWS_DEFAULT_REGION, then the profile, and asks nobody", async () => {
    const config = "[default]\nregion = eu-west-3\n";
    const cases = [
      [{ AWS_REGION: "eu-north-1", AWS_DEFAULT_REGION: "eu-west-1" }, "eu-north-1"],
      [{ AWS_DEFAULT_REGION: "eu-west-1" }, "eu-west-1"],
      [{}, "eu-west-3"],
    ] as const;
    for (const [env, expected] of cases) {
      await withAttestedService({ env, config }, {}, async ({ service, options }) => {
        await expect(fromGuardedRegion({ guard: options })()).resolves.toBe(expected);
        expect(service.counters.total).toBe(0);
      });
    }
  });

  it("takes the region of the signed document, once for all calls", async () => {
    await withAttestedService({}, { region: "eu-central-1" }, async ({ service, options }) => {
      const region = fromGuardedRegion({ guard: options });
      await expect(Promise.all([region(), region(), region()])).resolves.toEqual([
        "eu-central-1",
        "eu-central-1",
        "eu-central-1",
      ]);
      expect(service.counters.byRequest["GET /latest/dynamic/instance-identity/rsa2048"]).toBe(1);
      expect(service.counters.byRequest["GET /latest/meta-data/placement/region"]).toBeUndefined();
    });
  });

  it("needs no role on the instance", async () => {
    await withAttestedService({}, { roleName: undefined }, async ({ options }) => {
      await expect(fromGuardedRegion({ guard: options })()).resolves.toBe("eu-central-1");
    });
  });

  it("never takes a region that is merely stated", async () => {
    await withAttestedService({}, {}, async ({ options }) => {
      await expect(fromGuardedRegion({ guard: { ...options, attestation: "off" } })()).rejects.toMatchObject({
        code: "ERR_IMDS_NO_REGION",
      });
    });
    await withAttestedService({}, { signDocument: undefined }, async ({ options }) => {
      await expect(fromGuardedRegion({ guard: options })()).rejects.toMatchObject({
        code: "ERR_IMDS_ATTESTATION_MISSING",
      });
    });
  });

  it.each(["auto", "nyc3", "local", "aws-global", "us-east-1-fips", "fips-us-gov-west-1", "US-EAST-1", "default"])(
    "takes %j from whoever configured it, as the SDK does",
    async (region) => {
      for (const [env, config] of [
        [{ AWS_REGION: region }, ""],
        [{}, `[default]\nregion = ${region}\n`],
      ] as const) {
        await withAttestedService({ env, config }, {}, async ({ options }) => {
          await expect(fromGuardedRegion({ guard: options })()).resolves.toBe(region);
        });
      }
    },
  );

  it.each([
    "us-east-1.evil.example#",
    "evil.host/",
    "-x",
    "x-",
    "a".repeat(64),
    "*",
    "cn north 1",
    "x@evil",
    "../x",
    "us-east-1\n",
  ])("refuses %j from the environment", async (region) => {
    await withAttestedService({ env: { AWS_REGION: region } }, {}, async ({ options }) => {
      await expect(fromGuardedRegion({ guard: options })()).rejects.toMatchObject({ code: "ERR_IMDS_GUARD_SETTING" });
    });
  });
});
