/** The guard as a whole: settings, decision, proof, life and events wired together, against a loopback IMDS. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { CATALOGUE } from "../../src/events/catalogue.js";
import type { Guard } from "../../src/guard/guard.js";
import { createGuard } from "../../src/guard/create-guard.js";
import { fromNodeProviderChain } from "../../src/sdk/node-chain.js";
import {
  ACCOUNT,
  INSTANCE,
  LAPTOP,
  machine,
  NITRO,
  REGION,
  rejection,
  rigOn,
  startSigningImds,
  STRANGER,
  UNKNOWN,
} from "./guarded-host.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { createSigner } from "../support/identity-signer.mjs";
import type { ImdsServer } from "../support/imds-server.mjs";

const MINUTE = 60_000;
const otherSigner = createSigner();
let imds: ImdsServer;
beforeEach(async () => {
  imds = await startSigningImds();
});
afterEach(() => imds.close());

describe("credentials", () => {
  test("are those of the role, with the proof they rest on", async () => {
    const { guard } = rigOn(imds);
    expect(guard.attestation()).toBeUndefined();
    expect(await guard.credentials()).toEqual({
      accessKeyId: accessKeyIdFor(ACCOUNT, "genuine"),
      secretAccessKey: imds.identity.secretAccessKey,
      sessionToken: imds.identity.sessionToken,
      expiration: expect.any(Date) as Date,
    });
    expect(guard.attestation()).toMatchObject({ level: "bound", document: { instanceId: INSTANCE } });
  });

  test("10,000 first calls share one exchange", async () => {
    const { guard } = rigOn(imds);
    const all = await Promise.all(Array.from({ length: 10_000 }, () => guard.credentials()));
    expect(new Set(all.map(({ accessKeyId }) => accessKeyId)).size).toBe(1);
    expect(imds.counters.total).toBe(5);
  });

  test("are kept, renewed on demand, and renewed ahead of their end", async () => {
    const { guard, advance } = rigOn(imds);
    await guard.credentials();
    imds.resetCounters();
    await guard.credentials();
    expect(imds.counters.total).toBe(0);
    await guard.credentials({ forceRefresh: true });
    expect(imds.counters.total).toBe(1);
    advance(355 * MINUTE);
    await guard.credentials();
    await expect.poll(() => imds.counters.total).toBeGreaterThan(1);
  });

  test("nothing is read or sent before the first call", async () => {
    const { system } = machine();
    const touched: PropertyKey[] = [];
    const watched = new Proxy(system, {
      get(target, name, receiver) {
        touched.push(name);
        return Reflect.get(target, name, receiver) as unknown;
      },
    });
    const guard = createGuard({}, { system: watched });
    fromNodeProviderChain({ guard });
    await new Promise((resolve) => setImmediate(resolve));
    expect(touched).toEqual([]);
  });
});

describe("events", () => {
  test("of a good life, each once", async () => {
    const { guard, codes } = rigOn(imds);
    await Promise.all([guard.credentials(), guard.credentials(), guard.whereAmI()]);
    await guard.credentials();
    expect(codes()).toEqual(["imds.endpoint_override_accepted", "imds.attested", "imds.credentials_obtained"]);
  });

  test("of an outage that credentials outlast, with their ends", async () => {
    const { guard, events, advance } = rigOn(imds);
    const { expiration } = await guard.credentials();
    imds.fail({ path: /./, times: 999, outcome: "reset" });
    advance(360 * MINUTE + MINUTE);
    await guard.credentials();
    const told = events.find(({ code }) => code === "imds.static_stability");
    expect(told).toMatchObject({ endpoint: { address: "127.0.0.1", port: imds.endpoints[0]?.port } });
    expect(told?.message).toMatch(
      new RegExp(
        `^IMDS is out \\(ERR_IMDS_UNREACHABLE\\): credentials that ended at ${expiration.toISOString()} are served until .*Z$`,
      ),
    );
    expect(told?.advice).not.toBe("");
  });

  test("of a refusal, once however often it is asked", async () => {
    const { guard, events } = rigOn({ url: "" }, {}, LAPTOP);
    for (let time = 0; time < 3; time += 1)
      expect(await rejection(guard.credentials())).toMatchObject({
        code: "ERR_IMDS_NOT_EC2",
        kind: "refused",
        tryNextLink: true,
      });
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      code: "imds.refused_not_ec2",
      endpoint: { address: "169.254.169.254", port: 80 },
    });
    expect(events[0]?.evidence.length).toBeGreaterThan(3);
  });

  /** How the loopback IMDS is made to fail, and the event that tells of it. */
  const failures: Record<string, readonly [prepare: (server: ImdsServer) => void, code: string, event: string]> = {
    "no answer to the token": [
      (server) => server.fail({ path: /token/, times: 9, outcome: "hang" }),
      "ERR_IMDS_TOKEN_TIMEOUT",
      "imds.token_timeout",
    ],
    "service off": [(server) => server.set({ httpEndpoint: "disabled" }), "ERR_IMDS_FORBIDDEN", "imds.forbidden"],
    "no role": [(server) => server.set({ roleName: undefined }), "ERR_IMDS_NO_ROLE", "imds.no_role"],
    "IMDSv1 only": [
      (server) => server.fail({ path: /token/, times: 9, outcome: 404 }),
      "ERR_IMDS_V1_ONLY",
      "imds.v1_only_responder",
    ],
    redirect: [
      (server) => server.fail({ path: /credentials/, times: 9, outcome: 302 }),
      "ERR_IMDS_REDIRECT",
      "imds.redirect_refused",
    ],
    "throttled to the end": [
      (server) => server.fail({ path: /credentials/, times: 9, outcome: 429 }),
      "ERR_IMDS_STATUS",
      "imds.unavailable",
    ],
    "reset to the end": [
      (server) => server.fail({ path: /credentials/, times: 9, outcome: "reset" }),
      "ERR_IMDS_UNREACHABLE",
      "imds.unavailable",
    ],
    oversized: [
      (server) => server.set({ sessionToken: "A".repeat(100_000) }),
      "ERR_IMDS_TOO_LARGE",
      "imds.oversized_answer",
    ],
    malformed: [(server) => server.set({ sessionToken: "a b" }), "ERR_IMDS_MALFORMED", "imds.malformed_answer"],
    "no success": [
      (server) => server.set({ code: "AssumeRoleUnauthorizedAccess" }),
      "ERR_IMDS_CREDENTIALS_UNAVAILABLE",
      "imds.unavailable",
    ],
    "expired for six hours": [
      (server) => server.set({ expiresInMs: -6 * 3_600_000 - 1 }),
      "ERR_IMDS_CREDENTIALS_EXPIRED",
      "imds.unavailable",
    ],
    "document withheld": [
      (server) => server.set({ signDocument: undefined }),
      "ERR_IMDS_ATTESTATION_MISSING",
      "imds.attestation_failed",
    ],
    "document of another signer": [
      (server) => server.set({ signDocument: (text) => otherSigner.sign(text) }),
      "ERR_IMDS_ATTESTATION_INVALID",
      "imds.attestation_failed",
    ],
    "region without key": [
      (server) => server.set({ region: "xx-nowhere-1" }),
      "ERR_IMDS_ATTESTATION_REGION",
      "imds.attestation_failed",
    ],
    "other instance": [
      (server) => server.set({ instanceId: "i-0ffffffffffffffff" }),
      "ERR_IMDS_INSTANCE_MISMATCH",
      "imds.instance_mismatch",
    ],
    "other account of the key": [
      (server) => server.set({ accessKeyId: accessKeyIdFor(STRANGER) }),
      "ERR_IMDS_ACCOUNT_MISMATCH",
      "imds.account_mismatch",
    ],
  };
  test.each(Object.entries(failures))("%s", async (_, [prepare, code, event]) => {
    prepare(imds);
    const { guard, events } = rigOn(imds, { timeout: 500 });
    const error = await rejection(guard.credentials());
    expect(error).toMatchObject({ code });
    const told = events.filter((each) => each.code !== "imds.endpoint_override_accepted");
    expect(told.map((each) => each.code)).toEqual([event]);
    expect(told[0]).toMatchObject({
      message: (error as Error).message,
      endpoint: { address: "127.0.0.1", port: imds.endpoints[0]?.port },
      severity: CATALOGUE[event as GuardEvent["code"]].severity,
    });
    expect(told[0]?.advice).not.toBe("");
  });

  test.each([
    [{ expectedAccounts: [STRANGER] }, "credentials.account_unexpected"],
    [{ expectedRoles: ["other"] }, "credentials.role_unexpected"],
    [{ expectedRegions: ["us-east-1"] }, "credentials.role_unexpected"],
  ] as const)("%j", async (options, event) => {
    const { guard, codes } = rigOn(imds, options);
    await rejection(guard.credentials());
    expect(codes().at(-1)).toBe(event);
  });
});

describe("a finding", () => {
  const impersonate = (): void => imds.set({ account: STRANGER, accessKeyId: accessKeyIdFor(STRANGER) });
  const restore = (): void => imds.set({ account: ACCOUNT, accessKeyId: accessKeyIdFor(ACCOUNT) });

  test("ends what was held; nothing comes until the instance proves itself again", async () => {
    const { guard, codes, advance } = rigOn(imds);
    await guard.credentials();
    impersonate();
    expect(await rejection(guard.credentials({ forceRefresh: true }))).toMatchObject({
      code: "ERR_IMDS_IDENTITY_CHANGED",
      tryNextLink: false,
    });
    expect(codes().at(-1)).toBe("imds.identity_changed");
    expect(await rejection(guard.credentials())).toMatchObject({ code: "ERR_IMDS_IDENTITY_CHANGED" });
    imds.fail({ path: /./, times: 99, outcome: "reset" });
    // No outage carries the old credentials over a finding either.
    expect(await rejection(guard.credentials())).toMatchObject({ kind: "unavailable" });
    advance(7 * 60 * MINUTE);
    expect(await rejection(guard.credentials())).toMatchObject({ kind: "unavailable" });
  });

  test("of a renewal in the background is faced by the next call", async () => {
    const { guard, codes, advance } = rigOn(imds);
    await guard.credentials();
    advance(355 * MINUTE);
    impersonate();
    expect((await guard.credentials()).accessKeyId).toBe(accessKeyIdFor(ACCOUNT, "genuine"));
    await expect.poll(codes).toContain("imds.identity_changed");
    expect(await rejection(guard.credentials())).toMatchObject({ code: "ERR_IMDS_IDENTITY_CHANGED" });
    restore();
    expect((await guard.credentials()).accessKeyId).toBe(accessKeyIdFor(ACCOUNT));
  });

  const inEmptyEnvironment = async (act: () => Promise<void>): Promise<void> => {
    const before = { ...process.env };
    for (const name of Object.keys(process.env)) if (/^AWS_/.test(name)) delete process.env[name];
    process.env["HOME"] = "/nonexistent";
    try {
      await act();
    } finally {
      Object.assign(process.env, before);
    }
  };

  test("of a forced refresh ends what the chain remembers", () =>
    inEmptyEnvironment(async () => {
      const { guard } = rigOn(imds);
      const chain = fromNodeProviderChain({ guard });
      await chain();
      impersonate();
      expect(await rejection(chain({ forceRefresh: true }))).toMatchObject({
        name: "CredentialsProviderError",
        code: "ERR_IMDS_IDENTITY_CHANGED",
        tryNextLink: false,
      });
      expect(await rejection(chain())).toMatchObject({ code: "ERR_IMDS_IDENTITY_CHANGED" });
      restore();
      expect((await chain()).accessKeyId).toBe(accessKeyIdFor(ACCOUNT));
    }));

  test("at one provider ends what every other provider of the same guard remembers", () =>
    inEmptyEnvironment(async () => {
      const { guard } = rigOn(imds);
      const [first, second] = [fromNodeProviderChain({ guard }), fromNodeProviderChain({ guard })];
      await Promise.all([first(), second()]);
      impersonate();
      await rejection(guard.credentials({ forceRefresh: true }));
      expect(await rejection(first())).toMatchObject({ code: "ERR_IMDS_IDENTITY_CHANGED" });
      expect(await rejection(second())).toMatchObject({ code: "ERR_IMDS_IDENTITY_CHANGED" });
    }));

  test("about metadata ends them too", () =>
    inEmptyEnvironment(async () => {
      const { guard } = rigOn(imds);
      const chain = fromNodeProviderChain({ guard });
      await chain();
      imds.fail({ path: /ami-id/, times: 1, outcome: 302 });
      expect(await rejection(guard.metadata("/latest/meta-data/ami-id"))).toMatchObject({ code: "ERR_IMDS_REDIRECT" });
      imds.resetCounters();
      await chain();
      expect(imds.counters.byRequest["GET /latest/dynamic/instance-identity/rsa2048"]).toBe(1);
    }));

  test("stops the chain instead of asking the next link", () =>
    inEmptyEnvironment(async () => {
      impersonate();
      const { guard } = rigOn(imds, { expectedAccounts: [ACCOUNT] });
      const error = await rejection(fromNodeProviderChain({ guard })());
      expect(error).toMatchObject({
        name: "CredentialsProviderError",
        code: "ERR_IMDS_ACCOUNT_UNEXPECTED",
        tryNextLink: false,
        cause: { name: "ImdsImpersonationError" },
      });
    }));

  test("an outage is none: the chain goes on serving what it remembers", () =>
    inEmptyEnvironment(async () => {
      const { guard } = rigOn(imds);
      const chain = fromNodeProviderChain({ guard });
      const { accessKeyId } = await chain();
      imds.fail({ path: /./, times: 99, outcome: "reset" });
      await guard.credentials({ forceRefresh: true });
      expect((await chain()).accessKeyId).toBe(accessKeyId);
    }));
});

describe("whereAmI", () => {
  test("tells host and decision, and sends nothing", async () => {
    const { guard } = rigOn(imds);
    expect(await guard.whereAmI()).toMatchObject({
      host: { verdict: "ec2", rule: "nitro-dmi", instanceId: INSTANCE },
      decision: { kind: "contact", proof: "required" },
    });
    const off = rigOn({ url: "" }, { probe: "on" }, LAPTOP);
    expect(await off.guard.whereAmI()).toMatchObject({
      host: { verdict: "not-ec2" },
      decision: { kind: "refuse", code: "ERR_IMDS_NOT_EC2" },
    });
    const unknown = rigOn({ url: "" }, { expectedAccounts: [ACCOUNT] }, UNKNOWN);
    expect(await unknown.guard.whereAmI()).toMatchObject({
      host: { verdict: "unknown" },
      decision: { kind: "contact", proof: "required" },
    });
    expect(imds.counters.connections).toBe(0);
  });
});

describe("a closed guard", () => {
  const asks: Record<string, (guard: Guard) => Promise<unknown>> = {
    credentials: (guard) => guard.credentials(),
    verify: (guard) => guard.verify({ accessKeyId: "AKIAPROFILE000000001", secretAccessKey: "s" }, "test"),
    whereAmI: (guard) => guard.whereAmI(),
    region: (guard) => guard.region(),
    identity: (guard) => guard.identity(),
    metadata: (guard) => guard.metadata("/latest/meta-data/ami-id"),
  };
  test.each(Object.entries(asks))("refuses %s, used before or not, and however often it is closed", async (_, ask) => {
    const { guard } = rigOn(imds);
    await guard.credentials();
    await Promise.all([guard.close(), guard.close()]);
    imds.resetCounters();
    expect(await rejection(ask(guard))).toMatchObject({ code: "ERR_IMDS_GUARD_CLOSED", kind: "refused" });
    expect(guard.attestation()).toBeUndefined();
    const { guard: unused } = rigOn(imds);
    await unused.close();
    expect(await rejection(ask(unused))).toMatchObject({ code: "ERR_IMDS_GUARD_CLOSED" });
    expect(imds.counters.total).toBe(0);
  });

  test("does not begin what was asked before the closing", async () => {
    const { guard } = rigOn(imds);
    const asked = rejection(guard.credentials());
    await guard.close();
    expect(await asked).toMatchObject({ code: "ERR_IMDS_GUARD_CLOSED" });
    expect(imds.counters.total).toBe(0);
  });
});

describe("settings that cannot be honoured", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "imds-guard-settings-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("are an event and an error, and are read again by the next call", async () => {
    const env: Record<string, string> = { IMDS_GUARD_MODE: "alow" };
    const { guard, events, codes } = rigOn(imds, {}, NITRO, env);
    const error = await rejection(guard.credentials());
    expect(error).toMatchObject({ code: "ERR_IMDS_GUARD_SETTING", kind: "settings", tryNextLink: false });
    expect(events).toMatchObject([{ code: "settings.invalid", message: (error as Error).message }]);
    expect(imds.counters.total).toBe(0);
    const again = rigOn(imds, {}, NITRO, {});
    await again.guard.credentials();
    expect(codes()).toEqual(["settings.invalid"]);
  });

  test("the same guard goes on once they are right", async () => {
    const made = machine(NITRO, { AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.url });
    const env: Record<string, string | undefined> = { ...made.system.env, IMDS_GUARD_TIMEOUT: "soon" };
    const events: GuardEvent[] = [];
    const guard = createGuard(
      { log: "off", onEvent: (event) => events.push(event) },
      { system: { ...made.system, env } },
    );
    expect(await rejection(guard.credentials())).toMatchObject({ code: "ERR_IMDS_GUARD_SETTING" });
    delete env["IMDS_GUARD_TIMEOUT"];
    expect(await guard.credentials()).toMatchObject({ accessKeyId: accessKeyIdFor(ACCOUNT, "genuine") });
  });

  test("a config file that was repaired is read again", async () => {
    const file = join(folder, "config");
    writeFileSync(file, "no INI at all, ec2_metadata\n");
    const made = machine(NITRO, {
      AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.url,
      AWS_CONFIG_FILE: file,
      AWS_SHARED_CREDENTIALS_FILE: join(folder, "none"),
    });
    const { readFile } = (await import("../../src/base/system.js")).realSystem;
    const system = {
      ...made.system,
      readFile: (path: string, limit: number) =>
        path.startsWith(folder) ? readFile(path, limit) : made.system.readFile(path, limit),
    };
    const events: GuardEvent[] = [];
    const guard = createGuard({ log: "off", onEvent: (event) => events.push(event) }, { system });
    expect(await rejection(guard.credentials())).toMatchObject({
      code: "ERR_IMDS_GUARD_CONFIG_FILE",
      tryNextLink: false,
    });
    expect(events.map(({ code }) => code)).toEqual(["settings.file_unusable"]);
    expect(imds.counters.total).toBe(0);
    writeFileSync(file, "[default]\n");
    appendFileSync(file, `imds_guard_expected_accounts = ${STRANGER}\n`);
    expect(await rejection(guard.credentials())).toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNEXPECTED" });
  });

  test("a certificate that is none is an error where it is given in code", () => {
    expect(() => createGuard({ certificates: { [REGION]: "no PEM" } })).toThrow(
      expect.objectContaining({ code: "ERR_IMDS_GUARD_SETTING" }) as Error,
    );
  });

  test.each([
    [{ mode: "alow" }, /guard\.mode is "alow"; allowed: ec2-only, allow, deny/],
    [{ expectedAccount: ["1"] }, /did you mean expectedAccounts\?/],
    [{ timeout: 1 }, /guard\.timeout is 1; allowed: a whole number from 50/],
    [{ onEvent: "me" }, /guard\.onEvent/],
    [null, /guard is null/],
    [[], /guard is an array/],
  ])("%j in code is a TypeError", (options, message) => {
    expect(() => createGuard(options as never)).toThrow(
      expect.objectContaining({
        name: "TypeError",
        code: "ERR_INVALID_ARG_VALUE",
        message: expect.stringMatching(message) as string,
      }) as Error,
    );
  });
});

describe("an endpoint", () => {
  test("on this machine is asked without proof where the settings do not require it, and said so", async () => {
    const { guard, codes } = rigOn(imds, { attestation: "auto" });
    await guard.credentials();
    expect(guard.attestation()).toMatchObject({ level: "none" });
    expect(codes()).toEqual(["imds.endpoint_override_accepted", "imds.credentials_obtained"]);
    const pinned = rigOn(imds, { attestation: "auto", expectedAccounts: [STRANGER] });
    expect(await rejection(pinned.guard.credentials())).toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNEXPECTED" });
  });

  test("called localhost is the loopback address, and nobody is asked for it", async () => {
    const { guard } = rigOn({ url: imds.url.replace("127.0.0.1", "localhost") });
    expect(await guard.credentials()).toMatchObject({ accessKeyId: accessKeyIdFor(ACCOUNT, "genuine") });
  });

  test("elsewhere is refused without a packet", async () => {
    const { guard, codes } = rigOn({ url: "http://192.0.2.1" });
    expect(await rejection(guard.credentials())).toMatchObject({ code: "ERR_IMDS_ENDPOINT_OVERRIDE" });
    expect(codes()).toEqual(["imds.endpoint_override_refused"]);
  });
});

describe("the events file", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "imds-guard-events-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("receives every event as a line", async () => {
    const eventsFile = join(folder, "events.jsonl");
    const { guard, codes } = rigOn(imds, { eventsFile });
    await guard.credentials();
    await guard.close();
    const lines = readFileSync(eventsFile, "utf8")
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as GuardEvent).code);
    expect(lines).toEqual(codes());
  });

  test.each([
    ["ecs", (line: Record<string, Record<string, unknown>>) => line["imds_guard"]?.["code"]],
    ["ocsf", (line: Record<string, Record<string, unknown>>) => line["metadata"]?.["event_code"]],
  ] as const)("is written in %s where the setting says so", async (eventFormat, codeOf) => {
    const eventsFile = join(folder, `${eventFormat}.jsonl`);
    const { guard, codes } = rigOn(imds, { eventsFile, eventFormat });
    await guard.credentials();
    await guard.close();
    const lines = readFileSync(eventsFile, "utf8")
      .trim()
      .split("\n")
      .map((line) => codeOf(JSON.parse(line) as Record<string, Record<string, unknown>>));
    expect(lines).toEqual(codes());
  });

  test("that cannot be written stands in nobody's way, and is told to the other sinks", async () => {
    const { guard, codes } = rigOn(imds, { eventsFile: folder });
    expect((await guard.credentials()).accessKeyId).toBe(accessKeyIdFor(ACCOUNT, "genuine"));
    expect(codes().filter((code) => code === "events.file_failing")).toHaveLength(1);
  });
});

describe("verify", () => {
  test("passes credentials through unchanged where no account is expected", async () => {
    const { guard } = rigOn(imds);
    const credentials = { accessKeyId: "AKIAPROFILE000000001", secretAccessKey: "s" };
    expect(await guard.verify(credentials, "test")).toBe(credentials);
  });

  test.each([
    [accessKeyIdFor(STRANGER), "ERR_IMDS_ACCOUNT_UNEXPECTED", "credentials.account_unexpected"],
    ["AKIAJ3EXAMPLEOLDKEY7", "ERR_IMDS_ACCOUNT_UNKNOWN", "credentials.account_unknown"],
  ])("refuses %s", async (accessKeyId, code, event) => {
    const { guard, codes } = rigOn(imds, { expectedAccounts: [ACCOUNT] });
    expect(await rejection(guard.verify({ accessKeyId, secretAccessKey: "s" }, "the environment"))).toMatchObject({
      code,
      message: expect.stringContaining("the environment") as string,
    });
    expect(codes()).toEqual([event]);
    expect(imds.counters.total).toBe(0);
  });
});
