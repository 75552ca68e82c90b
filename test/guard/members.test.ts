/** Guards of several profiles as one, what is found behind a guard, and what of it belongs to whom. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createGuard } from "../../src/guard/create-guard.js";
import { credentialStateOf, roleNameOf } from "../../src/guard/credential-state.js";
import type { Guard } from "../../src/guard/guard.js";
import {
  guardOfEnvironment,
  guardOfProfile,
  instanceCredentials,
  isGuard,
  profileNameOf,
  servicesOf,
} from "../../src/guard/guard.js";
import type { GuardEvent } from "../../src/events/catalogue.js";
import type { GuardOptions } from "../../src/settings/options.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import type { ImdsServer } from "../support/imds-server.mjs";
import {
  ACCOUNT,
  LAPTOP,
  machine,
  NITRO,
  REGION,
  rejection,
  rigOn,
  signer,
  startSigningImds,
  STRANGER,
} from "./guarded-host.js";

let imds: ImdsServer;
beforeEach(async () => {
  imds = await startSigningImds();
});
afterEach(() => imds.close());

const CONFIG = `[default]
[profile other]
imds_guard_expected_accounts = ${STRANGER}
[profile third]
region = us-west-2
[profile certified]
imds_guard_iot_role_alias = x
[profile line]
credential_process = aws_signing_helper credential-process --certificate /c.pem --private-key /k.pem --trust-anchor-arn a --profile-arn p --role-arn r
`;

/** A guard on a host with these shared files, whose environment a test may change. */
function guardOn(options: GuardOptions = {}, variables: Record<string, string> = {}) {
  const events: GuardEvent[] = [];
  const made = machine({
    ...NITRO,
    "home/nobody/.aws/config": CONFIG,
    "keys/own.pem": signer.publicKeyPem,
    "elsewhere/config": `[default]\nregion = eu-north-1\n[profile other]\nregion = eu-south-1\n`,
  });
  const env: Record<string, string | undefined> = {
    ...made.system.env,
    AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.url,
    ...variables,
  };
  const guard = createGuard(
    { log: "off", onEvent: (event) => events.push(event), ...options },
    { system: { ...made.system, env } },
  );
  return { ...made, guard, env, events };
}
const ELSEWHERE = { configFilepath: "/elsewhere/config" };

describe("what is a guard", () => {
  test("is told by what is found behind it, which goes along where it is spread", async () => {
    const { guard } = guardOn({ profile: "third" });
    expect([guard, { ...guard }].map(isGuard)).toEqual([true, true]);
    expect(profileNameOf({ ...guard })).toBe("third");
    const others = [
      undefined,
      null,
      5,
      "guard",
      {},
      [],
      () => guard,
      Object.create(guard) as object,
      { credentials() {} },
    ];
    expect(others.map(isGuard)).toEqual(others.map(() => false));
    for (const other of others) {
      const wrong = expect.objectContaining({
        name: "TypeError",
        code: "ERR_INVALID_ARG_VALUE",
        message: expect.stringMatching(/guard .*what createGuard returned/),
      });
      expect(() => profileNameOf(other as Guard)).toThrow(wrong);
      expect(() => guardOfProfile(other as Guard, "a")).toThrow(wrong);
      expect(await rejection(servicesOf(other as Guard))).toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
    }
  });

  test.each([
    [undefined, {}],
    [undefined, { profile: "" }],
    ["a", { profile: "a" }],
  ])("names the profile of its options: %j for %j", (name, options) => {
    expect(profileNameOf(guardOn(options, { AWS_PROFILE: "of-environment" }).guard)).toBe(name);
  });
});

describe("the guard of a profile", () => {
  test.each<[boolean, string | undefined, object, GuardOptions, Record<string, string>]>([
    [true, undefined, {}, {}, {}],
    [true, "", {}, {}, {}],
    [true, "default", {}, {}, {}],
    [true, "other", {}, { profile: "other" }, {}],
    [true, "other", {}, {}, { AWS_PROFILE: "other" }],
    [false, "default", {}, { profile: "other" }, {}],
    [false, "other", {}, { profile: "third" }, { AWS_PROFILE: "other" }],
    [false, "other", {}, {}, {}],
    [false, "default", {}, {}, { AWS_PROFILE: "other" }],
    [false, "default", ELSEWHERE, {}, {}],
    [false, undefined, ELSEWHERE, {}, {}],
    [false, undefined, { filepath: "/elsewhere/credentials" }, {}, {}],
  ])("is the same one (%s) for %j at %j, of options %j in %j", (same, profile, where, options, env) => {
    const { guard } = guardOn(options, env);
    expect(guardOfProfile(guard, profile, where) === guard).toBe(same);
    // And it is made once.
    expect(guardOfProfile(guard, profile, where)).toBe(guardOfProfile(guard, profile, where));
  });

  test("has the settings of its own profile and files, and the options of its guard", async () => {
    const { guard, events } = guardOn({ expectedRoles: ["none"] });
    const of = (profile: string | undefined, where = {}) => guardOfProfile(guard, profile, where);
    expect(
      await Promise.all([of("third"), of(undefined, ELSEWHERE), of("other", ELSEWHERE)].map((one) => one.region())),
    ).toEqual(["us-west-2", "eu-north-1", "eu-south-1"]);
    expect([profileNameOf(of("third")), profileNameOf(of(undefined, ELSEWHERE))]).toEqual(["third", undefined]);
    expect(await rejection(of("other").credentials())).toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNEXPECTED" });
    expect(await rejection(of("third").credentials())).toMatchObject({ code: "ERR_IMDS_ROLE_UNEXPECTED" });
    expect(events.map(({ code }) => code)).toContain("credentials.role_unexpected");
  });

  test("that the environment names is another when it names another", async () => {
    const { guard, env } = guardOn();
    expect(guardOfEnvironment(guard, { env })).toBe(guard);
    await guard.whereAmI();
    env["AWS_PROFILE"] = "third";
    const third = guardOfEnvironment(guard, { env });
    expect([third === guard, third === guardOfEnvironment(guard, { env })]).toEqual([false, true]);
    expect([await third.region(), profileNameOf(third)]).toEqual(["us-west-2", undefined]);
    // One that a program names itself says so.
    const named = guardOfProfile(guard, "third");
    expect([named === third, profileNameOf(named)]).toEqual([false, "third"]);
    // The guard has read its own, and keeps to it.
    expect(guardOfProfile(guard, "default")).toBe(guard);
    expect(guardOfEnvironment(guard, { env }, ELSEWHERE)).not.toBe(third);
    delete env["AWS_PROFILE"];
    expect(guardOfEnvironment(guard, { env })).toBe(guard);
  });

  test("that the environment named is of that profile, whatever it names later", async () => {
    const { guard, env } = guardOn();
    await guard.whereAmI();
    env["AWS_PROFILE"] = "third";
    const third = guardOfEnvironment(guard, { env });
    env["AWS_PROFILE"] = "other";
    expect(await third.region()).toBe("us-west-2");
  });

  test("is read by the environment as it is at the first call", async () => {
    const { guard, env } = guardOn();
    env["AWS_PROFILE"] = "third";
    expect(await guard.region()).toBe("us-west-2");
    expect(guardOfProfile(guard, "third")).toBe(guard);
    expect(guardOfProfile(guard, "default")).not.toBe(guard);
  });

  test("ends with its guard, and none is made for one that has ended", async () => {
    const { guard } = guardOn();
    const third = guardOfProfile(guard, "third");
    await third.whereAmI();
    await third.close();
    expect(await guard.whereAmI()).toMatchObject({ decision: { kind: "contact" } });
    const other = guardOfProfile(guard, "other");
    await guard.close();
    for (const one of [guard, third, other])
      expect(await rejection(one.whereAmI())).toMatchObject({ code: "ERR_IMDS_GUARD_CLOSED" });
    expect(guardOfProfile(guard, "new")).toBe(guard);
  });

  test("shares what one of them finds out", async () => {
    const { guard } = guardOn({ attestation: "off" });
    const third = guardOfProfile(guard, "third");
    await guard.credentials();
    await third.credentials();
    imds.fail({ path: /ami-id/, times: 1, outcome: 302 });
    await rejection(guard.metadata("/latest/meta-data/ami-id"));
    imds.resetCounters();
    await third.credentials();
    expect(imds.counters.total).toBeGreaterThan(0);
  });
});

describe("the region", () => {
  test.each<[string | undefined, Record<string, string>, GuardOptions, number]>([
    ["ap-south-1", { AWS_REGION: "ap-south-1" }, {}, 0],
    ["us-west-2", {}, { profile: "third" }, 0],
    [REGION, {}, {}, 1],
    [undefined, {}, { attestation: "off" }, 0],
    // Where credentials come from elsewhere, IMDS is asked for nothing.
    [undefined, { IMDS_GUARD_IOT_ENDPOINT: "x.credentials.iot.us-east-1.amazonaws.com" }, {}, 0],
  ])("is %j in %j with %j", async (region, env, options, least) => {
    const { guard } = guardOn(
      { attestation: "required", certificates: { [REGION]: signer.publicKeyPem }, ...options },
      env,
    );
    if (region === undefined)
      expect(await rejection(guard.region())).toMatchObject({
        code: "ERR_IMDS_NO_REGION",
        message: expect.stringContaining("no signed document tells one"),
      });
    else expect(await guard.region()).toBe(region);
    expect(imds.counters.total >= least).toBe(true);
    if (least === 0) expect(imds.counters.byRequest["GET /latest/dynamic/instance-identity/rsa2048"]).toBeUndefined();
  });

  test("that is none is a mistake in a setting", async () => {
    const { guard } = guardOn({}, { AWS_REGION: "x/y" });
    expect(await rejection(guard.region())).toMatchObject({ code: "ERR_IMDS_GUARD_SETTING" });
  });

  test("is not asked for where IMDS may not be asked, which is an event", async () => {
    const { guard, codes } = rigOn({ url: "" }, {}, LAPTOP);
    expect(await rejection(guard.region())).toMatchObject({
      code: "ERR_IMDS_NO_REGION",
      message: expect.stringMatching(/IMDS was not asked for one: this host is not EC2/),
    });
    expect(codes()).toEqual(["imds.refused_not_ec2"]);
  });
});

describe("credentials", () => {
  test("are current, then due, and withdrawn by what is found out or by the end of their guard", async () => {
    const { guard, advance } = rigOn(imds);
    const first = await guard.credentials();
    expect(credentialStateOf(first)).toBe("current");
    expect(roleNameOf(first)).toBe(imds.identity.roleName);
    advance(355 * 60_000);
    expect(credentialStateOf(first)).toBe("due");
    const second = await guard.credentials({ forceRefresh: true });
    imds.fail({ path: /ami-id/, times: 1, outcome: 302 });
    await rejection(guard.metadata("/latest/meta-data/ami-id"));
    expect(credentialStateOf(second)).toBe("withdrawn");
    const third = await guard.credentials();
    expect(credentialStateOf(third)).toBe("current");
    await guard.close();
    expect(credentialStateOf(third)).toBe("withdrawn");
  });

  test("are not withdrawn by an outage", async () => {
    const { guard } = rigOn(imds);
    const held = await guard.credentials();
    imds.fail({ path: /ami-id/, times: 9, outcome: "reset" });
    expect(await rejection(guard.metadata("/latest/meta-data/ami-id"))).toMatchObject({ kind: "unavailable" });
    expect(credentialStateOf(held)).toBe("current");
  });

  test.each<[string, Record<string, string>, Record<string, string>]>([
    ["the environment", { IMDS_GUARD_IOT_ROLE_ALIAS: "x" }, {}],
    ["its profile", {}, { profile: "certified" }],
    ["its line of the helper", {}, { profile: "line" }],
  ])("are not the instance's where %s names a certificate", async (_, env, options) => {
    const { guard } = guardOn(options, env);
    const error = await rejection(guard.credentials());
    expect((error as { code: string }).code).toMatch(/^ERR_(?:IMDS_GUARD_SETTING|ROLES_ANYWHERE)/);
    expect(await rejection((await servicesOf(guard)).certificateLink())).toMatchObject({
      code: (error as { code: string }).code,
    });
    expect(imds.counters.total).toBe(0);
    // Those who ask for the instance's own have them all the same.
    expect((await instanceCredentials(guard)).accessKeyId).toBe(accessKeyIdFor(ACCOUNT, "genuine"));
  });

  test.each<[Record<string, string>]>([[{ IMDS_GUARD_CERTIFICATES: `${REGION}=/keys/own.pem` }]])(
    "are proved by keys that a setting names: %j",
    async (env) => {
      const { guard } = guardOn({ attestation: "required" }, env);
      await guard.credentials();
      expect(guard.attestation()).toMatchObject({ level: "bound" });
      const without = guardOn({ attestation: "required" });
      expect(await rejection(without.guard.credentials())).toMatchObject({ code: "ERR_IMDS_ATTESTATION_INVALID" });
    },
  );

  test("and a token are had of the responder that is proved", async () => {
    const { guard, codes } = rigOn(imds);
    const token = await guard.metadataToken();
    const { port } = imds.endpoints[0]!;
    const answer = await fetch(`http://127.0.0.1:${port}/latest/meta-data/instance-id`, {
      headers: { "X-aws-ec2-metadata-token": token },
    });
    expect(await answer.text()).toBe(imds.identity.instanceId);
    expect(codes()).toContain("imds.attested");
  });
});

describe("credentials of the instance", () => {
  test("are there behind a guard, renewed where that is wanted", async () => {
    const { guard } = rigOn(imds);
    expect((await instanceCredentials(guard)).accessKeyId).toBe(accessKeyIdFor(ACCOUNT, "genuine"));
    imds.resetCounters();
    await instanceCredentials(guard);
    expect(imds.counters.total).toBe(0);
    await instanceCredentials(guard, true);
    expect(imds.counters.total).toBe(1);
  });

  test("and with all that those parts need who work for it", async () => {
    const { guard, system } = rigOn(imds);
    const services = await servicesOf(guard);
    expect(services.system).toBe(system);
    expect(await services.certificateLink()).toBeUndefined();
    expect(services.links.size).toBe(0);
    expect((await services.fetch("/latest/meta-data/instance-id")).toString()).toBe(imds.identity.instanceId);
    expect(await services.acquired()).toMatchObject({ roleName: imds.identity.roleName });
    expect(services.settings.attestation).toBe("required");
  });
});
