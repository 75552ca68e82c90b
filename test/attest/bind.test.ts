/** Every comparison between document, host, credentials and settings, alone and together. */
import { describe, expect, test } from "vitest";
import { bindIdentity } from "../../src/attest/bind.js";
import type { BindingInput, BindingReport } from "../../src/attest/bind.js";
import type { IdentityDocument } from "../../src/attest/identity-document.js";
import { fc } from "../support/properties.js";
import { golden, wordingOf } from "../support/wording.js";

const ACCOUNT = "609629065308";
const OTHER = "171436882533";
const KEY = "ASIAY34FZKBOKMUTVV7A"; // of ACCOUNT
const OTHERS_KEY = "ASIASP2TPHJSQH3FJXYZ"; // of OTHER
const OLD_KEY = "ASIAJYFE5OOT7SXHIXNA";
const PROFILE_ID = "AIPAY34FZKBOKMUTVV7AQ"; // of ACCOUNT
const OTHERS_PROFILE_ID = "AIPASP2TPHJSQH3FJXYZQ";
const profileArn = (account: string): string => `arn:aws:iam::${account}:instance-profile/web/server`;

const document: IdentityDocument = {
  accountId: ACCOUNT,
  instanceId: "i-0123456789abcdef0",
  region: "us-west-2",
  pendingTime: "2026-02-16T00:38:27Z",
};
const complete: BindingInput = { document, hostInstanceId: document.instanceId, accessKeyId: KEY };

const summary = (report: BindingReport): object => ({
  level: report.level,
  bound: report.bound,
  unbound: report.unbound.map(({ what }) => what),
  code: report.failure?.code,
});

describe("bindIdentity", () => {
  const rows: readonly [string, BindingInput, object][] = [
    ["nothing known", {}, { level: "none", bound: [], unbound: ["instance", "account"], code: undefined }],
    [
      "document, host and key agree",
      complete,
      { level: "bound", bound: ["instance", "account"], unbound: [], code: undefined },
    ],
    [
      "a document before any credentials",
      { document, hostInstanceId: document.instanceId },
      { level: "signed", bound: ["instance"], unbound: ["account"], code: undefined },
    ],
    [
      "a host without instance id",
      { document, accessKeyId: KEY },
      { level: "signed", bound: ["account"], unbound: ["instance"], code: undefined },
    ],
    [
      "a document alone",
      { document },
      { level: "signed", bound: [], unbound: ["instance", "account"], code: undefined },
    ],
    [
      "an old-format key",
      { ...complete, accessKeyId: OLD_KEY },
      { level: "signed", bound: ["instance"], unbound: ["account"], code: undefined },
    ],
    [
      "a key id of another kind",
      { ...complete, accessKeyId: "x" },
      { level: "signed", bound: ["instance"], unbound: ["account"], code: undefined },
    ],
    [
      "a key that stands for no account",
      { ...complete, accessKeyId: "ASIA7777777777777777" },
      { level: "signed", bound: ["instance"], unbound: ["account"], code: undefined },
    ],
    [
      "another instance",
      { ...complete, hostInstanceId: "i-0fedcba9876543210" },
      { level: "none", bound: ["account"], unbound: [], code: "ERR_IMDS_INSTANCE_MISMATCH" },
    ],
    [
      "a key of another account",
      { ...complete, accessKeyId: OTHERS_KEY },
      { level: "none", bound: ["instance"], unbound: [], code: "ERR_IMDS_ACCOUNT_MISMATCH" },
    ],
    [
      "another instance and another account",
      { ...complete, hostInstanceId: "i-0fedcba9876543210", accessKeyId: OTHERS_KEY },
      { level: "none", bound: [], unbound: [], code: "ERR_IMDS_INSTANCE_MISMATCH" },
    ],

    [
      "AccountId that agrees",
      { ...complete, accountIdField: ACCOUNT },
      { level: "bound", bound: ["instance", "account", "account-field"], unbound: [], code: undefined },
    ],
    [
      "AccountId of another account",
      { ...complete, accountIdField: OTHER },
      { level: "none", bound: ["instance", "account"], unbound: [], code: "ERR_IMDS_ACCOUNT_MISMATCH" },
    ],
    [
      "AccountId that is none",
      { ...complete, accountIdField: "" },
      { level: "none", bound: ["instance", "account"], unbound: [], code: "ERR_IMDS_ACCOUNT_MISMATCH" },
    ],
    [
      "AccountId does not stand in for an old-format key",
      { ...complete, accessKeyId: OLD_KEY, accountIdField: ACCOUNT },
      { level: "signed", bound: ["instance", "account-field"], unbound: ["account"], code: undefined },
    ],
    [
      "AccountId against the key, without document",
      { accessKeyId: KEY, accountIdField: OTHER },
      { level: "none", bound: [], unbound: ["instance", "account"], code: "ERR_IMDS_ACCOUNT_MISMATCH" },
    ],
    [
      "AccountId with nothing to compare",
      { accessKeyId: OLD_KEY, accountIdField: OTHER },
      { level: "none", bound: [], unbound: ["instance", "account", "account-field"], code: undefined },
    ],

    [
      "instance profile that agrees",
      { ...complete, instanceProfileArn: profileArn(ACCOUNT), instanceProfileId: PROFILE_ID },
      {
        level: "bound",
        bound: ["instance", "account", "instance-profile-arn", "instance-profile-id"],
        unbound: [],
        code: undefined,
      },
    ],
    [
      "instance profile in China",
      { ...complete, instanceProfileArn: profileArn(ACCOUNT).replace("aws", "aws-cn") },
      { level: "bound", bound: ["instance", "account", "instance-profile-arn"], unbound: [], code: undefined },
    ],
    [
      "instance profile ARN of another account",
      { ...complete, instanceProfileArn: profileArn(OTHER) },
      { level: "none", bound: ["instance", "account"], unbound: [], code: "ERR_IMDS_ACCOUNT_MISMATCH" },
    ],
    [
      "instance profile id of another account",
      { ...complete, instanceProfileId: OTHERS_PROFILE_ID },
      { level: "none", bound: ["instance", "account"], unbound: [], code: "ERR_IMDS_ACCOUNT_MISMATCH" },
    ],
    [
      "instance profile ARN that is none",
      { ...complete, instanceProfileArn: `arn:aws:iam::${OTHER}:role/x` },
      { level: "bound", bound: ["instance", "account"], unbound: ["instance-profile-arn"], code: undefined },
    ],
    [
      "instance profile id of the old format",
      { ...complete, instanceProfileId: "AIPAJQABLZS4A3QDU576Q" },
      { level: "bound", bound: ["instance", "account"], unbound: ["instance-profile-id"], code: undefined },
    ],

    [
      "the role that was asked for",
      { ...complete, roleName: "web", requestedRole: "web" },
      { level: "bound", bound: ["instance", "account", "requested-role"], unbound: [], code: undefined },
    ],
    [
      "another role than asked for",
      { ...complete, roleName: "web", requestedRole: "db" },
      { level: "none", bound: ["instance", "account"], unbound: [], code: "ERR_IMDS_ROLE_MISMATCH" },
    ],
    [
      "a role asked for, none named yet",
      { ...complete, requestedRole: "db" },
      { level: "bound", bound: ["instance", "account"], unbound: ["requested-role"], code: undefined },
    ],
    [
      "an expected role",
      { ...complete, roleName: "web", expectedRoles: ["db", "web"] },
      { level: "bound", bound: ["instance", "account", "expected-role"], unbound: [], code: undefined },
    ],
    [
      "a role in other letters",
      { ...complete, roleName: "Web", expectedRoles: ["web"] },
      { level: "none", bound: ["instance", "account"], unbound: [], code: "ERR_IMDS_ROLE_UNEXPECTED" },
    ],
    [
      "expected roles, none named yet",
      { ...complete, expectedRoles: ["web"] },
      { level: "bound", bound: ["instance", "account"], unbound: ["expected-role"], code: undefined },
    ],

    [
      "an expected region",
      { ...complete, expectedRegions: ["us-west-2"] },
      { level: "bound", bound: ["instance", "account", "expected-region"], unbound: [], code: undefined },
    ],
    [
      "a region not expected",
      { ...complete, expectedRegions: ["us-west-1"] },
      { level: "none", bound: ["instance", "account"], unbound: [], code: "ERR_IMDS_REGION_UNEXPECTED" },
    ],
    [
      "expected regions without document",
      { expectedRegions: ["us-west-1"] },
      { level: "none", bound: [], unbound: ["instance", "account", "expected-region"], code: undefined },
    ],

    [
      "an expected account",
      { ...complete, expectedAccounts: [OTHER, ACCOUNT] },
      { level: "bound", bound: ["instance", "account", "expected-account"], unbound: [], code: undefined },
    ],
    [
      "an account not expected",
      { ...complete, expectedAccounts: [OTHER] },
      { level: "none", bound: ["instance", "account"], unbound: [], code: "ERR_IMDS_ACCOUNT_UNEXPECTED" },
    ],
    [
      "an account not expected, by the document alone",
      { document, expectedAccounts: [OTHER] },
      { level: "none", bound: [], unbound: ["instance", "account"], code: "ERR_IMDS_ACCOUNT_UNEXPECTED" },
    ],
    [
      "an account not expected, by the key alone",
      { accessKeyId: OTHERS_KEY, expectedAccounts: [ACCOUNT] },
      { level: "none", bound: [], unbound: ["instance", "account"], code: "ERR_IMDS_ACCOUNT_UNEXPECTED" },
    ],
    [
      "an expected account, by the key alone",
      { accessKeyId: KEY, expectedAccounts: [ACCOUNT] },
      { level: "none", bound: ["expected-account"], unbound: ["instance", "account"], code: undefined },
    ],
    [
      "expected accounts, nothing known",
      { expectedAccounts: [ACCOUNT] },
      { level: "none", bound: [], unbound: ["instance", "account", "expected-account"], code: undefined },
    ],
    [
      "expected accounts and an old-format key",
      { accessKeyId: OLD_KEY, expectedAccounts: [ACCOUNT] },
      { level: "none", bound: [], unbound: ["instance", "account"], code: "ERR_IMDS_ACCOUNT_UNKNOWN" },
    ],
    [
      "the same beside a document of an expected account",
      { ...complete, accessKeyId: OLD_KEY, expectedAccounts: [ACCOUNT] },
      { level: "none", bound: ["instance"], unbound: ["account"], code: "ERR_IMDS_ACCOUNT_UNKNOWN" },
    ],
    [
      "the same where unknown accounts are allowed",
      { ...complete, accessKeyId: OLD_KEY, expectedAccounts: [ACCOUNT], onUnknownAccount: "allow" },
      { level: "signed", bound: ["instance"], unbound: ["account", "expected-account"], code: undefined },
    ],
    [
      "an allowed unknown account beside a document of an account not expected",
      { ...complete, accessKeyId: OLD_KEY, expectedAccounts: [OTHER], onUnknownAccount: "allow" },
      { level: "none", bound: ["instance"], unbound: ["account"], code: "ERR_IMDS_ACCOUNT_UNEXPECTED" },
    ],
    [
      "a key of another expected account",
      { ...complete, accessKeyId: OTHERS_KEY, expectedAccounts: [ACCOUNT, OTHER] },
      { level: "signed", bound: ["instance", "expected-account"], unbound: ["account"], code: undefined },
    ],
    [
      "a key of an expected account beside a document of one that is not",
      { ...complete, accessKeyId: OTHERS_KEY, expectedAccounts: [OTHER] },
      { level: "none", bound: ["instance"], unbound: [], code: "ERR_IMDS_ACCOUNT_MISMATCH" },
    ],
    [
      "a key of an account that is not expected beside a document of one that is",
      { ...complete, accessKeyId: OTHERS_KEY, expectedAccounts: [ACCOUNT] },
      { level: "none", bound: ["instance"], unbound: [], code: "ERR_IMDS_ACCOUNT_MISMATCH" },
    ],
    [
      "empty expectations are none",
      { ...complete, expectedAccounts: [], expectedRoles: [], expectedRegions: [] },
      { level: "bound", bound: ["instance", "account"], unbound: [], code: undefined },
    ],
  ];

  test.each(rows)("%s", (_, input, wanted) => {
    expect(summary(bindIdentity(input))).toEqual(wanted);
  });

  test("every sentence is the one that is kept", async () => {
    const more: typeof rows = [
      [
        "seven expected accounts",
        { ...complete, expectedAccounts: ["1", "2", "3", "4", "5", "6", "7"].map((digit) => digit.repeat(12)) },
        {},
      ],
      ["six expected roles", { ...complete, roleName: "web", expectedRoles: ["a", "b", "c", "d", "e", "f"] }, {}],
      ["five expected roles", { ...complete, roleName: "web", expectedRoles: ["a", "b", "c", "d", "e"] }, {}],
      [
        "an instance profile ARN with something before it",
        { ...complete, instanceProfileArn: `x${profileArn(OTHER)}` },
        {},
      ],
      [
        "an instance profile ARN with a line behind it",
        { ...complete, instanceProfileArn: `${profileArn(OTHER)}\n` },
        {},
      ],
      [
        "an instance profile ARN of 300 characters",
        { ...complete, instanceProfileArn: profileArn(OTHER) + "x".repeat(300) },
        {},
      ],
      ["a host whose id begins with 41 plain characters", { ...complete, hostInstanceId: "i".repeat(41) }, {}],
      ["an instance profile id that is none", { ...complete, instanceProfileId: "x" }, {}],
      [
        "an instance profile id of another account, without document",
        { accessKeyId: KEY, instanceProfileId: OTHERS_PROFILE_ID },
        {},
      ],
      ["an instance profile ARN without anything to compare", { instanceProfileArn: profileArn(OTHER) }, {}],
    ];
    const texts = [...rows, ...more].map(([name, input]) => {
      const { failure, unbound } = bindIdentity(input);
      return [name, { unbound, ...(failure && { failure: wordingOf(failure) }) }] as const;
    });
    await expect(golden(Object.fromEntries(texts))).toMatchFileSnapshot("golden/binding.json");
  });

  test("a mismatch of accounts names both", () => {
    const { failure } = bindIdentity({ ...complete, accessKeyId: OTHERS_KEY });
    expect(failure?.message).toContain(ACCOUNT);
    expect(failure?.message).toContain(OTHER);
    expect(failure?.tryNextLink).toBe(false);
  });

  test("the reason why nothing was bound is said", () => {
    expect(bindIdentity({ document, hostInstanceIdMissing: "this is a Xen host" }).unbound[0]).toEqual({
      what: "instance",
      why: "this is a Xen host",
    });
    expect(bindIdentity({ ...complete, accessKeyId: OLD_KEY }).unbound[0]?.why).toContain("before 2019");
  });

  test("claims from outside are shown escaped and cut", () => {
    const hostile = `\u001b[2J${"x".repeat(500)}`;
    const { failure } = bindIdentity({ ...complete, accountIdField: hostile });
    expect(JSON.stringify([failure?.message, failure?.evidence])).not.toContain(
      "\\u001b[2J".repeat(1) + "x".repeat(100),
    );
    expect(failure?.message).not.toContain("\u001b");
  });

  const maybe = <T>(...values: T[]): fc.Arbitrary<T | undefined> =>
    fc.option(fc.constantFrom(...values), { nil: undefined });
  const inputs: fc.Arbitrary<BindingInput> = fc.record({
    document: maybe(document),
    hostInstanceId: maybe(document.instanceId, "i-0fedcba9876543210", "\n"),
    accessKeyId: fc.oneof(maybe(KEY, OTHERS_KEY, OLD_KEY), fc.string({ minLength: 16 })),
    accountIdField: fc.oneof(maybe(ACCOUNT, OTHER), fc.string()),
    instanceProfileArn: fc.oneof(maybe(profileArn(ACCOUNT), profileArn(OTHER)), fc.string()),
    instanceProfileId: fc.oneof(maybe(PROFILE_ID, OTHERS_PROFILE_ID), fc.string()),
    roleName: maybe("web", "db"),
    requestedRole: maybe("web"),
    expectedAccounts: maybe([ACCOUNT], [OTHER]),
    expectedRoles: maybe(["web"]),
    expectedRegions: maybe(["us-west-2"], ["us-east-1"]),
    onUnknownAccount: maybe("refuse" as const, "allow" as const),
  });

  test("bound means what it says, for every combination", () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const report = bindIdentity(input);
        expect(report.level === "bound").toBe(
          report.failure === undefined && report.bound.includes("instance") && report.bound.includes("account"),
        );
        if (report.level !== "bound") return;
        expect(input.document?.instanceId).toBe(input.hostInstanceId);
        expect(input.accessKeyId).toBe(KEY);
        if (input.expectedAccounts !== undefined) expect(input.expectedAccounts).toEqual([ACCOUNT]);
        if (input.expectedRegions !== undefined) expect(input.expectedRegions).toEqual(["us-west-2"]);
      }),
      { numRuns: 3_000 },
    );
  });

  test("no report ever shows an access key id", () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const report = bindIdentity(input);
        const { message, evidence, advice } = report.failure ?? {};
        if (input.accessKeyId !== undefined)
          expect(JSON.stringify([report, message, evidence, advice])).not.toContain(
            JSON.stringify(input.accessKeyId).slice(1, -1),
          );
      }),
      { numRuns: 3_000 },
    );
  });
});
