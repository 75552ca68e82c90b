/** The three ARNs of a session, and what disagrees in them. */
import { describe, expect, test } from "vitest";
import { ARN_FORMS, parseArn, readArns, roleNameOf, settingsError } from "../../src/roles-anywhere/arns.js";

const ARNS = {
  trustAnchorArn: "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/0a1b-2c",
  profileArn: "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/0a1b-2c",
  roleArn: "arn:aws:iam::111122223333:role/path/to/app",
};
const NAMES = { trustAnchorArn: "the anchor", profileArn: "the profile", roleArn: "the role" };

function messageOf(change: Partial<typeof ARNS>) {
  try {
    readArns({ ...ARNS, ...change }, NAMES);
  } catch (error) {
    return error as Error & { code: string; evidence: unknown[]; advice: string };
  }
  throw new Error("it was read");
}

test("are read", () => {
  const { trustAnchor, profile, role } = readArns(ARNS, NAMES);
  expect(trustAnchor).toEqual({
    partition: "aws",
    region: "eu-central-1",
    account: "111122223333",
    resource: "trust-anchor/0a1b-2c",
  });
  expect(profile.resource).toBe("profile/0a1b-2c");
  expect(role).toEqual({ partition: "aws", region: "", account: "111122223333", resource: "role/path/to/app" });
  expect(roleNameOf(role)).toBe("app");
  expect(roleNameOf({ ...role, resource: "role/app" })).toBe("app");
});

test.each([
  ["aws-cn", "cn-north-1"],
  ["aws-us-gov", "us-gov-west-1"],
  ["aws-eusc", "eusc-de-east-1"],
  ["aws-iso-b", "us-isob-east-1"],
])("of partition %s", (partition, region) => {
  const of = (text: string) => text.replace("arn:aws:", `arn:${partition}:`).replace("eu-central-1", region);
  const { trustAnchorArn, profileArn, roleArn } = ARNS;
  const read = readArns(
    { trustAnchorArn: of(trustAnchorArn), profileArn: of(profileArn), roleArn: of(roleArn) },
    NAMES,
  );
  expect(Object.values(read).map(({ partition: name }: { partition: string }) => name)).toEqual(
    Array(3).fill(partition),
  );
});

describe("of another form", () => {
  const forms = Object.entries(ARN_FORMS) as [keyof typeof ARNS, string][];
  test.each(
    forms.flatMap(([which, form]) =>
      [
        "",
        ` ${ARNS[which]}`,
        `${ARNS[which]}\n`,
        ARNS[which].replace("111122223333", "11112222333"),
        ARNS[which].replace("111122223333", "1111222233334"),
        ARNS[which].replace("arn:aws", "arn:AWS"),
        ARNS[which].replace("arn:aws", "arn:azure"),
        ARNS[which].replace(/:(?:rolesanywhere|iam):/, ":sts:"),
        ARNS[which].replace(/(?:trust-anchor|profile|role)\//, "user/"),
        ARNS[which].replace(/[^/]*$/, ""),
        ARNS[which].replace(/[^/]*$/, "x".repeat(65)),
        ARNS[which].replace(/[^/]*$/, "a b"),
      ].map((text) => [which, text, form] as const),
    ),
  )("%s %j", (which, text, form) => {
    expect(parseArn(which, text)).toBeUndefined();
    const { code, message, evidence, advice } = messageOf({ [which]: text });
    expect(code).toBe("ERR_ROLES_ANYWHERE_SETTINGS");
    expect(message).toContain(`${NAMES[which]} is `);
    expect(message).toContain(`; allowed: ${form}`);
    expect(evidence).toEqual([{ source: NAMES[which], says: "cannot be used as written" }]);
    expect(advice).toBe(`Correct ${NAMES[which]}.`);
  });

  test("a region in the ARN of a role, and a path with a space", () => {
    expect(parseArn("roleArn", "arn:aws:iam:eu-central-1:111122223333:role/app")).toBeUndefined();
    expect(parseArn("roleArn", "arn:aws:iam::111122223333:role/a b/app")).toBeUndefined();
    expect(parseArn("roleArn", "arn:aws:iam::111122223333:role/a!b/app")?.resource).toBe("role/a!b/app");
  });
});

describe("that disagree", () => {
  const other = "444455556666";
  test.each([
    [{ profileArn: ARNS.profileArn.replace("arn:aws:", "arn:aws-cn:") }, "the profile", "partition", "aws-cn", "aws"],
    [{ roleArn: ARNS.roleArn.replace("arn:aws:", "arn:aws-cn:") }, "the role", "partition", "aws-cn", "aws"],
    [{ profileArn: ARNS.profileArn.replace("eu-", "us-") }, "the profile", "region", "us-central-1", "eu-central-1"],
    [{ profileArn: ARNS.profileArn.replace("111122223333", other) }, "the profile", "account", other, "111122223333"],
    [{ roleArn: ARNS.roleArn.replace("111122223333", other) }, "the role", "account", other, "111122223333"],
  ])("%j", (change, name, part, is, wanted) => {
    const { code, message, evidence, advice } = messageOf(change);
    expect(code).toBe("ERR_ROLES_ANYWHERE_SETTINGS");
    expect(message).toContain(
      `${name} is of ${part} ${JSON.stringify(is)}, and the anchor of ${JSON.stringify(wanted)}`,
    );
    expect(evidence).toMatchObject([{ source: name }]);
    expect(advice).toMatch(/^Trust anchor, profile and role have to be of one partition and one account/);
  });
});

test("an error of settings keeps its cause", () => {
  const cause = new Error("x");
  expect(settingsError("m", "s", "a", cause)).toMatchObject({ advice: "a", cause });
});
