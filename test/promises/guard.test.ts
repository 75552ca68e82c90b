/** What SECURITY.md promises of the guard itself, and attempts to break it. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { createGuard } from "../../src/guard/create-guard.js";
import { fromInstanceMetadata } from "../../src/sdk/instance-metadata.js";
import { fromNodeProviderChain } from "../../src/sdk/node-chain.js";
import { give, leaked, openClient, withMachine } from "../e2e/rig.js";
import {
  ACCOUNT,
  INSTANCE,
  LAPTOP,
  machine,
  NITRO,
  REGION,
  rejection,
  rigOn,
  signer,
  startSigningImds,
  STRANGER,
  UNKNOWN,
  XEN,
} from "../guard/guarded-host.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { BEHAVIOURS } from "../support/behaviours.mjs";
import { createSigner } from "../support/identity-signer.mjs";
import type { ImdsIdentity, ImdsServer } from "../support/imds-server.mjs";
import { canUnshare } from "../support/machine.mjs";

const able = canUnshare();
if (!able.ok) console.log(`promises: P1 and P2 skipped, no machines can be made here: ${able.reason}`);

const ROOT = resolve(import.meta.dirname, "../..");
const OLD_KEY = "ASIAJ3EXAMPLEOLDKEY7";
const OTHER_INSTANCE = "i-0ffffffffffffffff";
const NOTHING_OF_AWS = { AWS_CONFIG_FILE: "/nonexistent/config", AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/none" };

let imds: ImdsServer | undefined;
afterEach(() => imds?.close());
const serving = async (identity: Partial<ImdsIdentity> = {}): Promise<ImdsServer> =>
  (imds = await startSigningImds(identity));

describe.skipIf(!able.ok)("P1: off EC2 nothing but the probe is sent", () => {
  test.each([
    ["laptop", "off", 0],
    ["laptop", "on", 1],
  ] as const)("%s, probe %s", async (host, probe, connections) => {
    await withMachine({ host }, async (machine) => {
      await machine.serve({ kind: "nobody" });
      const client = await openClient(machine);
      const answered = await give(client, { apis: ["chain", "instance", "guard"], guard: { log: "off", probe } });
      expect(answered.outcomes.map(({ code }) => code)).toEqual(Array(3).fill("ERR_IMDS_NOT_EC2"));
      expect(answered.datagrams).toBe(0);
      expect(answered.connections).toBeLessThanOrEqual(connections);
      await client.close();
    });
  });
});

describe.skipIf(!able.ok)("P2: off EC2 nothing of a stranger reaches the application", () => {
  test("whatever answers", async () => {
    await withMachine({ host: "laptop" }, async (machine) => {
      const client = await openClient(machine);
      for (const { name } of BEHAVIOURS.slice(0, 40)) {
        await machine.serve({ kind: "behaviour", name });
        const { outcomes } = await give(client, { apis: ["chain", "instance"], guard: { log: "off", probe: "off" } });
        expect(outcomes.flatMap((outcome) => leaked(outcome))).toEqual([]);
      }
      await client.close();
    });
  });
});

describe("P3: on EC2 only what AWS signed for this instance and its account", () => {
  const forger = createSigner();
  const lies: Record<string, Partial<ImdsIdentity>> = {
    "a document that somebody else signed": { signDocument: (text) => forger.sign(text) },
    "a document that nobody signed": { signDocument: (text) => Buffer.from(text).toString("base64") },
    "no document": { signDocument: undefined },
    "the document of another instance": { instanceId: OTHER_INSTANCE },
    "the document of another account": { account: STRANGER, accessKeyId: accessKeyIdFor(ACCOUNT) },
    "a key of another account": { accessKeyId: accessKeyIdFor(STRANGER) },
  };
  test.each(Object.entries(lies))("%s", async (_, identity) => {
    const { guard, events } = rigOn(await serving(identity));
    expect(await rejection(guard.credentials())).toMatchObject({ kind: "impersonation", tryNextLink: false });
    expect(events.at(-1)?.severity).toBe("critical");
  });

  test("a key of another account passes only where both are expected", async () => {
    const server = await serving({ accessKeyId: accessKeyIdFor(STRANGER) });
    for (const expectedAccounts of [[ACCOUNT], [STRANGER]])
      expect(await rejection(rigOn(server, { expectedAccounts }).guard.credentials())).toMatchObject({
        kind: "impersonation",
      });
    const both = rigOn(server, { expectedAccounts: [ACCOUNT, STRANGER] });
    expect((await both.guard.credentials()).accessKeyId).toBe(accessKeyIdFor(STRANGER));
  });
});

describe("P4: a key of IMDS is a temporary one that tells its account", () => {
  const keys = [OLD_KEY, "ASIA7777777777777777", `${accessKeyIdFor(ACCOUNT)}A`, accessKeyIdFor(ACCOUNT, "0", "AKIA")];
  test.each(keys)("%s is refused", async (accessKeyId) => {
    const server = await serving({ accessKeyId });
    const allowing = { expectedAccounts: [ACCOUNT], onUnknownAccount: "allow" } as const;
    for (const options of [{}, allowing])
      expect((await rejection(rigOn(server, options).guard.credentials())) as object).toMatchObject({
        code: expect.stringMatching(/^ERR_IMDS_(?:ACCOUNT_UNKNOWN|MALFORMED)$/) as string,
      });
  });

  test("but for other partitions, with an event", async () => {
    const server = await serving({ accessKeyId: OLD_KEY, region: "cn-north-1" });
    const { guard, codes } = rigOn(server, { certificates: { "cn-north-1": signer.publicKeyPem } });
    await guard.credentials();
    expect(guard.attestation()?.level).toBe("signed");
    expect(codes()).toContain("imds.account_not_told");
  });
});

describe("P5: a second document is refused where the host does not tell its instance", () => {
  test("also after one that came with another key", async () => {
    const server = await serving({
      account: STRANGER,
      instanceId: OTHER_INSTANCE,
      accessKeyId: accessKeyIdFor(ACCOUNT),
    });
    const { guard } = rigOn(server, {}, XEN);
    expect(await rejection(guard.credentials())).toMatchObject({ kind: "impersonation" });
    server.set({ account: ACCOUNT, instanceId: INSTANCE });
    expect(await rejection(guard.credentials())).toMatchObject({ code: "ERR_IMDS_IDENTITY_CHANGED" });
  });
});

describe("P6: a stated account is no evidence", () => {
  const key = { accessKeyId: "AKIAIOSFODNN7STRANGE", secretAccessKey: "stranger" };
  test.each(["environment", "profile", "credential process"])("beside an old key, by the %s", async (link) => {
    const { guard } = rigOn({ url: "" }, { expectedAccounts: [ACCOUNT] }, LAPTOP);
    expect(await rejection(guard.verify({ ...key, accountId: ACCOUNT }, link))).toMatchObject({
      code: "ERR_IMDS_ACCOUNT_UNKNOWN",
    });
  });

  test("a contradiction is dropped with an event, and the key's own account decides", async () => {
    const { guard, codes } = rigOn({ url: "" }, { expectedAccounts: [ACCOUNT] }, LAPTOP);
    const ours = { accessKeyId: accessKeyIdFor(ACCOUNT), secretAccessKey: "s", accountId: STRANGER };
    expect(await guard.verify(ours, "environment")).toEqual({ ...key, ...ours, accountId: undefined });
    expect(codes()).toEqual(["credentials.stated_account_dropped"]);
    const theirs = { accessKeyId: accessKeyIdFor(STRANGER), secretAccessKey: "s", accountId: ACCOUNT };
    expect(await rejection(guard.verify(theirs, "environment"))).toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNEXPECTED" });
  });
});

/** A program that imports the build, in a process of its own; what it printed. */
async function program(text: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", text], {
    env: { PATH: process.env["PATH"], HOME: "/nonexistent", IMDS_GUARD_PROBE: "off", ...NOTHING_OF_AWS, ...env },
    stdio: ["ignore", "pipe", "inherit"],
    timeout: 60_000,
  });
  let printed = "";
  child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  await once(child, "close");
  return printed.trim();
}

describe("P7: STS is one of AWS's, and TLS is verified", () => {
  const ask = `const { fromNodeProviderChain } = await import("imds-guard");
    console.log(await fromNodeProviderChain({ guard: { verifyWithSts: "on", log: "off", timeout: 1000 } })().then(() => "HANDED OUT", ({ code }) => code));
    process.exit();`;
  const key = { AWS_ACCESS_KEY_ID: accessKeyIdFor(ACCOUNT), AWS_SECRET_ACCESS_KEY: "x", AWS_SESSION_TOKEN: "x" };

  // No name is asked for outside: the stand-in answers whatever name is resolved.
  test.each([
    ["the region of the environment", { AWS_REGION: "localhost:PORT/" }],
    ["NODE_TLS_REJECT_UNAUTHORIZED", { AWS_REGION: "eu-central-1", NODE_TLS_REJECT_UNAUTHORIZED: "0" }],
  ])("%s brings no stranger in", async (_, env) => {
    const { selfSignedCertificate } = await import("../support/tls-certificate.mjs");
    const { key: privateKey, cert } = selfSignedCertificate();
    const stranger = `import dns from "node:dns"; import https from "node:https"; import net from "node:net";
      const server = https.createServer({ key: ${JSON.stringify(privateKey)}, cert: ${JSON.stringify(cert)} }, (q, s) => { console.log("asked"); q.resume();
        s.end("<R><Arn>arn:aws:iam::${ACCOUNT}:root</Arn><Account>${ACCOUNT}</Account></R>"); });
      await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address(); const asked = []; const { connect } = net.Socket.prototype;
      net.Socket.prototype.connect = function (...args) { const given = [args].flat(2)[0]; asked.push(given.host);
        return connect.call(this, { port, host: "127.0.0.1" }, args.at(-1)); };
      if (process.env.AWS_REGION) process.env.AWS_REGION = process.env.AWS_REGION.replace("PORT", port);
      https.globalAgent.options.rejectUnauthorized = false; process.on("exit", () => console.log(asked.join()));`;
    const printed = (await program(stranger + ask, { ...key, ...env } as Record<string, string>)).split("\n");
    expect(printed).toContain("ERR_IMDS_STS_UNAVAILABLE");
    expect(printed).not.toContain("asked");
    expect(printed.join()).toMatch(/sts\.(?:us-east-1|eu-central-1)\.amazonaws\.com/);
  });
});

describe("P8: no socket but the compared one", () => {
  test("a library that forces an agent upon every request is told nothing", async () => {
    const server = await serving();
    const asked: string[] = [];
    const proxy = createServer((request, response) => response.end(void asked.push(request.url ?? "")));
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const force = `import http from "node:http"; import net from "node:net"; import { syncBuiltinESMExports } from "node:module";
      const { request } = http; const agent = new http.Agent();
      agent.createConnection = (options, done) => net.connect({ host: "127.0.0.1", port: ${(proxy.address() as AddressInfo).port} }, done);
      const put = () => { http.globalAgent = agent; http.request = (options, done) => request({ ...options, agent }, done); syncBuiltinESMExports(); };`;
    const ask = `console.log(await fromNodeProviderChain({ guard: { log: "off" } })().then(({ accessKeyId }) => accessKeyId, ({ code }) => code)); process.exit();`;
    const load = `const { fromNodeProviderChain } = await import("imds-guard");`;
    const env = { AWS_EC2_METADATA_SERVICE_ENDPOINT: server.url };
    expect(await program(`${force} put(); ${load} ${ask}`, env)).toBe(server.identity.accessKeyId);
    expect(await program(`${force} ${load} put(); ${ask}`, env)).toBe(server.identity.accessKeyId);
    expect(asked).toEqual([]);
    proxy.close();
  });

  test("a redirect and a responder without tokens end it", async () => {
    const server = await serving();
    server.fail({ path: /credentials/, times: 1, outcome: 302 });
    expect(await rejection(rigOn(server).guard.credentials())).toMatchObject({ code: "ERR_IMDS_REDIRECT" });
    server.fail({ path: /token/, times: 9, outcome: 404 });
    expect(await rejection(rigOn(server).guard.credentials())).toMatchObject({ code: "ERR_IMDS_V1_ONLY" });
    expect(server.counters.withoutToken).toBe(0);
  });
});

describe("P9: what was withdrawn stays withdrawn", () => {
  const impersonate = { account: STRANGER, accessKeyId: accessKeyIdFor(STRANGER) };

  test("in chains, providers and clients of the guard, and after it was closed", async () => {
    const server = await serving();
    const { guard } = rigOn(server);
    const chain = fromNodeProviderChain({ guard, filepath: "/nonexistent/a", configFilepath: "/nonexistent/b" });
    const { STSClient } = await import("@aws-sdk/client-sts");
    const client = new STSClient({ region: REGION, credentials: fromInstanceMetadata({ guard }) });
    const before = { ...process.env };
    for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) Reflect.deleteProperty(process.env, name);
    await chain();
    await client.config.credentials();
    server.set(impersonate);
    await rejection(guard.credentials({ forceRefresh: true }));
    expect(await rejection(chain())).toMatchObject({ code: "ERR_IMDS_IDENTITY_CHANGED" });
    expect(await rejection(client.config.credentials())).toMatchObject({ code: "ERR_IMDS_IDENTITY_CHANGED" });
    await guard.close();
    expect(await rejection(chain())).toMatchObject({ code: "ERR_IMDS_GUARD_CLOSED" });
    expect(await rejection(client.config.credentials())).toMatchObject({ code: "ERR_IMDS_GUARD_CLOSED" });
    Object.assign(process.env, before);
  });

  test("in a chain of another copy of the package", async () => {
    const server = await serving();
    const printed = program(
      `const { createGuard } = await import("imds-guard");
       const { fromNodeProviderChain } = (await import("node:module")).createRequire(${JSON.stringify(join(ROOT, "package.json"))})("imds-guard");
       const guard = createGuard({ log: "off" });
       const chain = fromNodeProviderChain({ guard });
       const ask = () => chain().then(({ accessKeyId }) => accessKeyId, ({ code }) => code);
       console.log(await ask());
       await fetch(process.env.SWITCH).catch(() => undefined);
       await guard.credentials({ forceRefresh: true }).catch(() => undefined);
       console.log(await ask());
       await guard.close();
       console.log(await ask());
       process.exit();`,
      { AWS_EC2_METADATA_SERVICE_ENDPOINT: server.url, SWITCH: await switching(() => server.set(impersonate)) },
    );
    expect((await printed).split("\n")).toEqual([
      accessKeyIdFor(ACCOUNT, "genuine"),
      "ERR_IMDS_IDENTITY_CHANGED",
      "ERR_IMDS_GUARD_CLOSED",
    ]);
  });

  test("and the guard's own renewal acts for a chain", async () => {
    const server = await serving();
    const { guard, advance } = rigOn(server);
    const chain = fromNodeProviderChain({ guard, filepath: "/nonexistent/a", configFilepath: "/nonexistent/b" });
    const before = { ...process.env };
    for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) Reflect.deleteProperty(process.env, name);
    await chain();
    server.set({ accessKeyId: accessKeyIdFor(ACCOUNT, "next") });
    // 7.5 minutes ahead of the end, by the chance of this machine: the SDK's own memory would wait for 5.
    advance(6 * 3_600_000 - 7 * 60_000);
    await expect.poll(async () => (await chain()).accessKeyId).toBe(accessKeyIdFor(ACCOUNT, "next"));
    Object.assign(process.env, before);
  });
});

/** The address of a server that calls `act` when it is asked. */
async function switching(act: () => void): Promise<string> {
  const server = createServer((_, response) => response.end(act()));
  server.unref();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

describe("P10: a closed guard sends nothing, and nothing in the background ends a program", () => {
  test("closed before, while and after it is asked", async () => {
    const server = await serving();
    const { guard } = rigOn(server);
    const asked = [rejection(guard.credentials()), rejection(guard.identity()), rejection(guard.metadataToken())];
    await guard.close();
    for (const error of await Promise.all(asked)) expect(error).toMatchObject({ code: "ERR_IMDS_GUARD_CLOSED" });
    expect(await rejection(guard.credentials({ forceRefresh: true }))).toMatchObject({ code: "ERR_IMDS_GUARD_CLOSED" });
    expect(await rejection(fromNodeProviderChain({ guard })())).toMatchObject({ code: "ERR_IMDS_GUARD_CLOSED" });
    expect(server.counters.connections).toBe(0);
  });

  test.skipIf(!able.ok)("a program whose package is gone by the time of the probe lives on", () => {
    const folder = mkdtempSync(join(tmpdir(), "imds-guard-promises-"));
    cpSync(join(ROOT, "dist"), join(folder, "node_modules/imds-guard/dist"), { recursive: true });
    cpSync(join(ROOT, "package.json"), join(folder, "node_modules/imds-guard/package.json"));
    for (const scope of ["@aws-sdk", "@smithy"])
      symlinkSync(join(ROOT, "node_modules", scope), join(folder, "node_modules", scope));
    const file = join(folder, "app.mjs");
    writeFileSync(
      file,
      `import { rmSync } from "node:fs"; import { createGuard } from "imds-guard"; import "@smithy/core/config";
       const guard = createGuard({ log: "off" });
       await guard.whereAmI();
       const refused = guard.credentials().catch(({ code }) => code);
       rmSync(${JSON.stringify(join(folder, "node_modules/imds-guard"))}, { recursive: true });
       console.log(await refused);
       await new Promise((resolve) => setTimeout(resolve, 200));
       console.log("lives");`,
    );
    const { stdout, stderr } = spawnSync("unshare", ["-Urn", process.execPath, file], {
      env: {
        PATH: process.env["PATH"],
        HOME: "/nonexistent",
        AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: "IPv4",
        ...NOTHING_OF_AWS,
      },
      encoding: "utf8",
    });
    rmSync(folder, { recursive: true });
    const printed = `${stdout}${stderr}`.trim().split("\n").at(-1);
    expect(printed).toBe("lives");
  });
});

describe("P11: silence is found out once", () => {
  test("by whatever is asked, until it is forced or its time is over", async () => {
    const server = await serving();
    const options = { expectedAccounts: [ACCOUNT], timeout: 300, silenceMs: 60_000 };
    const { guard, advance } = rigOn(server, options, UNKNOWN);
    server.fail({ path: /./, times: 99, outcome: "hang" });
    await rejection(guard.credentials());
    server.resetCounters();
    for (const ask of [() => guard.credentials(), () => guard.identity(), () => guard.metadata("/latest/meta-data/x")])
      expect(await rejection(ask())).toMatchObject({ kind: "unavailable", tryNextLink: true });
    expect(server.counters.connections).toBe(0);
    server.calm();
    await guard.credentials({ forceRefresh: true });
    const other = rigOn(server, options, UNKNOWN);
    server.fail({ path: /./, times: 99, outcome: "hang" });
    await rejection(other.guard.credentials());
    server.calm();
    advance(0);
    other.advance(60_001);
    expect((await other.guard.credentials()).accessKeyId).toBe(server.identity.accessKeyId);
  });
});

describe("P12: past their end for six hours at most", () => {
  const HOUR = 3_600_000;

  test("through an outage, with an event", async () => {
    const server = await serving();
    const { guard, codes, advance } = rigOn(server);
    await guard.credentials();
    server.fail({ path: /./, times: 999, outcome: "reset" });
    advance(6 * HOUR + 60_000);
    expect((await guard.credentials()).accessKeyId).toBe(server.identity.accessKeyId);
    expect(codes()).toContain("imds.static_stability");
    advance(6 * HOUR);
    expect(await rejection(guard.credentials())).toMatchObject({ kind: "unavailable" });
  });

  test("where IMDS gives them so, on a host that proved itself and on no other", async () => {
    const server = await serving({ expiresInMs: -5 * HOUR });
    const { guard, codes } = rigOn(server);
    expect((await guard.credentials()).expiration.getTime()).toBeGreaterThan(Date.now());
    expect(codes()).toEqual(["imds.endpoint_override_accepted", "imds.attested", "imds.static_stability"]);
    const unproved = rigOn(server, { attestation: "auto" });
    expect(await rejection(unproved.guard.credentials())).toMatchObject({ code: "ERR_IMDS_CREDENTIALS_EXPIRED" });
    server.set({ expiresInMs: -6 * HOUR });
    expect(await rejection(rigOn(server).guard.credentials())).toMatchObject({ code: "ERR_IMDS_CREDENTIALS_EXPIRED" });
    server.set({ expiresInMs: -5 * HOUR, accessKeyId: accessKeyIdFor(STRANGER) });
    expect(await rejection(rigOn(server).guard.credentials())).toMatchObject({ code: "ERR_IMDS_ACCOUNT_MISMATCH" });
  });

  test("whatever the Date header says", async () => {
    const server = await serving({ expiresInMs: -7 * HOUR });
    const { guard } = rigOn(server, {}, NITRO, {});
    expect(await rejection(guard.credentials())).toMatchObject({ code: "ERR_IMDS_CREDENTIALS_EXPIRED" });
    const { system } = machine(NITRO, { AWS_EC2_METADATA_SERVICE_ENDPOINT: server.url });
    // By this host's clock they have ended long ago, by the responder's they have not.
    const ahead = createGuard(
      { attestation: "required", certificates: { [REGION]: signer.publicKeyPem }, log: "off" },
      { system: { ...system, now: () => Date.now() + 20 * HOUR } },
    );
    server.set({ expiresInMs: 6 * HOUR });
    const error = await rejection(ahead.credentials());
    expect(error).toMatchObject({ code: "ERR_IMDS_CREDENTIALS_EXPIRED" });
    expect((error as { advice: string }).advice).toMatch(/1[12]\d\d minutes ahead of that of the responder/);
  });
});

describe("P13: deadline and limits hold against any responder", () => {
  test.each([
    ["hangs", "hang"],
    ["cuts its answer", "cut"],
  ] as const)("one that %s", async (_, outcome) => {
    const server = await serving();
    server.fail({ path: /./, times: 99, outcome });
    const { guard } = rigOn(server, { timeout: 300 });
    expect(await rejection(guard.credentials())).toMatchObject({ kind: "unavailable" });
  });

  test("one that floods", async () => {
    const { guard } = rigOn(await serving({ sessionToken: "A".repeat(5_000_000) }));
    expect(await rejection(guard.credentials())).toMatchObject({ code: "ERR_IMDS_TOO_LARGE" });
  });
});

describe("P14: no secret is told", () => {
  test("of credentials that were obtained, refused or malformed", async () => {
    const secrets = { secretAccessKey: "secretThatNeverShows", sessionToken: "tokenThatNeverShows" };
    const server = await serving(secrets);
    const told: unknown[] = [];
    const tell = async (given: Partial<ImdsIdentity>, options = {}): Promise<void> => {
      server.set(given);
      const { guard, events } = rigOn(server, options, NITRO);
      told.push(
        await guard.credentials().then(
          () => "obtained",
          (error: Error) => ({ ...error, message: error.message }),
        ),
      );
      told.push(events);
    };
    await tell({ accessKeyId: accessKeyIdFor(STRANGER) });
    await tell({ accessKeyId: OLD_KEY });
    await tell({ accessKeyId: accessKeyIdFor(ACCOUNT), secretAccessKey: "secretThatNeverShows with white space" });
    await tell({ ...secrets, expiresInMs: -1 });
    await tell({ ...secrets, expiresInMs: 99 * 3_600_000 });
    const text = JSON.stringify(told);
    expect(text).toContain("ERR_IMDS_ACCOUNT_MISMATCH");
    expect(text).not.toMatch(/NeverShows/);
    const { guard, events } = rigOn(server);
    server.set({ ...secrets, expiresInMs: 3_600_000 });
    await guard.credentials();
    const token = await guard.metadataToken();
    expect(JSON.stringify(events)).not.toContain(token);
    expect(JSON.stringify(events)).not.toMatch(/NeverShows/);
  });
});
