/**
 * `fromIni` with `credential_source = Ec2InstanceMetadata`: the same as the stock one in everything but who asks IMDS.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fromIni as stockIni } from "@aws-sdk/credential-providers";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createGuard } from "../../src/guard/create-guard.js";
import type { FromIniInit } from "../../src/sdk/ini.js";
import { fromIni, routeToImds } from "../../src/sdk/ini.js";
import type { ImdsServer } from "../support/imds-server.mjs";
import { startImdsServer } from "../support/imds-server.mjs";
import { recordingSts } from "./recorder.js";
import type { Outcome, Scene } from "./side-by-side.js";
import { inScene, outcomeOf, sideBySide } from "./side-by-side.js";
import { fc } from "../support/properties.js";

let imds: ImdsServer;
beforeAll(async () => {
  imds = await startImdsServer();
});
beforeEach(() => imds.resetCounters());
afterAll(() => imds.close());

const ROLE = "role_arn = arn:aws:iam::444455556666:role/";
const IMDS = "credential_source = Ec2InstanceMetadata\n";
const STATIC = "aws_access_key_id = AKIAPROFILE000000001\naws_secret_access_key = secret\n";

const onLoopback = (scene: Scene): Scene => ({
  ...scene,
  env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.url, ...scene.env },
});

interface Case {
  readonly config: string;
  readonly init?: Partial<FromIniInit>;
  readonly asksImds: boolean;
  readonly gives: string | RegExp;
}

const mfaCodeProvider = (serial: string): Promise<string> => Promise.resolve(`code of ${serial}`);

const CASES: Record<string, Case> = {
  "a role": { config: `[default]\n${ROLE}app\n${IMDS}`, asksImds: true, gives: /^ASIA/ },
  "a role with everything": {
    config: `[default]\n${ROLE}app\n${IMDS}external_id = e\nduration_seconds = 1800\nrole_session_name = s\nmfa_serial = arn:aws:iam::1:mfa/me\n`,
    init: { mfaCodeProvider },
    asksImds: true,
    gives: /^ASIA/,
  },
  "a role reached by source_profile": {
    config: `[default]\n${ROLE}outer\nsource_profile = inner\n[profile inner]\n${ROLE}inner\n${IMDS}`,
    asksImds: true,
    gives: /^ASIA/,
  },
  "three roles": {
    config: `[default]\n${ROLE}a\nsource_profile = b\n[profile b]\n${ROLE}b\nsource_profile = c\nmfa_serial = m\n[profile c]\n${ROLE}c\n${IMDS}`,
    init: { mfaCodeProvider },
    asksImds: true,
    gives: /^ASIA/,
  },
  "a source profile without a role": {
    config: `[default]\n${ROLE}app\nsource_profile = bare\n[profile bare]\n${IMDS}`,
    asksImds: true,
    gives: /^ASIA/,
  },
  "a source profile without a role that names a further source": {
    config: `[default]\n${ROLE}app\nsource_profile = bare\n[profile bare]\ncredential_source = Environment\nsource_profile = leaf\n[profile leaf]\n${ROLE}leaf\n${IMDS}`,
    asksImds: true,
    gives: /^ASIA/,
  },
  "a source profile with static keys besides": {
    config: `[default]\n${ROLE}app\nsource_profile = both\n[profile both]\n${STATIC}${ROLE}x\n${IMDS}`,
    asksImds: false,
    gives: /^ASIA/,
  },
  "static keys besides, at the top": {
    config: `[default]\n${STATIC}${ROLE}app\n${IMDS}`,
    asksImds: true,
    gives: /^ASIA/,
  },
  "a web identity besides": {
    config: `[default]\n${ROLE}app\n${IMDS}web_identity_token_file = /nowhere\n`,
    asksImds: true,
    gives: /^ASIA/,
  },
  "a process besides": {
    config: `[default]\n${ROLE}app\n${IMDS}credential_process = false\n`,
    asksImds: true,
    gives: /^ASIA/,
  },
  "the profile of the options": {
    config: `[profile app]\n${ROLE}app\n${IMDS}`,
    init: { profile: "app" },
    asksImds: true,
    gives: /^ASIA/,
  },
  "no role at all": {
    config: `[default]\n${IMDS}`,
    asksImds: false,
    gives: /^Could not resolve credentials using profile: \[default\]/,
  },
  "source and source_profile at once": {
    config: `[default]\n${ROLE}app\n${IMDS}source_profile = b\n[profile b]\n${STATIC}`,
    asksImds: false,
    gives: /^Could not resolve/,
  },
  "source and source_profile at once, below": {
    config: `[default]\n${ROLE}app\nsource_profile = b\n[profile b]\n${ROLE}b\n${IMDS}source_profile = c\n[profile c]\n${STATIC}`,
    asksImds: false,
    gives: /^Could not resolve/,
  },
  "a source in another case": {
    config: `[default]\n${ROLE}app\ncredential_source = ec2instancemetadata\n`,
    asksImds: false,
    gives: /^Unsupported credential source/,
  },
  "a circle": {
    config: `[default]\n${ROLE}a\nsource_profile = b\n[profile b]\n${ROLE}b\nsource_profile = default\n`,
    asksImds: false,
    gives: /^Detected a cycle/,
  },
  "a source profile that is missing": {
    config: `[default]\n${ROLE}a\nsource_profile = b\n`,
    asksImds: false,
    gives: /^Could not resolve/,
  },
  "no such profile": { config: `[profile x]\n${ROLE}a\n${IMDS}`, asksImds: false, gives: /^Could not resolve/ },
};

describe("fromIni beside the stock one, on the same loopback IMDS", () => {
  test.each(Object.entries(CASES))("%s", async (_, { config, init, asksImds, gives }) => {
    const recorders = { stock: recordingSts(), ours: recordingSts() };
    const asked = { stock: 0, ours: 0 };
    const counting = async (who: "stock" | "ours", call: () => Promise<object>): Promise<object> => {
      const before = imds.counters.total;
      return call().finally(() => (asked[who] = imds.counters.total - before));
    };
    const { stock, ours } = await sideBySide(
      onLoopback({ config }),
      () => counting("stock", () => stockIni({ ...init, roleAssumer: recorders.stock.roleAssumer })()),
      () => counting("ours", () => fromIni({ ...init, roleAssumer: recorders.ours.roleAssumer })()),
    );
    expect(ours).toEqual(stock);
    expect(recorders.ours.calls).toEqual(recorders.stock.calls);
    expect([asked.stock > 0, asked.ours > 0]).toEqual([asksImds, asksImds]);
    expect(imds.counters.withoutToken).toBe(0);
    expect("credentials" in stock ? String(stock.credentials["accessKeyId"]) : stock.message).toMatch(gives);
  });

  test("MFA without anybody to ask: the same error, and IMDS is not asked for nothing", async () => {
    const config = `[default]\n${ROLE}outer\nsource_profile = inner\nmfa_serial = m\n[profile inner]\n${ROLE}inner\n${IMDS}`;
    const ours = await inScene(onLoopback({ config }), () =>
      outcomeOf(() => fromIni({ roleAssumer: recordingSts().roleAssumer })()),
    );
    expect(imds.counters.total).toBe(0);
    const stock = await inScene(onLoopback({ config }), () =>
      outcomeOf(() => stockIni({ roleAssumer: recordingSts().roleAssumer })()),
    );
    expect(ours).toEqual(stock);
    expect(ours).toMatchObject({
      message: "Profile default requires multi-factor authentication, but no MFA code callback was provided.",
      tryNextLink: false,
    });
  });

  test("a role assumed over STS: the same request, signed with the same key, and the same credentials", async () => {
    const seen: unknown[] = [];
    const sts = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        const scope = /Credential=([^,]+)\/\d{8}\/([^/]+)/.exec(request.headers.authorization ?? "");
        seen.push({
          key: scope?.[1],
          region: scope?.[2],
          query: Object.fromEntries(
            [...new URLSearchParams(body)].map(([name, value]) => [name, value.replace(/\d{13}$/, "<now>")]),
          ),
        });
        response.end(
          "<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser><Arn>arn:aws:sts::444455556666:assumed-role/app/s</Arn><AssumedRoleId>i</AssumedRoleId></AssumedRoleUser>" +
            "<Credentials><AccessKeyId>ASIAASSUMED000000001</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2040-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
        );
      });
    });
    await new Promise<void>((resolve) => sts.listen(0, "127.0.0.1", resolve));
    const endpoint = `http://127.0.0.1:${(sts.address() as AddressInfo).port}`;
    const config = `[default]\n${ROLE}app\n${IMDS}external_id = e\nmfa_serial = m\nregion = eu-west-3\n[profile outer]\n${ROLE}outer\nsource_profile = default\nregion = ap-south-1\n`;
    for (const profile of ["default", "outer"]) {
      const init = { profile, mfaCodeProvider, clientConfig: { endpoint, maxAttempts: 1 } };
      const { stock, ours } = await sideBySide(
        onLoopback({ config }),
        () => stockIni({ ...init })(),
        () => fromIni({ ...init })(),
      );
      expect(ours).toEqual(stock);
      expect(ours).toMatchObject({
        credentials: {
          accessKeyId: "ASIAASSUMED000000001",
          accountId: "444455556666",
          $source: { CREDENTIALS_STS_ASSUME_ROLE: "i" },
        },
      });
    }
    sts.closeAllConnections();
    sts.close();
    expect(seen).toHaveLength(6);
    expect(seen.slice(1, 2)).toEqual(seen.slice(0, 1));
    expect(seen.slice(4, 6)).toEqual(seen.slice(2, 4));
  });
});

describe("fromIni and its guard", () => {
  const config = `[default]\n${ROLE}outer\nsource_profile = inner\n[profile inner]\n${ROLE}inner\n${IMDS}`;

  test("a refusing guard: no packet, an error of both kinds, and the chain may go on", async () => {
    const outcome = await inScene(onLoopback({ config }), () =>
      fromIni({ guard: { mode: "deny" }, roleAssumer: recordingSts().roleAssumer })().catch((error: unknown) => error),
    );
    expect(outcome).toMatchObject({
      name: "CredentialsProviderError",
      code: "ERR_IMDS_DISABLED",
      kind: "refused",
      tryNextLink: true,
    });
    expect(imds.counters.total).toBe(0);
  });

  test("AWS_EC2_METADATA_DISABLED holds at this door too, unlike in the stock one", async () => {
    const scene = onLoopback({ config, env: { AWS_EC2_METADATA_DISABLED: "true" } });
    const outcome = await inScene(scene, () => outcomeOf(() => fromIni({ roleAssumer: recordingSts().roleAssumer })()));
    expect(outcome).toMatchObject({
      name: "CredentialsProviderError",
      message:
        "IMDS was not asked: IMDS is disabled by AWS_EC2_METADATA_DISABLED. See docs/errors.md#ERR_IMDS_DISABLED",
    });
    expect(imds.counters.total).toBe(0);
  });

  test("a shared guard asks once for several providers", async () => {
    await inScene(onLoopback({ config }), async () => {
      const guard = createGuard();
      const init = { guard, roleAssumer: recordingSts().roleAssumer };
      await Promise.all([fromIni(init)(), fromIni({ ...init, profile: "inner" })(), fromIni(init)()]);
      expect(imds.counters.byRequest["PUT /latest/api/token"]).toBe(1);
      await guard.close();
    });
  });

  test("files changed since the last reading are judged and used as they are now", async () => {
    const first = `[default]\n${STATIC}`;
    await inScene(onLoopback({ config: first }), async (home) => {
      const { writeFileSync } = await import("node:fs");
      const init = { ignoreCache: true, guard: { mode: "deny" }, roleAssumer: recordingSts().roleAssumer } as const;
      expect(await fromIni(init)()).toMatchObject({ accessKeyId: "AKIAPROFILE000000001" });
      writeFileSync(`${home}/.aws/config`, config);
      await expect(fromIni(init)()).rejects.toMatchObject({ code: "ERR_IMDS_DISABLED" });
      writeFileSync(`${home}/.aws/config`, first);
      expect(await fromIni(init)()).toMatchObject({ accessKeyId: "AKIAPROFILE000000001" });
      expect(imds.counters.total).toBe(0);
    });
  });
});

describe("routeToImds", () => {
  const NAMES = ["default", "a", "b", "c"];
  const present = <T>(values: fc.Arbitrary<T>, oneIn: number) => fc.option(values, { nil: undefined, freq: oneIn });
  const absent = <T>(value: T, oneIn: number) => fc.option(fc.constant(undefined), { nil: value, freq: oneIn });
  const profile = fc.record({
    role_arn: present(fc.constant("arn:aws:iam::444455556666:role/r"), 4),
    source_profile: present(fc.constantFrom(...NAMES), 2),
    credential_source: present(
      fc.constantFrom("Ec2InstanceMetadata", "Ec2InstanceMetadata", "Ec2InstanceMetadata", "Environment", "Elsewhere"),
      2,
    ),
    aws_access_key_id: absent("AKIAPROFILE000000001", 4),
    aws_secret_access_key: absent("secret", 3),
    role_session_name: absent("session", 4),
    web_identity_token_file: absent("/nowhere", 8),
    duration_seconds: absent("900", 8),
  });
  const graph = fc.record(Object.fromEntries(NAMES.map((name) => [name, present(profile, 8)])));

  test("over any graph of profiles: where the stock one asks IMDS, ours goes through the guard, and the rest is the same", async () => {
    let routed = 0;
    let tried = 0;
    const check = fc.asyncProperty(graph, async (profiles) => {
      imds.resetCounters();
      const config = textOf(profiles);
      const stock = await inScene(onLoopback({ config }), () =>
        outcomeOf(() => stockIni({ roleAssumer: recordingSts().roleAssumer })()),
      );
      const stockAsked = imds.counters.total > 0;
      imds.resetCounters();
      const denied = await inScene(onLoopback({ config }), () =>
        outcomeOf(() => fromIni({ guard: { mode: "deny" }, roleAssumer: recordingSts().roleAssumer })()),
      );
      expect(imds.counters.total).toBe(0);
      const known = Object.fromEntries(
        Object.entries(profiles).filter(
          ([, fields]) => fields && Object.values(fields).some((value) => value !== undefined),
        ),
      );
      const route = routeToImds(known, "default");
      expect(route !== undefined).toBe(stockAsked);
      if (route === undefined) expect(denied).toEqual(stock);
      else
        expect(reasonOf(denied)).toBe(
          "IMDS was not asked: IMDS is disabled by mode deny. See docs/errors.md#ERR_IMDS_DISABLED",
        );
      tried += 1;
      if (stockAsked) routed += 1;
    });
    await fc.assert(check, { numRuns: Number(process.env["FUZZ_RUNS"] ?? 300) });
    expect(routed / tried).toBeGreaterThan(0.05);
  }, 120_000);

  function textOf(profiles: Readonly<Record<string, object | undefined>>): string {
    const sections = Object.entries(profiles).flatMap(([name, fields]) => {
      const lines = Object.entries(fields ?? {}).flatMap(([key, value]) =>
        value === undefined ? [] : [`${key} = ${String(value)}`],
      );
      return fields === undefined ? [] : [`[${name === "default" ? name : `profile ${name}`}]`, ...lines];
    });
    return `${sections.join("\n")}\n`;
  }

  function reasonOf(outcome: Outcome): string {
    return "credentials" in outcome ? "credentials" : outcome.message;
  }
});
