/**
 * Prototype pollution: what a dependency has put on `Object.prototype`, and on those of arrays, functions and strings,
 * changes nothing of what the guard decides, asks, proves and hands out, and breaks nothing.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SETTINGS } from "../../src/settings/table.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { compileSources } from "../support/compiled-source.mjs";
import { createSigner } from "../support/identity-signer.mjs";
import { startImdsServer } from "../support/imds-server.mjs";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const PROGRAM = fileURLToPath(new URL("polluted-program.mjs", import.meta.url));
const REGION = "eu-central-1";
const EVIL = "http://127.0.0.1:9";
type Properties = Readonly<Record<string, unknown>>;

/** A value for each setting that would loosen it or lead it elsewhere. */
const LOOSE: Properties = {
  mode: "allow",
  attestation: "off",
  expectedAccounts: ["999988887777"],
  expectedRoles: ["evil"],
  expectedRegions: ["us-east-1"],
  onUnknownAccount: "allow",
  endpoint: EVIL,
  firewall: "off",
  log: "info",
  timeout: 50,
  maxRetries: 0,
};
const ofSettings: Properties[] = SETTINGS.flatMap(({ name, env, key }) => {
  const value = LOOSE[name] ?? "evil";
  const text = Array.isArray(value) ? value.join(",") : String(value);
  return [{ [name]: value }, { [env]: text, [key]: text }];
});

const AWS_NAMES = [
  "AWS_PROFILE",
  "AWS_REGION",
  "AWS_DEFAULT_REGION",
  "AWS_CONFIG_FILE",
  "AWS_SHARED_CREDENTIALS_FILE",
  "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
  "AWS_EC2_METADATA_DISABLED",
  "AWS_EC2_INSTANCE_PROFILE_NAME",
  "AWS_EXECUTION_ENV",
  "AWS_CONTAINER_CREDENTIALS_FULL_URI",
  "ec2_metadata_service_endpoint",
  "ec2_metadata_service_endpoint_mode",
  "disable_ec2_metadata",
  "ec2_instance_profile_name",
  "region",
];
/** Keys of the `init` of the SDK's providers, and of the objects that pass between them. */
const SDK_NAMES =
  "guard profile filepath configFilepath ignoreCache clientConfig clientPlugins parentClientConfig callerClientConfig logger mfaCodeProvider roleAssumer roleAssumerWithWebIdentity masterCredentials params ssoStartUrl ssoAccountId ssoRegion ssoRoleName ssoSession ssoClient webIdentityTokenFile roleArn roleSessionName forceRefresh credentials accountId expiration memoized defaultsMode ec2MetadataV1Disabled".split(
    " ",
  );
/**
 * Options of node:http, node:net, node:tls and node:fs that this package passes or leaves out. Not `signal`,
 * `encoding` and `highWaterMark`, with which the program ended in an error of Node's, nor `blockList`, with a wrong one
 * of which Node refuses every connection of any program.
 */
const NODE_NAMES =
  "agent auth createConnection defaultPort family hints host hostname port path localAddress localPort lookup socketPath timeout method headers setHost protocol insecureHTTPParser maxHeaderSize uniqueHeaders joinDuplicateHeaders allowHalfOpen autoSelectFamily fd handle keepAlive keepAliveInitialDelay noDelay onread objectMode readable writable rejectUnauthorized ca cert key servername checkServerIdentity ALPNProtocols session secureContext ciphers minVersion flag mode recursive throwIfNoEntry bigint".split(
    " ",
  );
const NODE_MAJOR = Number.parseInt(process.versions.node, 10);
/** Fields of descriptors, of iterator results and of our own objects. */
const OTHER_NAMES =
  "get set value writable enumerable configurable done next then kind code evidence problem owner".split(" ");

const evil = (name: string): unknown =>
  name === "guard"
    ? { mode: "allow", attestation: "off" }
    : /^(?:port|localPort|timeout|fd|family)$/.test(name)
      ? 9
      : EVIL;

const each: Properties[] = [
  { ...LOOSE },
  ...ofSettings,
  ...[...AWS_NAMES, ...SDK_NAMES, ...NODE_NAMES].map((name) => ({ [name]: evil(name) })),
];

let service: Awaited<ReturnType<typeof startImdsServer>>;
let folder: string;
const compiled = compileSources([
  "guard/create-guard",
  "sdk/node-chain",
  "sdk/instance-metadata",
  "sdk/region",
  "guard/open-acquirer",
  "guard/impersonator-probe",
]);
const signer = createSigner();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "imds-guard-polluted-"));
  writeFileSync(join(folder, "config"), "[default]\noutput = json\n[profile elsewhere]\noutput = json\n");
  service = await startImdsServer({ signDocument: (text: string) => signer.sign(text), region: REGION });
});
afterAll(async () => {
  await service.close();
  compiled.remove();
  rmSync(folder, { recursive: true, force: true });
});

interface Ran {
  readonly outcomes: Properties[];
  readonly requests: Readonly<Record<string, number>>;
  readonly stderr: string;
}

async function run(order: { readonly before?: Properties; readonly each?: readonly Properties[] }): Promise<Ran> {
  const before = { ...service.counters.byRequest };
  const modules = {
    guard: compiled.urlOf("guard/create-guard"),
    chain: compiled.urlOf("sdk/node-chain"),
    instance: compiled.urlOf("sdk/instance-metadata"),
    region: compiled.urlOf("sdk/region"),
  };
  const text = JSON.stringify({ ...order, modules, region: REGION, publicKey: signer.publicKeyPem });
  const child = spawn(process.execPath, ["--no-warnings", PROGRAM, text], {
    env: {
      PATH: process.env["PATH"],
      HOME: folder,
      AWS_CONFIG_FILE: join(folder, "config"),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, "none"),
      AWS_EC2_METADATA_SERVICE_ENDPOINT: service.url,
      AWS_ACCESS_KEY_ID: accessKeyIdFor("999988887777"),
      AWS_SECRET_ACCESS_KEY: "secret",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  await new Promise((resolve) => child.once("close", resolve));
  const requests = Object.fromEntries(
    Object.entries(service.counters.byRequest).map(([name, count]) => [name, count - (before[name] ?? 0)]),
  );
  return { outcomes: stdout === "" ? [] : (JSON.parse(stdout) as Properties[]), requests, stderr };
}

describe("the guard of a polluted program", () => {
  let clean: Ran;
  beforeAll(async () => {
    clean = await run({});
    // A scene in which nothing happens would show nothing.
    expect(clean.outcomes).toEqual([
      {
        undecided: expect.arrayContaining(["contact", "none"]) as unknown,
        proved: expect.stringMatching(/^ASIA/) as unknown,
        provider: expect.stringMatching(/^ASIA/) as unknown,
        ownGuard: expect.stringMatching(/^ASIA/) as unknown,
        region: REGION,
        identity: expect.stringMatching(/^i-/) as unknown,
        metadata: expect.any(String) as unknown,
        stranger: { error: "ERR_IMDS_ACCOUNT_UNEXPECTED" },
      },
    ]);
  });

  test("does what it did, whichever property is there after it was loaded", async () => {
    const polluted = await run({ each });
    expect(polluted.stderr).toBe("");
    const changed = polluted.outcomes.flatMap((outcome, index) =>
      JSON.stringify(outcome) === JSON.stringify(clean.outcomes[0]) ? [] : [{ by: each[index], outcome }],
    );
    expect(changed).toEqual([]);
    expect(polluted.outcomes).toHaveLength(each.length);
  });

  test("sends what it sent, and nowhere else", async () => {
    const { requests } = await run({
      each: [LOOSE, { endpoint: EVIL, host: EVIL, method: "PUT", headers: { x: "y" } }],
    });
    expect(requests).toEqual(
      Object.fromEntries(Object.entries(clean.requests).map(([name, count]) => [name, 2 * count])),
    );
  });

  test.each<[string, Properties]>([
    ["every setting", Object.assign({}, LOOSE, ...ofSettings) as Properties],
    ["every variable and key of AWS's", Object.fromEntries(AWS_NAMES.map((name) => [name, EVIL]))],
    [
      "what the SDK's providers take",
      { guard: { mode: "allow" }, profile: "evil", filepath: EVIL, configFilepath: EVIL },
    ],
    [
      "what Node's requests take",
      Object.fromEntries(["agent", "lookup", "socketPath", "localAddress"].map((n) => [n, EVIL])),
    ],
  ])("does what it did where %s was there before it was loaded", async (_, before) => {
    const { outcomes, stderr } = await run({ before });
    expect(stderr).toBe("");
    expect(outcomes).toEqual(clean.outcomes);
  });

  // Above Node 20 a part of Node that is loaded on demand (undici) breaks on these two while the guard asks.
  const survived = OTHER_NAMES.filter((name) => NODE_MAJOR < 22 || (name !== "get" && name !== "set"));
  test.each(survived)("is not broken by a property %s of all objects", async (name) => {
    const { outcomes, stderr } = await run({ each: [{ [name]: EVIL }] });
    expect([stderr, outcomes]).toEqual(["", clean.outcomes]);
  });
});
