/** What CreateSession and the credential provider of AWS IoT answer: what is taken, and what is refused and how. */
import { describe, expect, test } from "vitest";
import { RolesAnywhereError } from "../../src/base/errors.js";
import { parseIotCredentials, parseServiceError, parseSession } from "../../src/roles-anywhere/answer.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";

const NOW = Date.UTC(2026, 1, 16);
const ACCOUNT = "111122223333";
const ROLE_ARN = `arn:aws:iam::${ACCOUNT}:role/path/app`;
const ROLE = { partition: "aws", region: "", account: ACCOUNT, resource: "role/path/app" };
const SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzSecretKey";
const KEY = accessKeyIdFor(ACCOUNT, "session");
const CREDENTIALS = {
  accessKeyId: KEY,
  secretAccessKey: SECRET,
  sessionToken: "IQoJ+session/token==",
  expiration: "2026-02-16T01:00:00Z",
};
const USER = { arn: `arn:aws:sts::${ACCOUNT}:assumed-role/app/00c0ffee`, assumedRoleId: "AROAX:00c0ffee" };
const SET = { assumedRoleUser: USER, credentials: CREDENTIALS, roleArn: ROLE_ARN };
const READ = {
  accessKeyId: KEY,
  secretAccessKey: SECRET,
  sessionToken: "IQoJ+session/token==",
  expiration: new Date("2026-02-16T01:00:00Z"),
  accountId: ACCOUNT,
};
const body = (value: unknown) => Buffer.from(JSON.stringify(value));
const session = (set: unknown) => parseSession(body({ credentialSet: [set] }), ROLE, ROLE_ARN, NOW);

function refusal(read: () => unknown): RolesAnywhereError {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(RolesAnywhereError);
    expect(`${JSON.stringify(error)} ${(error as Error).stack}`).not.toContain(SECRET.slice(0, 12));
    return error as RolesAnywhereError;
  }
  throw new Error("it was taken");
}

test("a session is read, with what AWS may add", () => {
  expect(session(SET)).toEqual(READ);
  expect(session({ ...SET, packedPolicySize: 10, sourceIdentity: "x" })).toEqual(READ);
  const { roleArn: _, ...without } = SET;
  expect(session(without)).toEqual(READ);
  const more = { credentialSet: [SET], subjectArn: "arn:x", enrolledAt: 5 };
  expect(parseSession(body(more), ROLE, ROLE_ARN, NOW)).toEqual(READ);
});

test("credentials of a role alias are read, with the account that their key tells", () => {
  expect(parseIotCredentials(body({ credentials: CREDENTIALS }), NOW)).toEqual(READ);
  const untold = { ...CREDENTIALS, accessKeyId: "ASIAIOSFODNN7EXAMPLE" };
  expect(parseIotCredentials(body({ credentials: untold }), NOW)).not.toHaveProperty("accountId");
});

const SAYS = "POST /sessions";
describe("is malformed", () => {
  test.each([
    ["not JSON in UTF-8", Buffer.from("<html>")],
    ["not JSON in UTF-8", Buffer.from([0x22, 0xff, 0x22])],
    ["not JSON in UTF-8", Buffer.from("\ufeff{}")],
    ["not JSON in UTF-8", Buffer.alloc(0)],
    ["the answer is no object", body([])],
    ["the answer is no object", body(null)],
    ["the answer is no object", body("text")],
    ["not exactly one credential set", body({})],
    ["not exactly one credential set", body({ credentialSet: [] })],
    ["not exactly one credential set", body({ credentialSet: [SET, SET] })],
    ["not exactly one credential set", body({ credentialSet: { 0: SET, length: 1 } })],
    ["not exactly one credential set", Buffer.from(`{"__proto__":{"credentialSet":[${JSON.stringify(SET)}]}}`)],
    ["credentialSet is no object", body({ credentialSet: [null] })],
    ["credentials is no object", body({ credentialSet: [{ ...SET, credentials: [] }] })],
    ["assumedRoleUser is no object", body({ credentialSet: [{ ...SET, assumedRoleUser: "x" }] })],
    ["arn is missing", body({ credentialSet: [{ ...SET, assumedRoleUser: {} }] })],
    ["arn is no string", body({ credentialSet: [{ ...SET, assumedRoleUser: { arn: 5 } }] })],
    ["arn has another form than AWS gives", body({ credentialSet: [{ ...SET, assumedRoleUser: { arn: "a b" } }] })],
    [
      "an assumedRoleUser that is no role session",
      body({ credentialSet: [{ ...SET, assumedRoleUser: { arn: `arn:aws:sts::${ACCOUNT}:federated-user/x` } }] }),
    ],
  ])("%s", (says, bytes) => {
    expect(refusal(() => parseSession(bytes, ROLE, ROLE_ARN, NOW))).toMatchObject({
      code: "ERR_ROLES_ANYWHERE_MALFORMED",
      evidence: [{ source: SAYS, says }],
    });
  });

  const missing = (name: string) => Object.fromEntries(Object.entries(CREDENTIALS).filter(([key]) => key !== name));
  test.each<[string, object]>([
    ...Object.keys(CREDENTIALS).flatMap((name): [string, object][] => [
      [`${name} is missing`, missing(name)],
      [`${name} is no string`, { ...CREDENTIALS, [name]: 5 }],
      [`${name} has another form than AWS gives`, { ...CREDENTIALS, [name]: "" }],
      [`${name} has another form than AWS gives`, { ...CREDENTIALS, [name]: "with space" }],
    ]),
    ["accessKeyId has another form than AWS gives", { ...CREDENTIALS, accessKeyId: KEY.replace("ASIA", "AKIA") }],
    ["accessKeyId has another form than AWS gives", { ...CREDENTIALS, accessKeyId: "ASIA12345678901" }],
    ["secretAccessKey has another form than AWS gives", { ...CREDENTIALS, secretAccessKey: "x".repeat(257) }],
    ["sessionToken has another form than AWS gives", { ...CREDENTIALS, sessionToken: "x".repeat(16_385) }],
    ["an expiration that is no time in UTC", { ...CREDENTIALS, expiration: "2026-02-16T01:00:00+01:00" }],
    ["an expiration that is no time in UTC", { ...CREDENTIALS, expiration: "2026-02-30T01:00:00Z" }],
    ["an expiration more than 24 hours ahead", { ...CREDENTIALS, expiration: "2026-02-17T00:00:01Z" }],
    [
      "an expiration that is over (2026-02-16T00:00:00Z)",
      { ...CREDENTIALS, expiration: new Date(NOW).toISOString().replace(".000", "") },
    ],
  ])("%s", (says, credentials) => {
    expect(refusal(() => session({ ...SET, credentials }))).toMatchObject({
      code: "ERR_ROLES_ANYWHERE_MALFORMED",
      evidence: [{ source: SAYS, says }],
    });
    expect(refusal(() => parseIotCredentials(body({ credentials }), NOW))).toMatchObject({
      code: "ERR_ROLES_ANYWHERE_MALFORMED",
      evidence: [{ source: "GET /role-aliases/", says }],
    });
  });

  test("and is taken at the very limits", () => {
    const at = (change: object) => session({ ...SET, credentials: { ...CREDENTIALS, ...change } });
    expect(at({ expiration: "2026-02-17T00:00:00Z" }).expiration.getTime()).toBe(NOW + 86_400_000);
    expect(at({ secretAccessKey: "x".repeat(256), sessionToken: "x".repeat(16_384) }).sessionToken).toHaveLength(
      16_384,
    );
  });
});

describe("is of another", () => {
  const user = (arn: string) => ({ ...SET, assumedRoleUser: { ...USER, arn } });
  test.each([
    ["account, by the session", user(USER.arn.replace(ACCOUNT, "444455556666")), "444455556666"],
    [
      "account, by the key",
      { ...SET, credentials: { ...CREDENTIALS, accessKeyId: accessKeyIdFor("444455556666", "x") } },
      "444455556666",
    ],
  ])("%s", (_, set, account) => {
    const error = refusal(() => session(set));
    expect(error.code).toBe("ERR_ROLES_ANYWHERE_ACCOUNT");
    expect(error.message).toContain(`The session is of account ${account}, and the role of ${ACCOUNT}`);
    expect(JSON.stringify(error)).not.toContain(KEY);
  });

  test.each([
    ["role, by its ARN", { ...SET, roleArn: `${ROLE_ARN}2` }, `${ROLE_ARN}2`],
    ["role, by something else than an ARN", { ...SET, roleArn: {} }, "object"],
    ["role, by the session", user(USER.arn.replace("role/app", "role/admin")), "admin"],
    ["partition", user(USER.arn.replace("arn:aws:", "arn:aws-cn:")), "aws-cn"],
  ])("%s", (_, set, said) => {
    const error = refusal(() => session(set));
    expect(error).toMatchObject({ code: "ERR_ROLES_ANYWHERE_ROLE", evidence: [{ source: SAYS }] });
    expect(error.evidence[0]?.value).toContain(said);
    expect(error.message).toContain(ROLE_ARN);
  });
});

describe("an error of the service", () => {
  const of = (header: string | string[] | undefined, value: unknown) => parseServiceError(header, body(value));
  test.each([
    ["by header", "AccessDeniedException", {}, "AccessDeniedException"],
    ["by header with an address", "AccessDeniedException:http://internal/coral/", {}, "AccessDeniedException"],
    ["by __type with a namespace", undefined, { __type: "com.amazonaws.x#ValidationException" }, "ValidationException"],
    ["by code", undefined, { code: "ThrottlingException" }, "ThrottlingException"],
    ["by header first", "A", { __type: "B", code: "C" }, "A"],
    ["by __type before code", "", { __type: "B", code: "C" }, "B"],
    ["not by a list of headers", ["A", "B"], { __type: "C" }, "C"],
    ["not by something that is no name", "a name", { __type: 5 }, ""],
    ["not by an endless name", "x".repeat(65), {}, ""],
    ["not by an inherited one", undefined, JSON.parse('{"__proto__":{"__type":"X"}}'), ""],
  ])("%s", (_, header, value, type) => {
    expect(of(header, value)).toEqual({ type, message: "" });
  });

  test("has a message in either case of its name, and none of a proxy's page", () => {
    expect(of(undefined, { message: "a", Message: "b" }).message).toBe("a");
    expect(of(undefined, { Message: "b" }).message).toBe("b");
    expect(of(undefined, { message: 5 }).message).toBe("");
    expect(parseServiceError("X", Buffer.from("<html>"))).toEqual({ type: "X", message: "" });
  });
});
