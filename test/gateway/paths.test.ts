/** Paths as the service reads them, and globs that nothing slips past. */
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { matchesGlob, readGlob, readPath } from "../../src/gateway/paths.js";

describe("readPath", () => {
  it.each([
    ["/latest/meta-data/instance-id", "/latest/meta-data/instance-id", "metadata"],
    ["/latest/meta-data/", "/latest/meta-data", "metadata"],
    ["//latest///meta-data//iam//security-credentials//", "/latest/meta-data/iam/security-credentials", "credentials"],
    [
      "/2021-03-23/meta-data/iam/security-credentials/app",
      "/latest/meta-data/iam/security-credentials/app",
      "credentials",
    ],
    [
      "/1.0/meta-data/iam/security-credentials-extended/",
      "/latest/meta-data/iam/security-credentials-extended",
      "credentials",
    ],
    [
      "/latest/meta-data/identity-credentials/ec2/info",
      "/latest/meta-data/identity-credentials/ec2/info",
      "identity-credentials",
    ],
    [
      "/latest/meta-data/identity-credentials-extended/",
      "/latest/meta-data/identity-credentials-extended",
      "identity-credentials",
    ],
    ["/latest/meta-data/iam/info", "/latest/meta-data/iam/info", "metadata"],
    ["/latest/user-data", "/latest/user-data", "user-data"],
    ["/latest/User-Data", "/latest/User-Data", "user-data"],
    ["/latest/meta-data/IAM/Security-Credentials", "/latest/meta-data/IAM/Security-Credentials", "credentials"],
    ["/latest/%75ser-data", "/latest/user-data", "user-data"],
    ["/latest%2fuser-data", "/latest/user-data", "user-data"],
    ["/latest/api/token", "/latest/api/token", "token"],
    ["/latest/meta-data/tags/instance/a+b=c,d@e:f", "/latest/meta-data/tags/instance/a+b=c,d@e:f", "metadata"],
    ["/", "/", "metadata"],
  ])("reads %s as %s, %s", (target, canonical, kind) => {
    expect(readPath(target)).toMatchObject({ canonical, kind });
  });

  it("keeps the slash at the end for the service alone", () => {
    expect(readPath("//latest/meta-data//")).toEqual({
      canonical: "/latest/meta-data",
      requested: "/latest/meta-data/",
      kind: "metadata",
    });
  });

  it.each([
    "/latest/meta-data/../user-data",
    "/latest/meta-data/%2e%2e/user-data",
    "/latest/meta-data/.%2e/user-data",
    "/latest/./user-data",
    "/latest/%2575ser-data",
    "/latest/user-data?x",
    "/latest/user-data#x",
    "/latest/user-data;x",
    "/latest/user-data\\..",
    "/latest/user-data%00",
    "/latest/user%20data",
    "/latest/us\u00e9r-data",
    "/latest/%c3%a9",
    "/latest/%zz",
    "http://169.254.169.254/latest/user-data",
    "latest/user-data",
    "*",
    "",
    "/computeMetadata/v1/",
    `/latest/${"a".repeat(1_100)}`,
  ])("refuses %j", (target) => {
    expect(readPath(target)).toBeUndefined();
  });

  test("never lets through what another reading would take for a way up", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("/", "latest", ".", "..", "%2e", "%2f", "%25", "user-data", "meta-data"), {
          maxLength: 12,
        }),
        (parts) => {
          const path = readPath(`/${parts.join("")}`);
          if (path !== undefined) expect(path.canonical.split("/")).not.toContain("..");
        },
      ),
    );
  });
});

describe("globs", () => {
  it.each([
    ["/latest/meta-data/instance-id", "/latest/meta-data/instance-id", true],
    ["/latest/meta-data/instance-id/", "/latest/meta-data/instance-id", true],
    ["/latest/meta-data/*", "/latest/meta-data/mac", true],
    ["/latest/meta-data/*", "/latest/meta-data/iam/info", false],
    ["/latest/meta-data/*", "/latest/meta-data", false],
    ["/latest/meta-data/**", "/latest/meta-data", true],
    ["/latest/meta-data/**", "/latest/meta-data/a/b/c", true],
    ["/latest/meta-data/**", "/latest/user-data", false],
    ["/latest/**/info", "/latest/meta-data/iam/info", true],
    ["/latest/**/info", "/latest/info", true],
    ["/latest/**/iam/**", "/latest/meta-data/iam", true],
    ["/latest/meta-data/instance-*", "/latest/meta-data/instance-type", true],
    ["/latest/meta-data/*-i*", "/latest/meta-data/ami-id", true],
    ["/latest/meta-data/*-i*", "/latest/meta-data/amid", false],
    ["/latest/**", "/latest", true],
    ["/latest/**", "/", false],
  ])("%s and %s: %s", (glob, path, expected) => {
    expect(matchesGlob(readGlob(glob)!, path)).toBe(expected);
  });

  it.each([
    "meta-data/*",
    "/meta-data/*",
    "/2021-03-23/x",
    "/latest/a**",
    "/latest//x",
    "/latest/../x",
    "/latest/a b",
    "/latest/[a]",
    "",
  ])("refuses %j", (glob) => expect(readGlob(glob)).toBeUndefined());

  test("a glob without stars matches its own path and no other", () => {
    const segment = fc.stringMatching(/^[a-z][a-z-]{0,6}$/);
    const path = fc.array(segment, { maxLength: 6 }).map((parts) => ["/latest", ...parts].join("/"));
    fc.assert(
      fc.property(path, path, (one, other) => {
        expect(matchesGlob(readGlob(one)!, other)).toBe(one === other);
      }),
    );
  });

  test("many stars cost no more than the product of both lengths", () => {
    const glob = readGlob(`/latest/${"*a".repeat(400)}b`)!;
    expect(matchesGlob(glob, `/latest/${"a".repeat(1_000)}`)).toBe(false);
    const deep = readGlob(`/latest/${"**/a/".repeat(150)}b`)!;
    expect(matchesGlob(deep, `/latest/${"a/".repeat(500)}c`.slice(0, 1_000))).toBe(false);
  });
});
