/** `fromRolesAnywhere` against a service that verifies for real. */
import { createPrivateKey, sign as signWithKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { GuardEvent } from "../../src/events/catalogue.js";
import type { FromRolesAnywhereInit } from "../../src/sdk/roles-anywhere.js";
import { fromRolesAnywhere } from "../../src/sdk/roles-anywhere.js";
import { createGuard } from "../../src/sdk/application-guard.js";
import { encrypted, issue } from "../support/certificates.mjs";
import type { Service } from "../support/roles-anywhere-service.mjs";
import { startRolesAnywhereService } from "../support/roles-anywhere-service.mjs";
import { selfSignedCertificate } from "../support/tls-certificate.mjs";

const ACCOUNT = "111122223333";
const root = issue({ name: "Root", ca: true });
const issuing = issue({ name: "Issuing", ca: true, issuer: root });
const leaf = issue({ name: "app", issuer: issuing });
const HOUR = 3_600_000;

let service: Service;
let events: GuardEvent[];
let folder: string;

beforeEach(async () => {
  service = await startRolesAnywhereService({ anchors: [root.cert] });
  events = [];
  folder = mkdtempSync(join(tmpdir(), "imds-guard-roles-"));
});
afterEach(async () => {
  await service.close();
  rmSync(folder, { recursive: true });
});

function init(more: FromRolesAnywhereInit = {}): FromRolesAnywhereInit {
  return {
    certificate: leaf.cert + issuing.cert,
    privateKey: leaf.key,
    trustAnchorArn: `arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:trust-anchor/6f0e2c1a`,
    profileArn: `arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:profile/9a2b4c6d`,
    roleArn: `arn:aws:iam::${ACCOUNT}:role/team/app`,
    endpoint: service.url,
    guard: { onEvent: (event: GuardEvent) => events.push(event), log: "off" },
    ...more,
  };
}

const codes = () => events.map(({ code }) => code);

describe("credentials", () => {
  test("of the role, with its account and an end", async () => {
    const credentials = await fromRolesAnywhere(init())();
    expect(credentials).toMatchObject({
      accessKeyId: expect.stringMatching(/^ASIA/) as string,
      secretAccessKey: expect.any(String) as string,
      sessionToken: expect.any(String) as string,
      expiration: expect.any(Date) as Date,
      accountId: ACCOUNT,
    });
    expect(service.requests).toHaveLength(1);
    expect(service.requests[0]?.body).toBe('{"durationSeconds":3600}');
    expect(codes()).toEqual(["roles_anywhere.session_obtained"]);
    expect(JSON.stringify(events)).not.toContain(credentials.secretAccessKey);
  });

  test("one session for a thousand first calls at once", async () => {
    const provider = fromRolesAnywhere(init());
    const all = await Promise.all(Array.from({ length: 1000 }, () => provider()));
    expect(new Set(all.map(({ accessKeyId }) => accessKeyId)).size).toBe(1);
    expect(service.requests).toHaveLength(1);
    await provider({ forceRefresh: true });
    expect(service.requests).toHaveLength(2);
  });

  test.each(["rsa", "p256", "p384", "p521"] as const)("for a key of kind %s", async (kind) => {
    const one = issue({ name: kind, issuer: root, kind });
    const credentials = await fromRolesAnywhere(init({ certificate: one.cert, privateKey: one.key }))();
    expect(credentials.accountId).toBe(ACCOUNT);
  });

  test("from files, with a passphrase file's text by a function, intermediates apart, duration and session name", async () => {
    const path = (name: string, text: string): string => {
      const file = join(folder, name);
      writeFileSync(file, text, { mode: 0o600 });
      return file;
    };
    const provider = fromRolesAnywhere(
      init({
        certificate: path("tls.crt", leaf.cert),
        certificateChain: path("ca.crt", root.cert + issuing.cert),
        privateKey: path("tls.key", encrypted(leaf.key, "correct horse")),
        passphrase: () => Promise.resolve("correct horse"),
        durationSeconds: 900,
        roleSessionName: "host-1",
      }),
    );
    const { expiration } = await provider();
    expect(expiration?.getTime()).toBeLessThan(Date.now() + HOUR / 2);
    const [request] = service.requests;
    expect(request?.body).toBe('{"durationSeconds":900,"roleSessionName":"host-1"}');
    // The root in the file is not sent.
    const chain = request?.fields.find(([name]) => name.toLowerCase() === "x-amz-x509-chain")?.[1];
    expect(chain?.split(",")).toHaveLength(1);
    expect(codes()).toEqual(["roles_anywhere.session_obtained"]);
  });

  test("with a function that signs", async () => {
    const seen: unknown[] = [];
    const sign: FromRolesAnywhereInit["sign"] = (message, { algorithm }) => {
      seen.push(algorithm, message.toString().split("\n")[0]);
      return Promise.resolve(signWithKey("sha256", message, createPrivateKey(leaf.key)));
    };
    await fromRolesAnywhere(init({ privateKey: undefined, sign }))();
    expect(seen).toEqual(["AWS4-X509-ECDSA-SHA256", "AWS4-X509-ECDSA-SHA256"]);
    const wrong = fromRolesAnywhere(init({ privateKey: undefined, sign: () => Buffer.alloc(64) }));
    await expect(wrong()).rejects.toMatchObject({ code: "ERR_ROLES_ANYWHERE_KEY", tryNextLink: false });
    expect(service.requests).toHaveLength(1);
  });

  test("over TLS, verified by AWS_CA_BUNDLE alone", async () => {
    const tls = selfSignedCertificate();
    const secure = await startRolesAnywhereService({ anchors: [root.cert], tls });
    const bundle = join(folder, "ca.pem");
    writeFileSync(bundle, tls.cert);
    const provider = fromRolesAnywhere(init({ endpoint: secure.url, guard: { log: "off", maxRetries: 0 } }));
    try {
      process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
      await expect(provider()).rejects.toMatchObject({ code: "ERR_ROLES_ANYWHERE_UNREACHABLE", tryNextLink: true });
      process.env["AWS_CA_BUNDLE"] = bundle;
      const trusting = fromRolesAnywhere(init({ endpoint: secure.url, guard: { log: "off" } }));
      await expect(trusting()).resolves.toMatchObject({ accountId: ACCOUNT });
      for (const nothing of ["", "\n", "# none\n", tls.key]) {
        writeFileSync(bundle, nothing);
        const lost = fromRolesAnywhere(init({ endpoint: secure.url, guard: { log: "off" } }));
        await expect(lost()).rejects.toMatchObject({ code: "ERR_ROLES_ANYWHERE_SETTINGS" });
      }
    } finally {
      delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      delete process.env["AWS_CA_BUNDLE"];
      await secure.close();
    }
  });
});

describe("what cannot work is said before anything is sent", () => {
  const other = issue({ name: "other", issuer: issuing });
  const expired = issue({ name: "Old", ca: true, issuer: root, notAfter: Date.now() - HOUR });
  const ofExpired = issue({ name: "late", issuer: expired });
  const cases: readonly (readonly [string, FromRolesAnywhereInit, string])[] = [
    ["a key of another certificate", { privateKey: other.key }, "_KEY"],
    ["a bundle in the wrong order", { certificate: issuing.cert + leaf.cert }, "_CERTIFICATE"],
    [
      "an expired intermediate",
      { certificate: ofExpired.cert + expired.cert, privateKey: ofExpired.key },
      "_CERTIFICATE",
    ],
    ["a key without its passphrase", { privateKey: encrypted(leaf.key, "correct horse") }, "_KEY"],
    ["a wrong passphrase", { privateKey: encrypted(leaf.key, "correct horse"), passphrase: "battery staple" }, "_KEY"],
    ["a file that is not there", { certificate: "/nowhere/tls.crt" }, "_CERTIFICATE"],
    ["half a file", { certificate: leaf.cert.slice(0, 300) }, "_CERTIFICATE"],
    ["half a key", { privateKey: leaf.key.slice(0, 100) }, "_KEY"],
    ["a function that fails", { privateKey: () => Promise.reject(new Error("vault is sealed")) }, "_KEY"],
    [
      "a profile of another region",
      { profileArn: `arn:aws:rolesanywhere:us-east-1:${ACCOUNT}:profile/9a2b4c6d` },
      "_SETTINGS",
    ],
    ["a role of another account", { roleArn: "arn:aws:iam::444455556666:role/app" }, "_SETTINGS"],
    ["a role of another partition", { roleArn: `arn:aws-cn:iam::${ACCOUNT}:role/app` }, "_SETTINGS"],
    ["no ARN", { roleArn: "app" }, "_SETTINGS"],
    ["a missing role", { roleArn: undefined }, "_SETTINGS"],
    ["a duration out of range", { durationSeconds: 60 }, "_SETTINGS"],
    ["plain HTTP to another host", { endpoint: "http://192.0.2.1" }, "_SETTINGS"],
  ];
  test.each(cases)("%s", async (_, more, code) => {
    const error: unknown = await fromRolesAnywhere(init(more))().catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      name: "CredentialsProviderError",
      code: `ERR_ROLES_ANYWHERE${code}`,
      tryNextLink: false,
    });
    expect((error as { advice: string }).advice).not.toBe("");
    expect(service.requests).toEqual([]);
    const printed = JSON.stringify([error, (error as Error).message, events]);
    for (const secret of ["correct horse", "battery staple", leaf.key.split("\n")[1] ?? ""])
      expect(printed).not.toContain(secret);
  });

  const bare = leaf.key.split("\n").slice(1, -2).join("");
  test.each([
    ["a whole key in a variable", "PRIVATE_KEY", leaf.key, "_KEY"],
    ["its body alone in a variable", "PRIVATE_KEY", bare, "_KEY"],
    ["a certificate in a variable", "CERTIFICATE", leaf.cert, "_CERTIFICATE"],
    ["the key in the place of its certificate", "CERTIFICATE", leaf.key.replaceAll("\n", "\\n"), "_CERTIFICATE"],
    ["the passphrase in the place of its file", "PASSPHRASE_FILE", "battery staple", "_KEY"],
  ])("%s is text where a path belongs, and is not shown", async (_, word, text, code) => {
    const values = {
      CERTIFICATE: join(folder, "tls.crt"),
      PRIVATE_KEY: join(folder, "tls.key"),
      TRUST_ANCHOR_ARN: init().trustAnchorArn,
      PROFILE_ARN: init().profileArn,
      ROLE_ARN: init().roleArn,
      ENDPOINT: service.url,
      [word]: text,
    };
    for (const [name, value] of Object.entries(values)) vi.stubEnv(`IMDS_GUARD_ROLES_ANYWHERE_${name}`, value);
    writeFileSync(join(folder, "tls.crt"), leaf.cert + issuing.cert);
    writeFileSync(join(folder, "tls.key"), encrypted(leaf.key, "correct horse"), { mode: 0o600 });
    const error: unknown = await fromRolesAnywhere({ guard: init().guard })().catch((reason: unknown) => reason);
    vi.unstubAllEnvs();
    expect(error).toMatchObject({ code: `ERR_ROLES_ANYWHERE${code}` });
    const printed = JSON.stringify([error, (error as Error).message, (error as Error).stack, events]);
    expect(printed).toContain(`IMDS_GUARD_ROLES_ANYWHERE_${word}`);
    for (const secret of [leaf.key.split("\n")[1] ?? "", leaf.cert.split("\n")[1] ?? "", "battery staple"])
      expect(printed).not.toContain(secret);
    expect(service.requests).toEqual([]);
  });

  test("nor is a key in code that has lost its first line", async () => {
    const error: unknown = await fromRolesAnywhere(init({ privateKey: bare }))().catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: "ERR_ROLES_ANYWHERE_KEY",
      message: expect.stringContaining("(privateKey) cannot be used: it holds text where the path of a file belongs"),
    });
    expect(JSON.stringify([error, (error as Error).stack, events])).not.toContain(bare.slice(0, 16));
  });

  test.each([
    ["of another name", { certifcate: "x" }],
    ["of another type", { certificate: 5 }],
    ["that contradict each other", { sign: () => Buffer.alloc(0), privateKey: "x" }],
  ])("options %s are a mistake of the caller", (_, wrong) => {
    expect(() => fromRolesAnywhere(wrong as never)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }) as Error,
    );
  });
});

describe("answers", () => {
  type Intercept = NonNullable<Parameters<typeof startRolesAnywhereService>[0]["intercept"]>;
  type Response = Parameters<Intercept>[0]["response"];
  const reply = async (intercept: Intercept, more: FromRolesAnywhereInit = {}) => {
    const odd = await startRolesAnywhereService({ anchors: [root.cert], intercept });
    const guard = {
      log: "off",
      timeout: 1_500,
      maxRetries: 1,
      onEvent: (event: GuardEvent) => events.push(event),
    } as const;
    const outcome: unknown = await fromRolesAnywhere(init({ endpoint: odd.url, guard, ...more }))().catch(
      (error: unknown) => error,
    );
    await odd.close();
    return { outcome, count: odd.requests.length };
  };
  const status =
    (code: number, body = "", headers: Record<string, string> = {}) =>
    ({ response }: { response: Response }) => {
      response.writeHead(code, headers).end(body);
      return true;
    };
  const type = (name: string) => ({ "x-amzn-errortype": name });

  test.each([
    ["200", status(200, "{}"), "_MALFORMED", 1],
    ["301", status(301, "", { location: "http://127.0.0.1:1/" }), "_MALFORMED", 1],
    ["403", status(403, '{"message":"no"}', type("AccessDeniedException")), "_REFUSED", 1],
    ["404", status(404, "{}", type("ResourceNotFoundException")), "_REFUSED", 1],
    ["400", status(400, "<html>"), "_REFUSED", 1],
    ["429", status(429), "_UNREACHABLE", 2],
    ["400 and throttled", status(400, "{}", type("ThrottlingException")), "_UNREACHABLE", 2],
    ["500", status(500, "{}"), "_UNREACHABLE", 2],
    ["garbage", status(201, "garbage"), "_MALFORMED", 1],
    ["no credential set", status(201, '{"credentialSet":[]}'), "_MALFORMED", 1],
    [
      "2 GiB stated",
      ({ response }: { response: Response }) => {
        response.writeHead(201, { "content-length": String(2 ** 31) }).write("x");
        return true;
      },
      "_MALFORMED",
      1,
    ],
    [
      "no end of bytes",
      ({ response }: { response: Response }) => {
        const pour = (): void => {
          while (response.write(Buffer.alloc(65_536)));
          response.once("drain", pour);
        };
        response.writeHead(201);
        pour();
        return true;
      },
      "_MALFORMED",
      1,
    ],
    [
      "drips",
      ({ response }: { response: Response }) => {
        response.writeHead(201);
        const timer = setInterval(() => response.write(" "), 100);
        response.once("close", () => clearInterval(timer));
        return true;
      },
      "_UNREACHABLE",
      1,
    ],
    ["never", () => true, "_UNREACHABLE", 1],
  ] as readonly (readonly [string, Intercept, string, number])[])("%s", async (_, intercept, code, most) => {
    const { outcome, count } = await reply(intercept);
    expect(outcome).toMatchObject({
      code: `ERR_ROLES_ANYWHERE${code}`,
      tryNextLink: code === "_UNREACHABLE",
      advice: expect.stringMatching(/\w/) as string,
    });
    expect(count).toBe(most);
    expect(codes()).toContain("roles_anywhere.failed");
  });

  test("what may pass is asked again", async () => {
    const { outcome, count } = await reply(({ index, response }) => {
      if (index > 0) return false;
      response.writeHead(503).end();
      return true;
    });
    expect(outcome).toMatchObject({ accountId: ACCOUNT });
    expect(count).toBe(2);
  });

  test.each([
    ["keys of another account", (text: string) => text, "444455556666", "_ACCOUNT"],
    ["another role", (text: string) => text.replace("assumed-role/app/", "assumed-role/admin/"), undefined, "_ROLE"],
    [
      "a session of another account",
      (text: string) => text.replace(`sts::${ACCOUNT}`, "sts::444455556666"),
      undefined,
      "_ACCOUNT",
    ],
  ] as const)("%s", async (_, change, account, code) => {
    const odd = await startRolesAnywhereService({
      anchors: [root.cert],
      ...(account !== undefined && { account }),
      intercept: ({ response }) => {
        const { end } = response;
        response.end = ((text: string) => end.call(response, change(text), "utf8")) as typeof response.end;
      },
    });
    const outcome: unknown = await fromRolesAnywhere(init({ endpoint: odd.url }))().catch((error: unknown) => error);
    await odd.close();
    expect(outcome).toMatchObject({ code: `ERR_ROLES_ANYWHERE${code}`, tryNextLink: false });
  });

  test("an account that is not expected", async () => {
    const provider = fromRolesAnywhere(init({ guard: { expectedAccounts: ["444455556666"], log: "off" } }));
    await expect(provider()).rejects.toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNEXPECTED" });
  });

  test("a wrong clock is told of, and the request signed again with AWS's time", async () => {
    const ahead = await startRolesAnywhereService({ anchors: [root.cert], now: () => Date.now() + 2 * HOUR });
    const provider = fromRolesAnywhere(init({ endpoint: ahead.url }));
    await expect(provider()).resolves.toMatchObject({ accountId: ACCOUNT });
    expect(ahead.requests.map(({ verdict }) => verdict.ok)).toEqual([false, true]);
    expect(codes()).toEqual(["roles_anywhere.clock_off", "roles_anywhere.session_obtained"]);
    expect(events[0]?.message).toMatch(/hours?.* behind/);
    await provider({ forceRefresh: true });
    expect(ahead.requests).toHaveLength(3);
    await ahead.close();
  });

  test("nobody there, and a guard that was closed", async () => {
    const guard = createGuard({ log: "off", maxRetries: 0 });
    const provider = fromRolesAnywhere(init({ endpoint: "http://127.0.0.1:1", guard }));
    await expect(provider()).rejects.toMatchObject({ code: "ERR_ROLES_ANYWHERE_UNREACHABLE" });
    await guard.close();
    await expect(provider()).rejects.toMatchObject({ code: "ERR_IMDS_GUARD_CLOSED" });
  });
});
