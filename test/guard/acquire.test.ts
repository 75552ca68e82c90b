/** One acquisition after another against a loopback IMDS: what is proved, what contradicts, and what is remembered. */
import { afterEach, describe, expect, test } from "vitest";
import type { Acquirer } from "../../src/guard/acquire.js";
import { createAcquirer } from "../../src/guard/acquire.js";
import { createKeyRing } from "../../src/attest/key-ring.js";
import { parseTrustedKeys } from "../../src/attest/trusted-keys.js";
import type { Proof } from "../../src/guard/decide.js";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { createReporter } from "../../src/events/reporter.js";
import { detectHost } from "../../src/host/detect.js";
import { createSession } from "../../src/imds/session.js";
import type { GuardOptions, Settings } from "../../src/settings/options.js";
import { resolveSettings } from "../../src/settings/resolve.js";
import {
  ACCOUNT,
  INSTANCE,
  LAPTOP,
  machine,
  NITRO,
  REGION,
  rejection,
  signer,
  startSigningImds,
  STRANGER,
  UNKNOWN,
  XEN,
} from "./guarded-host.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { createSigner } from "../support/identity-signer.mjs";
import type { ImdsIdentity, ImdsServer } from "../support/imds-server.mjs";
import { identityDocument } from "../support/imds-server.mjs";

/** From before 2019: tells no account. */
const OLD_KEY = "ASIAJ3EXAMPLEOLDKEY7";

let imds: ImdsServer | undefined;
afterEach(() => imds?.close());

interface Bench {
  readonly imds: ImdsServer;
  readonly acquirer: Acquirer;
  readonly events: GuardEvent[];
  readonly codes: () => string[];
  readonly advance: (ms: number) => void;
}

interface Given {
  readonly identity?: Partial<ImdsIdentity>;
  readonly files?: Readonly<Record<string, string>>;
  readonly proof?: Proof;
  readonly options?: GuardOptions;
  readonly keys?: Readonly<Record<string, string>>;
  readonly spentMs?: number;
}

async function bench({
  identity,
  files = NITRO,
  proof = "required",
  options = {},
  keys = { [REGION]: signer.publicKeyPem },
  spentMs = 0,
}: Given = {}): Promise<Bench> {
  const server = (imds = await startSigningImds(identity));
  const { system, advance } = machine(files);
  const events: GuardEvent[] = [];
  const endpoint = server.endpoints[0] as { host: string; port: number };
  const settings: Settings = (await resolveSettings({ timeout: 1_500, ...options }, system)).settings;
  const acquirer = createAcquirer({
    spentMs,
    openSession: () =>
      createSession({ pin: { addresses: [endpoint.host], port: endpoint.port }, system, maxRetries: 0 }),
    proof,
    host: await detectHost(system),
    settings,
    keyRing: createKeyRing(
      new Map(Object.entries(keys).map(([region, pem]) => [region, parseTrustedKeys(region, pem)])),
    ),
    reporter: createReporter({ system, sinks: [{ write: (event) => void events.push(event) }] }),
    system,
  });
  return { imds: server, acquirer, advance, events, codes: () => events.map(({ code }) => code) };
}

describe("what is proved", () => {
  test("Nitro: document, host and key name the same instance and account", async () => {
    const { acquirer, codes, events } = await bench();
    const { accessKeyId, roleName, attestation } = await acquirer.acquire();
    expect(accessKeyId).toBe(accessKeyIdFor(ACCOUNT, "genuine"));
    expect(roleName).toBe("app-server");
    expect(attestation).toMatchObject({
      level: "bound",
      document: { accountId: ACCOUNT, instanceId: INSTANCE, region: REGION },
      unbound: [],
    });
    expect(attestation.bound).toEqual(
      expect.arrayContaining(["instance", "account", "instance-profile-arn", "instance-profile-id"]),
    );
    expect(codes()).toEqual(["imds.attested", "imds.credentials_obtained"]);
    expect(events[1]?.claimed).toMatchObject({
      roleName: "app-server",
      accountId: ACCOUNT,
      accessKeyId: expect.stringMatching(/^ASIA\*{12}.{4}$/) as string,
    });
  });

  test("the proof is asked for beside the role listing, and once", async () => {
    const { imds: server, acquirer } = await bench();
    await acquirer.acquire();
    expect(server.counters.byRequest).toEqual({
      "PUT /latest/api/token": 1,
      "GET /latest/meta-data/iam/security-credentials/": 1,
      "GET /latest/meta-data/iam/info": 1,
      "GET /latest/dynamic/instance-identity/rsa2048": 1,
      "GET /latest/meta-data/iam/security-credentials/app-server": 1,
    });
    server.resetCounters();
    await acquirer.acquire();
    expect(server.counters.byRequest).toEqual({ "GET /latest/meta-data/iam/security-credentials/app-server": 1 });
  });

  test("Xen has no asset tag: signed, and it says why no more", async () => {
    const { acquirer } = await bench({ files: XEN });
    const { attestation } = await acquirer.acquire();
    expect(attestation.level).toBe("signed");
    expect(attestation.unbound).toEqual([{ what: "instance", why: "Xen instances have no board asset tag" }]);
  });

  test("off EC2, where IMDS was allowed, the host has no instance id", async () => {
    const { acquirer } = await bench({ files: LAPTOP });
    expect((await acquirer.acquire()).attestation).toMatchObject({
      level: "signed",
      unbound: [{ what: "instance", why: "this host does not tell its instance id" }],
    });
  });

  test("without proof nothing of it is asked for", async () => {
    const { imds: server, acquirer, codes } = await bench({ proof: "none" });
    expect((await acquirer.acquire()).attestation.level).toBe("none");
    expect(server.counters.total).toBe(3);
    expect(codes()).toEqual(["imds.credentials_obtained"]);
  });

  test("without proof nothing of it is asked for after a finding, either, and no region is expected", async () => {
    const options = { expectedRegions: [REGION] };
    const { imds: server, acquirer } = await bench({ proof: "none", options });
    server.set({ secretAccessKey: "white space is in no key" });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_MALFORMED" });
    server.set({ secretAccessKey: "clean" });
    const { attestation } = await acquirer.acquire();
    expect(attestation.unbound.map(({ what }) => what)).not.toContain("expected-region");
    server.set({ roleName: "new-role" });
    expect((await acquirer.acquire()).roleName).toBe("new-role");
    expect(Object.keys(server.counters.byRequest).filter((asked) => asked.includes("identity"))).toEqual([]);
  });

  test("whoever is asked for something else proves itself first, and once", async () => {
    const { imds: server, acquirer, codes, events } = await bench();
    expect(await acquirer.identify()).toMatchObject({
      level: "signed",
      document: { accountId: ACCOUNT, instanceId: INSTANCE },
    });
    expect((await acquirer.fetch("/latest/meta-data/instance-id")).toString()).toBe(INSTANCE);
    expect(await acquirer.token()).toMatch(/./);
    expect(server.counters.byRequest["GET /latest/dynamic/instance-identity/rsa2048"]).toBe(1);
    expect(codes()).toEqual(["imds.attested"]);
    expect(events[0]).toMatchObject({
      endpoint: { address: "127.0.0.1" },
      claimed: { accountId: ACCOUNT, instanceId: INSTANCE, region: REGION },
      evidence: [{ source: "account", says: "no access key was compared" }],
    });
  });

  test("an impostor is asked for nothing else, and no more after it", async () => {
    const { imds: server, acquirer } = await bench({ identity: { signDocument: (text) => otherSigner.sign(text) } });
    for (const ask of [
      () => acquirer.identify(),
      () => acquirer.fetch("/latest/meta-data/ami-id"),
      () => acquirer.token(),
    ])
      expect(await rejection(ask())).toMatchObject({ code: "ERR_IMDS_ATTESTATION_INVALID" });
    expect(server.counters.byRequest["GET /latest/meta-data/ami-id"]).toBeUndefined();
    expect(server.counters.byRequest["GET /latest/dynamic/instance-identity/rsa2048"]).toBe(3);
  });

  test("a role of the settings is asked for at once, and needs no listing", async () => {
    const { imds: server, acquirer } = await bench({ options: { ec2InstanceProfileName: "app-server" } });
    expect((await acquirer.acquire()).attestation.bound).toContain("requested-role");
    expect(server.counters.byRequest["GET /latest/meta-data/iam/security-credentials/"]).toBeUndefined();
    const other = await bench({ options: { ec2InstanceProfileName: "other" } });
    expect(await rejection(other.acquirer.acquire())).toMatchObject({
      code: "ERR_IMDS_NOT_FOUND",
      advice: expect.stringContaining("AWS_EC2_INSTANCE_PROFILE_NAME") as string,
    });
  });
});

describe("a key that IMDS would not give", () => {
  const strange: Record<string, readonly [accessKeyId: string, code: string]> = {
    "of the old format": [OLD_KEY, "ERR_IMDS_ACCOUNT_UNKNOWN"],
    "that stands for no account": ["ASIA77777777777777777".slice(0, 20), "ERR_IMDS_ACCOUNT_UNKNOWN"],
    "with letters that are none of base32": ["ASIARTX3GSDSY43XP401", "ERR_IMDS_ACCOUNT_UNKNOWN"],
    "of 21 characters": [`${accessKeyIdFor(ACCOUNT)}A`, "ERR_IMDS_MALFORMED"],
    "with a letter before it": [`A${accessKeyIdFor(ACCOUNT)}`, "ERR_IMDS_MALFORMED"],
    "of 19 characters": [accessKeyIdFor(ACCOUNT).slice(0, 19), "ERR_IMDS_MALFORMED"],
    "that is no temporary one": [accessKeyIdFor(ACCOUNT, "0", "AKIA"), "ERR_IMDS_MALFORMED"],
  };
  const proofs = ["required", "unless-unknown-region"] as const;

  test.each(
    proofs.flatMap((proof) => Object.entries(strange).map(([name, given]) => [name, proof, ...given] as const)),
  )("%s does not pass with proof %s", async (_, proof, accessKeyId, code) => {
    const { acquirer, codes } = await bench({ identity: { accessKeyId }, proof });
    const evidence = [{ source: "AccessKeyId", says: "the access key from IMDS" }];
    const advice = expect.stringMatching(/^IMDS gives a new key of the role every few hours\./) as string;
    expect(await rejection(acquirer.acquire())).toMatchObject({ code, tryNextLink: false, evidence, advice });
    expect(codes()).not.toContain("imds.credentials_obtained");
    imds?.set({ accessKeyId: accessKeyIdFor(ACCOUNT) });
    expect((await acquirer.acquire()).attestation.level).toBe("bound");
  });

  test.each(Object.entries(strange))("%s passes where nothing is proved", async (_, [accessKeyId]) => {
    const { acquirer } = await bench({ identity: { accessKeyId }, proof: "none" });
    expect((await acquirer.acquire()).accessKeyId).toBe(accessKeyId);
  });

  test("is not excused by a region without a known key", async () => {
    const { acquirer } = await bench({
      identity: { accessKeyId: OLD_KEY, region: "cn-nowhere-1" },
      proof: "unless-unknown-region",
      options: { expectedRegions: ["cn-nowhere-1"] },
    });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNKNOWN" });
  });

  test("is refused where accounts are expected, whatever is unknown may pass", async () => {
    const options = { expectedAccounts: [ACCOUNT], onUnknownAccount: "allow" } as const;
    const { acquirer } = await bench({ identity: { accessKeyId: OLD_KEY }, options });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNKNOWN" });
  });

  describe("in another partition", () => {
    const region = "cn-north-1";
    const keys = { [region]: signer.publicKeyPem };

    test("is signed, with an event, as long as it is a temporary one", async () => {
      const {
        acquirer,
        codes,
        events,
        imds: server,
      } = await bench({
        identity: { accessKeyId: OLD_KEY, region },
        keys,
      });
      expect((await acquirer.acquire()).attestation).toMatchObject({ level: "signed", unbound: [{ what: "account" }] });
      await acquirer.acquire();
      expect(codes()).toEqual([
        "imds.attested",
        "imds.account_not_told",
        "imds.credentials_obtained",
        "imds.credentials_obtained",
      ]);
      expect(events[1]).toMatchObject({
        message: `The access key tells no account, which is not known to be otherwise in ${region}; the signed document stands alone`,
        claimed: { accountId: ACCOUNT, instanceId: INSTANCE, region },
        evidence: [{ source: "AccessKeyId", says: expect.stringMatching(/./) as string }],
        advice: expect.stringContaining("verifyWithSts") as string,
      });
      server.set({ accessKeyId: accessKeyIdFor(ACCOUNT, "0", "AKIA") });
      expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_MALFORMED" });
    });

    test("is refused where accounts are expected, unless unknown ones may pass", async () => {
      const identity = { accessKeyId: OLD_KEY, region };
      const refused = await bench({ identity, keys, options: { expectedAccounts: [ACCOUNT] } });
      expect(await rejection(refused.acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNKNOWN" });
      const options = { expectedAccounts: [ACCOUNT], onUnknownAccount: "allow" } as const;
      const allowed = await bench({ identity, keys, options });
      expect((await allowed.acquirer.acquire()).attestation.level).toBe("signed");
      const stranger = await bench({ identity, keys, options: { ...options, expectedAccounts: [STRANGER] } });
      expect(await rejection(stranger.acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNEXPECTED" });
    });

    test("that tells an account is held against the document", async () => {
      const { acquirer, codes } = await bench({ identity: { region, accessKeyId: accessKeyIdFor(ACCOUNT) }, keys });
      expect((await acquirer.acquire()).attestation.level).toBe("bound");
      expect(codes()).not.toContain("imds.account_not_told");
      imds?.set({ accessKeyId: accessKeyIdFor(STRANGER) });
      expect(await rejection(acquirer.acquire())).toMatchObject({ kind: "impersonation" });
    });
  });
});

describe("where the host does not tell its instance", () => {
  const other = { account: STRANGER, instanceId: "i-0ffffffffffffffff" };

  test("a second document is refused, though the first came with a key of another account", async () => {
    const { acquirer, imds: server } = await bench({
      files: XEN,
      identity: { ...other, accessKeyId: accessKeyIdFor(ACCOUNT) },
    });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_ACCOUNT_MISMATCH" });
    server.set({ account: ACCOUNT, instanceId: INSTANCE });
    const error = await rejection(acquirer.acquire());
    expect(error).toMatchObject({ code: "ERR_IMDS_IDENTITY_CHANGED", tryNextLink: false });
    expect((error as { advice: string }).advice).toContain("expectedAccounts");
    expect((error as { evidence: unknown[] }).evidence).toEqual(
      [`${STRANGER} ${other.instanceId}`, `${ACCOUNT} ${INSTANCE}`].map((value) => ({
        source: "IMDS",
        value,
        says: "a signed document is of this account and instance",
      })),
    );
    // A third one is not even kept.
    server.set({ instanceId: "i-0eeeeeeeeeeeeeeee" });
    expect((await rejection(acquirer.acquire())) as object).toHaveProperty("evidence.length", 2);
    // Neither is believed any more: nothing tells which of the two is this host.
    server.set({ ...other, accessKeyId: accessKeyIdFor(STRANGER) });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_IDENTITY_CHANGED" });
  });

  test("a host that tells its instance needs no such doubt", async () => {
    const { acquirer, imds: server } = await bench({ identity: other });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_INSTANCE_MISMATCH" });
    server.set({ account: ACCOUNT, instanceId: INSTANCE, accessKeyId: accessKeyIdFor(ACCOUNT) });
    expect((await acquirer.acquire()).attestation.level).toBe("bound");
  });

  test("the first pins nothing: with expected accounts the genuine one still passes", async () => {
    const { acquirer, imds: server } = await bench({
      files: XEN,
      identity: { ...other, accessKeyId: accessKeyIdFor(ACCOUNT) },
      options: { expectedAccounts: [ACCOUNT] },
    });
    expect(await rejection(acquirer.acquire())).toMatchObject({ kind: "impersonation" });
    server.set({ account: ACCOUNT, instanceId: INSTANCE });
    expect((await acquirer.acquire()).attestation.level).toBe("signed");
  });

  test("the same document with the right key passes", async () => {
    const { acquirer, imds: server } = await bench({ files: XEN, identity: { accessKeyId: accessKeyIdFor(STRANGER) } });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_ACCOUNT_MISMATCH" });
    server.set({ accessKeyId: accessKeyIdFor(ACCOUNT) });
    expect((await acquirer.acquire()).attestation.level).toBe("signed");
  });

  test("after a success another document is refused, and the first is not", async () => {
    const { acquirer, imds: server } = await bench({ files: XEN });
    await acquirer.acquire();
    server.set({ ...other, roleName: "other", accessKeyId: accessKeyIdFor(STRANGER) });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_IDENTITY_CHANGED" });
    server.set({ account: ACCOUNT, instanceId: INSTANCE, accessKeyId: accessKeyIdFor(ACCOUNT) });
    expect((await acquirer.acquire()).attestation.level).toBe("signed");
  });
});

describe("a key of another expected account", () => {
  const options = { expectedAccounts: [ACCOUNT, STRANGER] };

  test("passes beside the proved document of an expected one, and back", async () => {
    const { acquirer, imds: server } = await bench({ identity: { accessKeyId: accessKeyIdFor(STRANGER) }, options });
    expect((await acquirer.acquire()).attestation).toMatchObject({
      level: "signed",
      unbound: [{ what: "account", why: expect.stringContaining(STRANGER) as string }],
    });
    server.set({ accessKeyId: accessKeyIdFor(ACCOUNT) });
    expect((await acquirer.acquire()).attestation.level).toBe("bound");
    server.set({ accessKeyId: accessKeyIdFor(STRANGER) });
    expect((await acquirer.acquire()).attestation.level).toBe("signed");
  });

  test.each([
    ["the account of the document is not expected", { expectedAccounts: [STRANGER] }],
    ["the account of the key is not expected", { expectedAccounts: [ACCOUNT] }],
    ["no account is expected", {}],
  ])("does not pass where %s", async (_, given) => {
    const { acquirer } = await bench({ identity: { accessKeyId: accessKeyIdFor(STRANGER) }, options: given });
    expect(await rejection(acquirer.acquire())).toMatchObject({ kind: "impersonation" });
  });

  test("an instance does not change between expected accounts", async () => {
    const { acquirer, imds: server } = await bench({ files: XEN, options });
    await acquirer.acquire();
    server.set({ account: STRANGER, roleName: "other", accessKeyId: accessKeyIdFor(STRANGER) });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_IDENTITY_CHANGED" });
  });
});

const otherSigner = createSigner();
const documentOf = (fields: Partial<{ account: string; instanceId: string; region: string }>): string =>
  identityDocument({ account: ACCOUNT, instanceId: INSTANCE, region: REGION, ...fields });

describe("contradictions are findings, and stop the chain", () => {
  const cases: Record<string, Given & { readonly code: string }> = {
    "the key is of another account than the document": {
      identity: { accessKeyId: accessKeyIdFor(STRANGER) },
      code: "ERR_IMDS_ACCOUNT_MISMATCH",
    },
    "the document is of another instance": {
      identity: { document: documentOf({ instanceId: "i-0ffffffffffffffff" }) },
      code: "ERR_IMDS_INSTANCE_MISMATCH",
    },
    "document and key are of another account than expected": {
      options: { expectedAccounts: [STRANGER] },
      code: "ERR_IMDS_ACCOUNT_UNEXPECTED",
    },
    "the key is of another account than expected, without proof": {
      proof: "none",
      options: { expectedAccounts: [STRANGER] },
      code: "ERR_IMDS_ACCOUNT_UNEXPECTED",
    },
    "the role is not expected": { options: { expectedRoles: ["other"] }, code: "ERR_IMDS_ROLE_UNEXPECTED" },
    "the region is not expected": { options: { expectedRegions: ["us-east-1"] }, code: "ERR_IMDS_REGION_UNEXPECTED" },
    "another key signed": {
      identity: { signDocument: (text) => otherSigner.sign(text) },
      code: "ERR_IMDS_ATTESTATION_INVALID",
    },
    "the key of another region signed": {
      identity: { document: documentOf({ region: "eu-west-1" }) },
      code: "ERR_IMDS_ATTESTATION_INVALID",
    },
    "the document is not signed at all": {
      identity: { signDocument: (text) => Buffer.from(text).toString("base64") },
      code: "ERR_IMDS_ATTESTATION_INVALID",
    },
    "the region has no key and proof is required": {
      identity: { region: "xx-nowhere-1" },
      code: "ERR_IMDS_ATTESTATION_REGION",
    },
    "there is no signed document (404)": {
      identity: { signDocument: undefined },
      code: "ERR_IMDS_ATTESTATION_MISSING",
    },
    "the role has a name of another form": { identity: { roleName: "a b" }, code: "ERR_IMDS_MALFORMED" },
    "the key id has another form": { identity: { accessKeyId: "no key id" }, code: "ERR_IMDS_MALFORMED" },
    "the credentials end too late": { identity: { expiresInMs: 25 * 3_600_000 }, code: "ERR_IMDS_MALFORMED" },
  };
  test.each(Object.entries(cases))("%s", async (_, { code, ...given }) => {
    const { acquirer, codes } = await bench(given);
    const error = await rejection(acquirer.acquire());
    expect(error).toMatchObject({ code, tryNextLink: false, advice: expect.stringMatching(/./) as string });
    expect((error as { evidence: unknown[] }).evidence).not.toHaveLength(0);
    expect(codes()).not.toContain("imds.credentials_obtained");
  });

  test("the signed document is forbidden (403), while the rest is served", async () => {
    const { imds: server, acquirer } = await bench();
    server.fail({ path: /rsa2048/, times: 9, outcome: 403 });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_ATTESTATION_MISSING" });
  });

  test.each([
    ["AccountId", { "iam/security-credentials/app-server": { AccountId: STRANGER } }, "ERR_IMDS_ACCOUNT_MISMATCH"],
    [
      "InstanceProfileArn",
      { "iam/info": { InstanceProfileArn: `arn:aws:iam::${STRANGER}:instance-profile/x` } },
      "ERR_IMDS_ACCOUNT_MISMATCH",
    ],
    [
      "InstanceProfileId",
      { "iam/info": { InstanceProfileId: `${accessKeyIdFor(STRANGER).replace("ASIA", "AIPA")}A` } },
      "ERR_IMDS_ACCOUNT_MISMATCH",
    ],
  ] as const)("%s lies", async (_, lies, code) => {
    const { acquirer } = await bench();
    const liar = await lyingProxy(imds as ImdsServer, lies);
    const { system } = machine();
    const through = createAcquirer({
      ...(await optionsOf(system)),
      openSession: () => createSession({ pin: { addresses: ["127.0.0.1"], port: liar.port }, system, maxRetries: 0 }),
    });
    expect(await rejection(through.acquire())).toMatchObject({ code });
    expect((await acquirer.acquire()).attestation.level).toBe("bound");
    liar.close();
  });
});

describe("an outage is no finding", () => {
  test("and does not make a responder prove itself again", async () => {
    const { imds: server, acquirer } = await bench();
    await acquirer.acquire();
    server.fail({ path: /app-server/, times: 1, outcome: 500 });
    expect(await rejection(acquirer.acquire())).toMatchObject({ kind: "unavailable" });
    server.resetCounters();
    await acquirer.acquire();
    expect(server.counters.byRequest).toEqual({ "GET /latest/meta-data/iam/security-credentials/app-server": 1 });
  });

  test("a service that is off", async () => {
    const { acquirer } = await bench({ identity: { httpEndpoint: "disabled" } });
    expect(await rejection(acquirer.acquire())).toMatchObject({
      code: "ERR_IMDS_FORBIDDEN",
      kind: "unavailable",
      tryNextLink: true,
    });
    const named = await bench({
      identity: { httpEndpoint: "disabled" },
      options: { ec2InstanceProfileName: "app-server" },
    });
    expect(await rejection(named.acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_FORBIDDEN" });
  });

  test("no role, though the instance proves itself", async () => {
    const { acquirer } = await bench({ identity: { roleName: undefined } });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_NO_ROLE", tryNextLink: true });
  });

  test("a signed document that never comes is no credential", async () => {
    const { imds: server, acquirer } = await bench({ options: { timeout: 200 } });
    server.fail({ path: /rsa2048/, times: 1, outcome: "hang" });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_TIMEOUT", kind: "unavailable" });
    expect((await acquirer.acquire()).attestation.level).toBe("bound");
  });

  test("iam/info that fails is only one check less", async () => {
    const { imds: server, acquirer } = await bench();
    server.fail({ path: /iam\/info/, times: 1, outcome: 500 });
    expect((await acquirer.acquire()).attestation).toMatchObject({ level: "bound", bound: ["instance", "account"] });
  });

  test("of two failures the finding is told", async () => {
    const { imds: server, acquirer } = await bench({ identity: { signDocument: () => "garbage" } });
    server.fail({ path: /security-credentials\/$/, times: 1, outcome: 500 });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_ATTESTATION_INVALID" });
  });
});

describe("silence on a host that could not be told", () => {
  const options = { expectedAccounts: [ACCOUNT], timeout: 300 };
  const silent = { path: /./, times: 99, outcome: "hang" } as const;

  test("is remembered for all that is asked, and not past its time", async () => {
    const { imds: server, acquirer, advance } = await bench({ files: UNKNOWN, options });
    server.fail(silent);
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_TOKEN_TIMEOUT" });
    server.calm();
    server.resetCounters();
    const error = await rejection(acquirer.acquire());
    expect(error).toMatchObject({ code: "ERR_IMDS_TOKEN_TIMEOUT", kind: "unavailable", tryNextLink: true });
    expect(error).toMatchObject({ advice: expect.stringMatching(/forceRefresh.*silenceMs/) as string });
    expect((error as { advice: string }).advice).not.toMatch(/hop/);
    for (const ask of [
      () => acquirer.identify(),
      () => acquirer.fetch("/latest/meta-data/ami-id"),
      () => acquirer.token(),
    ])
      expect(await rejection(ask())).toMatchObject({ code: "ERR_IMDS_TOKEN_TIMEOUT" });
    advance(59_000);
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_TOKEN_TIMEOUT" });
    expect(server.counters.connections).toBe(0);
    advance(1_001);
    expect((await acquirer.acquire()).attestation.level).toBe("signed");
  });

  test("is asked anew where that is forced, and then forgotten", async () => {
    const { imds: server, acquirer } = await bench({ files: UNKNOWN, options });
    server.fail(silent);
    await rejection(acquirer.acquire());
    server.calm();
    expect((await acquirer.acquire(true)).attestation.level).toBe("signed");
    server.fail(silent);
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_TIMEOUT" });
    server.calm();
    // Somebody has proved to be there: an outage is one, and nothing to be remembered.
    expect((await acquirer.acquire()).roleName).toBe("app-server");
  });

  test.each([
    ["with silenceMs 0", { files: UNKNOWN, options: { ...options, silenceMs: 0 } }],
    ["where the host is EC2", { options }],
  ])("is not remembered %s", async (_, given) => {
    const { imds: server, acquirer } = await bench(given);
    server.fail(silent);
    await rejection(acquirer.acquire());
    server.calm();
    expect((await acquirer.acquire()).roleName).toBe("app-server");
  });

  test("an answer is no silence", async () => {
    const { imds: server, acquirer } = await bench({ files: UNKNOWN, options });
    server.fail({ path: /token/, times: 1, outcome: 403 });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_FORBIDDEN" });
    expect((await acquirer.acquire()).roleName).toBe("app-server");
  });
});

describe("credentials past their end", () => {
  test.each([
    ["bound", NITRO],
    ["signed", XEN],
  ] as const)("are given where the service is %s, with the word for it", async (level, files) => {
    const { acquirer, codes } = await bench({ files, identity: { expiresInMs: -60_000 } });
    expect(await acquirer.acquire()).toMatchObject({
      attestation: { level },
      overdue: { code: "ERR_IMDS_CREDENTIALS_EXPIRED" },
    });
    expect(codes()).toEqual(["imds.attested"]);
  });

  test("are refused six hours later, whoever has proved to be there", async () => {
    const HOUR = 3_600_000;
    const { acquirer, imds: server } = await bench({ identity: { expiresInMs: -6 * HOUR - 1 } });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_CREDENTIALS_EXPIRED" });
    server.set({ expiresInMs: -5.9 * HOUR });
    expect(await acquirer.acquire()).toHaveProperty("overdue");
  });

  test("are refused where nothing was proved", async () => {
    const { acquirer } = await bench({ proof: "none", identity: { expiresInMs: -60_000 } });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_CREDENTIALS_EXPIRED" });
  });

  test("of another account are a finding like any", async () => {
    const identity = { expiresInMs: -60_000, accessKeyId: accessKeyIdFor(STRANGER) };
    const { acquirer } = await bench({ identity });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_ACCOUNT_MISMATCH" });
  });
});

describe("a region without a known key, where the host itself is EC2", () => {
  const region = "xx-nowhere-1";
  const given = { identity: { region }, proof: "unless-unknown-region", keys: {} } as const;

  test("passes with a warning where something else vouches for it, and proves nothing", async () => {
    const { acquirer, codes } = await bench({ ...given, options: { expectedAccounts: [ACCOUNT] } });
    expect((await acquirer.acquire()).attestation).toMatchObject({ level: "none" });
    expect((await acquirer.acquire()).attestation.document).toBeUndefined();
    expect(codes()).toEqual(["imds.attestation_unavailable", "imds.credentials_obtained", "imds.credentials_obtained"]);
  });

  test("is refused where nothing does", async () => {
    const { acquirer } = await bench(given);
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_ATTESTATION_REGION" });
  });

  test.each([
    ["instance", { document: documentOf({ region, instanceId: "i-0ffffffffffffffff" }) }, "ERR_IMDS_INSTANCE_MISMATCH"],
    ["account", { document: documentOf({ region, account: STRANGER }) }, "ERR_IMDS_ACCOUNT_MISMATCH"],
  ] as const)("is refused where the unproved document contradicts the %s", async (_, identity, code) => {
    const { acquirer } = await bench({ ...given, identity, options: { expectedAccounts: [ACCOUNT] } });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code });
  });

  test("does not excuse content swapped under a signature", async () => {
    const swapped = (text: string): string =>
      Buffer.from(
        Buffer.from(signer.sign(text), "base64").toString("latin1").replace(ACCOUNT, STRANGER),
        "latin1",
      ).toString("base64");
    const { acquirer } = await bench({
      ...given,
      identity: { region, signDocument: swapped },
      options: { expectedRegions: [region] },
    });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_ATTESTATION_INVALID" });
  });
});

describe("over the life of the process", () => {
  test("another role: a notice, and the responder proves itself again", async () => {
    const { imds: server, acquirer, codes, events } = await bench();
    await acquirer.acquire();
    server.set({ roleName: "new-role" });
    server.resetCounters();
    expect((await acquirer.acquire()).roleName).toBe("new-role");
    expect(server.counters.byRequest["GET /latest/dynamic/instance-identity/rsa2048"]).toBe(1);
    expect(codes()).toEqual([
      "imds.attested",
      "imds.credentials_obtained",
      "imds.attested",
      "imds.role_changed",
      "imds.credentials_obtained",
    ]);
    expect(events[3]).toMatchObject({
      claimed: { roleName: "new-role" },
      evidence: [{ source: "role listing", value: "app-server -> new-role", says: "another role is attached now" }],
    });
  });

  test("another role whose proof cannot be had at first is not taken on the old proof later", async () => {
    const { imds: server, acquirer } = await bench();
    await acquirer.acquire();
    server.set({ roleName: "new-role", signDocument: (text) => otherSigner.sign(text) });
    server.fail({ path: /rsa2048/, times: 1, outcome: 500 });
    expect(await rejection(acquirer.acquire())).toMatchObject({ kind: "unavailable" });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_ATTESTATION_INVALID" });
  });

  test("a role that was taken away and one that came later", async () => {
    const { imds: server, acquirer, codes } = await bench();
    await acquirer.acquire();
    server.set({ roleName: undefined });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_NO_ROLE" });
    server.set({ roleName: "new-role" });
    server.resetCounters();
    await acquirer.acquire();
    expect(server.counters.byRequest["GET /latest/dynamic/instance-identity/rsa2048"]).toBe(1);
    expect(codes()).toContain("imds.role_changed");
  });

  test("another account: a finding, and nothing until the first one proves itself again", async () => {
    const { imds: server, acquirer } = await bench();
    await acquirer.acquire();
    server.set({ account: STRANGER, accessKeyId: accessKeyIdFor(STRANGER) });
    for (let time = 0; time < 3; time += 1)
      expect(await rejection(acquirer.acquire())).toMatchObject({
        code: "ERR_IMDS_IDENTITY_CHANGED",
        tryNextLink: false,
        message: expect.stringContaining(
          `The accountId behind IMDS changed from ${ACCOUNT} to ${STRANGER} during the life of this process`,
        ) as string,
        evidence: [{ source: "IMDS", value: STRANGER, says: `earlier answers were of accountId ${ACCOUNT}` }],
        advice: expect.stringMatching(/^An instance keeps both for life\./) as string,
      });
    server.set({ account: ACCOUNT, accessKeyId: accessKeyIdFor(ACCOUNT) });
    server.resetCounters();
    expect((await acquirer.acquire()).attestation.level).toBe("bound");
    expect(server.counters.byRequest).toMatchObject({
      "PUT /latest/api/token": 1,
      "GET /latest/dynamic/instance-identity/rsa2048": 1,
    });
  });

  test("another account is noticed without proof, too", async () => {
    const { imds: server, acquirer } = await bench({ proof: "none" });
    await acquirer.acquire();
    server.set({ accessKeyId: accessKeyIdFor(STRANGER) });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_IDENTITY_CHANGED" });
  });

  test("another instance, seen by a responder that has to prove itself again", async () => {
    const { imds: server, acquirer } = await bench({ files: XEN });
    await acquirer.acquire();
    server.set({ roleName: "new-role", instanceId: "i-0ffffffffffffffff" });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_IDENTITY_CHANGED" });
  });

  test("an answer that no genuine service gives makes the responder prove itself again", async () => {
    const { imds: server, acquirer } = await bench();
    await acquirer.acquire();
    server.set({ secretAccessKey: "white space is in no key" });
    expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_MALFORMED" });
    server.set({ secretAccessKey: "clean" });
    server.resetCounters();
    await acquirer.acquire();
    expect(server.counters.byRequest["GET /latest/dynamic/instance-identity/rsa2048"]).toBe(1);
  });
});

/** What {@link bench} gives an acquirer, for one that speaks to another port. */
async function optionsOf(
  system: ReturnType<typeof machine>["system"],
): Promise<Omit<Parameters<typeof createAcquirer>[0], "openSession">> {
  return {
    proof: "required",
    host: await detectHost(system),
    settings: (await resolveSettings({ timeout: 1_500 }, system)).settings,
    keyRing: createKeyRing(new Map([[REGION, parseTrustedKeys(REGION, signer.publicKeyPem)]])),
    reporter: createReporter({ system, sinks: [] }),
    system,
  };
}

/** Passes everything on, but changes fields of the JSON at the named paths. */
async function lyingProxy(
  target: ImdsServer,
  lies: Readonly<Record<string, object>>,
): Promise<{ port: number; close: () => void }> {
  const { createServer } = await import("node:http");
  const server = createServer((request, response) => {
    void (async () => {
      const headers = Object.fromEntries(
        Object.entries(request.headers).filter(([name]) => name.startsWith("x-aws-")),
      ) as Record<string, string>;
      const answer = await fetch(`${target.url}${request.url}`, { method: request.method ?? "GET", headers });
      const text = await answer.text();
      const lie = Object.entries(lies).find(([path]) => request.url?.endsWith(path))?.[1];
      response.writeHead(answer.status).end(lie ? JSON.stringify({ ...(JSON.parse(text) as object), ...lie }) : text);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as { port: number }).port,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

test("the time it took to find out where to ask is part of the first operation, and of no other", async () => {
  const { acquirer, imds: server } = await bench({ spentMs: 1_500 });
  expect(await rejection(acquirer.acquire())).toMatchObject({ code: "ERR_IMDS_TOKEN_TIMEOUT" });
  expect(server.counters.connections).toBe(0);
  expect((await acquirer.acquire()).attestation.level).toBe("bound");
});
