/** Regions that settings name, and what is said where nobody names one. */
import { expect, test } from "vitest";
import { checkedRegion, noRegion } from "../../src/guard/configured-region.js";
import { golden, refusalOf, wordingOf } from "../support/wording.js";

test.each(["eu-central-1", "us-gov-west-1", "local", "fips-us-east-1", "xx-new-9"])("%s may be one", (region) => {
  expect(checkedRegion(region)).toBe(region);
});

test.each(["evil.host/", "a b", "", "-x", "x-", "us-east-1\n", "us-east-1.evil", "x".repeat(64), "\u00e9"])(
  "%j is none",
  (region) => {
    expect(() => checkedRegion(region)).toThrow(expect.objectContaining({ code: "ERR_IMDS_GUARD_SETTING" }) as Error);
  },
);

test("every sentence is the one that is kept", async () => {
  const refusedOf = (region: string): object => refusalOf(() => checkedRegion(region));
  const refused = { reason: "this host is not EC2", evidence: [{ source: "x", says: "y" }] };
  const texts = {
    "a region that is none": refusedOf("evil.host/"),
    "nobody names one": wordingOf(noRegion()),
    "nobody names one, and IMDS is not asked": wordingOf(noRegion(refused)),
  };
  await expect(golden(texts)).toMatchFileSnapshot("golden/regions.json");
});
