/** What the signed document states, unsigned metadata may not state otherwise. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkAgainstDocument, checkMetadataPath } from "../../src/guard/metadata.js";
import { ACCOUNT, INSTANCE, REGION, rejection, rigOn, startSigningImds } from "./guarded-host.js";
import type { ImdsServer } from "../support/imds-server.mjs";
import { identityDocument } from "../support/imds-server.mjs";
import { golden, wordingOf } from "../support/wording.js";

describe("a path of metadata", () => {
  test.each([
    "/latest/meta-data",
    "/latest/meta-data/",
    "/latest/meta-data/placement/region",
    "/2024-04-11/dynamic/instance-identity/document",
    "/latest/user-data",
    "/latest/meta-data/network/interfaces/macs/02:29:96:8f:6a:2d/vpc-id",
    "/latest/meta-data/tags/instance/a.b",
    `/latest/meta-data/${"x".repeat(512 - "/latest/meta-data/".length)}`,
  ])("may be %s", (path) => expect(checkMetadataPath(path)).toBeUndefined());

  test.each([
    undefined,
    5,
    ["/latest/meta-data"],
    new String("/latest/meta-data"),
    "",
    "latest/meta-data",
    "/",
    "/latest",
    "/latest/api/token",
    "/1.0/meta-data",
    "//latest/meta-data",
    "/latest//meta-data",
    "/latest/meta-data/../api/token",
    "/latest/meta-data/./ami-id",
    "/latest/meta-data/..",
    "/latest/meta-data/%2e%2e/api",
    "/latest/meta-data?x",
    "/latest/meta-data#x",
    "/latest/meta-data/a b",
    "/latest/meta-data\r\nX: y",
    "/latest/meta-data/a\n",
    "http://elsewhere/latest/meta-data",
    `/latest/meta-data/${"x".repeat(513 - "/latest/meta-data/".length)}`,
    "/latest/meta-data/iam/security-credentials",
    "/latest/meta-data/iam/security-credentials/",
    "/latest/meta-data/iam/security-credentials/role",
    "/latest/meta-data/iam/security-credentials-extended/role",
    "/latest/meta-data/identity-credentials-extended/ec2/info",
    "/latest/meta-data/identity-credentials/ec2/info",
  ])("may not be %j", (path) => {
    expect(() => checkMetadataPath(path)).toThrow(
      expect.objectContaining({ name: "TypeError", code: "ERR_INVALID_ARG_VALUE" }),
    );
  });
});

const DOCUMENT = {
  accountId: ACCOUNT,
  instanceId: INSTANCE,
  region: REGION,
  availabilityZone: `${REGION}a`,
  pendingTime: "2026-11-20T08:00:00Z",
};
const OTHER = "i-0bad0bad0bad0bad0";

const passes: readonly (readonly [string, string])[] = [
  ["/latest/meta-data/instance-id", INSTANCE],
  ["/2024-04-11/meta-data/instance-id", INSTANCE],
  ["/latest/meta-data/instance-id/", `${INSTANCE}\n`],
  ["/latest/meta-data/placement/region", REGION],
  ["/latest/meta-data/placement/availability-zone", `${REGION}a`],
  ["/latest/meta-data/placement/availability-zone-id", "euc1-az1"],
  ["/latest/meta-data/tags/instance/region", "us-east-1"],
  ["/latest/user-data", OTHER],
  ["/latest/meta-data/constructor", "x"],
  // Only the version is taken off a path.
  ["/latest/user-data/2024-04-11/meta-data/instance-id", OTHER],
  [
    "/latest/meta-data/tags/instance/Document",
    identityDocument({ account: ACCOUNT, instanceId: OTHER, region: REGION }),
  ],
  [
    "/latest/dynamic/instance-identity/document",
    identityDocument({ account: ACCOUNT, instanceId: INSTANCE, region: REGION }),
  ],
  ["/latest/dynamic/instance-identity/document", "no JSON"],
  ["/latest/dynamic/instance-identity/document", "null"],
];

const refused: readonly (readonly [string, string])[] = [
  ["/latest/meta-data/instance-id", OTHER],
  ["/2024-04-11/meta-data/instance-id", OTHER],
  ["/latest/meta-data/instance-id", ""],
  ["/latest/meta-data/placement/region", "us-east-1"],
  ["/latest/meta-data/placement/availability-zone", "us-east-1a"],
  [
    "/latest/dynamic/instance-identity/document",
    identityDocument({ account: "666666666666", instanceId: INSTANCE, region: REGION }),
  ],
  [
    "/latest/dynamic/instance-identity/document",
    identityDocument({ account: ACCOUNT, instanceId: OTHER, region: REGION }),
  ],
  [
    "/latest/dynamic/instance-identity/document/",
    identityDocument({ account: ACCOUNT, instanceId: INSTANCE, region: "us-east-1" }),
  ],
];

describe("metadata beside the signed document", () => {
  test.each(passes)("%s: %s passes", (path, body) => {
    expect(() => checkAgainstDocument(path, Buffer.from(body), DOCUMENT)).not.toThrow();
  });

  test.each(refused)("%s: %s is refused", (path, body) => {
    expect(() => checkAgainstDocument(path, Buffer.from(body), DOCUMENT)).toThrow(
      expect.objectContaining({ code: "ERR_IMDS_INSTANCE_MISMATCH" }),
    );
  });

  test("wording", async () => {
    const told = refused.map(([path, body]) => {
      try {
        checkAgainstDocument(path, Buffer.from(body), DOCUMENT);
      } catch (error) {
        return [`${path}: ${body.replace(/\s+/g, " ")}`, wordingOf(error)] as const;
      }
      throw new Error(`${path} passes`);
    });
    await expect(golden(Object.fromEntries(told))).toMatchFileSnapshot("golden/metadata.json");
  });

  test("says nothing of what the signed document leaves out", () => {
    const { availabilityZone: _, ...rest } = DOCUMENT;
    expect(() =>
      checkAgainstDocument("/latest/meta-data/placement/availability-zone", Buffer.from("us-east-1a"), rest),
    ).not.toThrow();
  });

  test("has nothing to be held against where no document was asked for", () => {
    expect(() => checkAgainstDocument("/latest/meta-data/instance-id", Buffer.from(OTHER), undefined)).not.toThrow();
  });
});

describe("a responder that relays the document of this instance", () => {
  let imds: ImdsServer;
  beforeAll(async () => {
    imds = await startSigningImds();
  });
  afterAll(() => imds.close());

  test("cannot state another instance or region, whether it was there from the start or came later", async () => {
    const { guard, codes } = rigOn(imds);
    expect(await guard.metadata("/latest/meta-data/instance-id")).toBe(INSTANCE);
    imds.set({ document: identityDocument(imds.identity), instanceId: OTHER, region: "us-east-1" });
    expect(await rejection(guard.metadata("/latest/meta-data/instance-id"))).toMatchObject({
      code: "ERR_IMDS_INSTANCE_MISMATCH",
      kind: "impersonation",
    });
    expect(await rejection(guard.metadata("/latest/meta-data/placement/region"))).toMatchObject({
      code: "ERR_IMDS_INSTANCE_MISMATCH",
    });
    expect(codes()).toContain("imds.instance_mismatch");
    expect(await guard.region()).toBe(REGION);
    imds.set({ document: undefined, instanceId: INSTANCE, region: REGION });
  });
});
