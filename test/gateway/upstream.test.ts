/** What the gateway answers with, how long it is given to others as well, and what becomes of failures. */
import { expect, it } from "vitest";
import { ImdsRefusedError, ImdsUnavailableError } from "../../src/base/errors.js";
import { createTokenMint } from "../../src/gateway/tokens.js";
import type { GuardedSource, RoleCredentials } from "../../src/gateway/upstream.js";
import { createUpstream } from "../../src/gateway/upstream.js";

const WALL = Date.parse("2026-01-02T03:04:05.678Z");
const ROLE = "/latest/meta-data/iam/security-credentials/";
const CREDENTIALS: RoleCredentials = {
  accessKeyId: "ASIAONE",
  secretAccessKey: "secret",
  sessionToken: "token",
  expiration: new Date("2026-01-02T09:04:05.000Z"),
  roleName: "app",
};

function rig(answers: Partial<GuardedSource> = {}) {
  const clock = { now: 5, wall: WALL };
  const fetched: string[] = [];
  const source: GuardedSource = {
    fetch: (path) => {
      fetched.push(path);
      return answers.fetch?.(path) ?? Promise.resolve(Buffer.from(`${path} ${fetched.length}`));
    },
    credentials: answers.credentials ?? (() => Promise.resolve(CREDENTIALS)),
  };
  const upstream = createUpstream(
    source,
    () => clock.now,
    () => clock.wall,
  );
  const text = async (path: string) => (await upstream.metadata(path)).body.toString();
  return { clock, fetched, upstream, text };
}
const failure = (code: ConstructorParameters<typeof ImdsUnavailableError>[0]) =>
  new ImdsUnavailableError(code, "no", { advice: "None." });

it.each([
  ["what changes", "/latest/meta-data/tags/instance/Name", 1_000],
  ["what may be foreseen", "/latest/meta-data/instance-life-cycle", 1_000],
  ["a name that only begins like one", "/latest/meta-data/instance-identity", 1_000],
  ["what an instance keeps for life", "/latest/meta-data/instance-id", 60_000],
  ["what is below that", "/latest/meta-data/placement/region", 60_000],
  ["its signed document", "/latest/dynamic/instance-identity/document", 60_000],
])("%s is remembered for its time, and not longer", async (_, path, most) => {
  const { clock, text, fetched } = rig();
  expect(await text(path)).toBe(`${path} 1`);
  clock.now += most - 1;
  expect(await text(path)).toBe(`${path} 1`);
  clock.now += 1;
  expect(await text(path)).toBe(`${path} 2`);
  expect(fetched).toHaveLength(2);
});

it("an outage is remembered for a second only, whatever was asked for", async () => {
  let fail = true;
  const path = "/latest/meta-data/instance-id";
  const { clock, upstream, fetched } = rig({
    fetch: () => (fail ? Promise.reject(failure("ERR_IMDS_STATUS")) : Promise.resolve(Buffer.from("i-1"))),
  });
  const first = upstream.metadata(path);
  expect(upstream.metadata(path)).toBe(first);
  expect((await first).status).toBe(503);
  fail = false;
  clock.now += 999;
  expect((await upstream.metadata(path)).status).toBe(503);
  clock.now += 1;
  expect((await upstream.metadata(path)).body.toString()).toBe("i-1");
  expect(fetched).toHaveLength(2);
  // And what is there is not forgotten as an outage would be.
  clock.now += 30_000;
  expect((await upstream.metadata(path)).body.toString()).toBe("i-1");
  expect(fetched).toHaveLength(2);
});

it("of very many paths those asked for first are forgotten", async () => {
  const { text, fetched } = rig();
  for (let index = 0; index < 257; index += 1) await text(`/latest/meta-data/x${index}`);
  await text("/latest/meta-data/x1");
  expect(fetched).toHaveLength(257);
  await text("/latest/meta-data/x0");
  expect(fetched).toHaveLength(258);
});

it("a mistake of ours is thrown, and asked about again", async () => {
  let fail = true;
  const { upstream } = rig({
    fetch: () => (fail ? Promise.reject(new TypeError("a mistake")) : Promise.resolve(Buffer.from("x"))),
  });
  await expect(upstream.metadata("/latest/meta-data/mac")).rejects.toThrow("a mistake");
  fail = false;
  await Promise.resolve();
  expect((await upstream.metadata("/latest/meta-data/mac")).status).toBe(200);
});

it.each([
  [404, failure("ERR_IMDS_NOT_FOUND")],
  [404, failure("ERR_IMDS_NO_ROLE")],
  [403, failure("ERR_IMDS_FORBIDDEN")],
  [503, failure("ERR_IMDS_STATUS")],
  [503, failure("ERR_IMDS_TIMEOUT")],
  [403, new ImdsRefusedError("ERR_IMDS_NOT_EC2", "no", { advice: "None." })],
])("is answered %i for %s", async (status, error) => {
  const { upstream } = rig({ fetch: () => Promise.reject(error), credentials: () => Promise.reject(error) });
  expect(await upstream.metadata("/latest/meta-data/mac")).toEqual({ status, body: Buffer.alloc(0), error });
  expect(await upstream.role(ROLE, true)).toEqual({ status, body: Buffer.alloc(0), error });
});

it.each([
  [ROLE, true, 200, "app"],
  [ROLE.slice(0, -1), true, 200, "app"],
  [ROLE, ["app"], 200, "app"],
  [ROLE, ["other", "app"], 200, "app"],
  [ROLE, ["other"], 404, ""],
  [ROLE, [], 404, ""],
  [`${ROLE}other`, true, 404, ""],
  [`${ROLE}app`, ["other"], 404, ""],
  [`${ROLE}app/other`, true, 404, ""],
] as const)("a role: %s, allowed %j: %i", async (path, allowed, status, body) => {
  const answer = await rig().upstream.role(path, allowed);
  expect([answer.status, answer.body.toString()]).toEqual([status, body]);
});

it("credentials are written as the service writes them, dated once for each key", async () => {
  let given = CREDENTIALS;
  const { clock, upstream } = rig({ credentials: () => Promise.resolve(given) });
  const read = async () => (await upstream.role(`${ROLE}app/`, true)).body.toString();
  const first = `{
  "Code" : "Success",
  "LastUpdated" : "2026-01-02T03:04:05Z",
  "Type" : "AWS-HMAC",
  "AccessKeyId" : "ASIAONE",
  "SecretAccessKey" : "secret",
  "Token" : "token",
  "Expiration" : "2026-01-02T09:04:05Z"
}`;
  expect(await read()).toBe(first);
  clock.wall += 60_000;
  expect(await read()).toBe(first);
  given = { ...CREDENTIALS, accessKeyId: "ASIATWO" };
  expect(await read()).toBe(first.replace("ASIAONE", "ASIATWO").replace("03:04:05", "03:05:05"));
});

it("a token is good for its holder until its second is over", () => {
  const clock = { now: 0 };
  const mint = createTokenMint(() => clock.now);
  const token = mint.issue("user 1", 2);
  expect(token).not.toBe(mint.issue("user 1", 2));
  clock.now = 999;
  expect(mint.secondsLeft(token, "user 1")).toBe(2);
  clock.now = 1_001;
  expect(mint.secondsLeft(token, "user 1")).toBe(1);
  clock.now = 1_999;
  expect(mint.secondsLeft(token, "user 1")).toBe(1);
  clock.now = 2_000;
  expect(mint.secondsLeft(token, "user 1")).toBeUndefined();
  clock.now = 0;
  const bytes = Buffer.from(token, "base64url");
  for (const at of bytes.keys()) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(mint.secondsLeft(`${changed.toString("base64url")}==`, "user 1")).toBeUndefined();
  }
  for (const odd of ["", "=", token.slice(4), `${token}AAAA`, bytes.toString("hex")])
    expect(mint.secondsLeft(odd, "user 1")).toBeUndefined();
});
