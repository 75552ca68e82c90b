/** `fromIotRoleAlias` against a TLS server that demands and verifies the certificate of the thing. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import type { Server } from "node:https";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { createSecureContext } from "node:tls";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { fromIotRoleAlias } from "../../src/sdk/iot-role-alias.js";
import { fromNodeProviderChain } from "../../src/sdk/node-chain.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { encrypted, issue } from "../support/certificates.mjs";
import { selfSignedCertificate } from "../support/tls-certificate.mjs";

const ACCOUNT = "111122223333";
const root = issue({ name: "Things", ca: true });
const issuing = issue({ name: "Issuing", ca: true, issuer: root });
const thing = issue({ name: "pump-7", issuer: issuing, kind: "rsa" });
const stranger = issue({ name: "stranger" });
const tls = selfSignedCertificate();
const folder = mkdtempSync(join(tmpdir(), "imds-guard-iot-"));
const requests: { url: string | undefined; thing: unknown; subject: string | undefined }[] = [];
let server: Server;
let endpoint: string;
let status = 200;

beforeAll(async () => {
  writeFileSync(join(folder, "ca.pem"), tls.cert);
  server = createServer({ ...tls, requestCert: true, rejectUnauthorized: true, ca: root.cert }, (request, response) => {
    const { url, headers, socket } = request as IncomingMessage & { socket: TLSSocket };
    requests.push({
      url,
      thing: headers["x-amzn-iot-thingname"],
      subject: String(socket.getPeerCertificate().subject.CN),
    });
    response.statusCode = status;
    const expiration = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d{3}Z$/, "Z");
    const credentials = { accessKeyId: accessKeyIdFor(ACCOUNT), secretAccessKey: "s", sessionToken: "t", expiration };
    response.end(JSON.stringify(status === 200 ? { credentials } : { message: "Access Denied" }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  vi.stubEnv("AWS_CA_BUNDLE", join(folder, "ca.pem"));
});
afterEach(() => {
  requests.length = 0;
  status = 200;
});
afterAll(async () => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
  await once(server, "close");
  rmSync(folder, { recursive: true });
});

const init = (more: Parameters<typeof fromIotRoleAlias>[0] = {}) => ({
  endpoint,
  roleAlias: "device-uploads",
  thingName: "pump-7",
  certificate: thing.cert + issuing.cert,
  privateKey: thing.key,
  guard: { log: "off", maxRetries: 0 } as const,
  ...more,
});

test("credentials by mutual TLS, with the thing's name and an encrypted key, once for all callers", async () => {
  const provide = fromIotRoleAlias(
    init({ privateKey: encrypted(thing.key, "correct horse"), passphrase: "correct horse" }),
  );
  const [first, second] = await Promise.all([provide(), provide()]);
  expect(first).toMatchObject({ accountId: ACCOUNT, sessionToken: "t" });
  expect(second.accessKeyId).toBe(first.accessKeyId);
  expect(requests).toEqual([{ url: "/role-aliases/device-uploads/credentials", thing: "pump-7", subject: "pump-7" }]);
});

test("what is refused, unexpected, or of another authority", async () => {
  const strange = fromIotRoleAlias(init({ certificate: stranger.cert, privateKey: stranger.key }));
  await expect(strange()).rejects.toMatchObject({ code: "ERR_ROLES_ANYWHERE_UNREACHABLE" });
  const other = fromIotRoleAlias(init({ guard: { log: "off", expectedAccounts: ["444455556666"] } }));
  await expect(other()).rejects.toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNEXPECTED" });
  status = 403;
  await expect(fromIotRoleAlias(init())()).rejects.toMatchObject({
    code: "ERR_ROLES_ANYWHERE_REFUSED",
    advice: expect.stringContaining("iot:AssumeRoleWithCertificate") as string,
  });
  status = 503;
  await expect(fromIotRoleAlias(init())()).rejects.toMatchObject({ code: "ERR_ROLES_ANYWHERE_UNREACHABLE" });
});

test.each([
  ["with a byte order mark", (text: string) => `\ufeff${text}`],
  ["in indented lines", (text: string) => text.replace(/^/gm, "  ")],
  ["each block in one line", (text: string) => text.replace(/(?<=[\w+/=])\n(?=[\w+/=])/g, "")],
  [
    "with what openssl pkcs12 writes in between",
    (text: string) => text.replace(/^(?=-----BEGIN)/gm, "Bag Attributes\n    localKeyID: 01 \n"),
  ],
])("a certificate and a key %s", async (_, written) => {
  const provide = fromIotRoleAlias(
    init({ certificate: written(thing.cert + issuing.cert), privateKey: written(thing.key) }),
  );
  expect(await provide()).toMatchObject({ accountId: ACCOUNT });
  expect(requests).toEqual([expect.objectContaining({ subject: "pump-7" })]);
});

test("a chain in another order, and what does not belong to it, is sent as TLS wants it", async () => {
  const provide = fromIotRoleAlias(init({ certificate: thing.cert + root.cert + stranger.cert + issuing.cert }));
  expect(await provide()).toMatchObject({ accountId: ACCOUNT });
});

/** Why OpenSSL does not take a certificate for TLS, by its code. */
function refusalOf(pair: { readonly cert: string; readonly key: string }): string | undefined {
  try {
    createSecureContext(pair);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

test("a certificate that OpenSSL does not take for TLS is an error, and not the end of the process", async () => {
  const old = issue({ name: "Old", ca: true, kind: "rsa" });
  const weak = issue({ name: "weak", issuer: old, kind: "rsa", sha1: true });
  const provide = fromIotRoleAlias(init({ certificate: weak.cert, privateKey: weak.key }));
  // Whether SHA-1 is too weak is a matter of the OpenSSL in this Node.js; where it is not, the server refuses.
  const weakness = refusalOf({ cert: weak.cert, key: weak.key });
  await expect(provide()).rejects.toMatchObject(
    weakness === undefined
      ? { code: "ERR_ROLES_ANYWHERE_UNREACHABLE" }
      : { code: "ERR_ROLES_ANYWHERE_CERTIFICATE", message: expect.stringContaining(weakness) as string },
  );
  expect(requests).toEqual([]);
});

test.each([
  ["plain HTTP", { endpoint: "http://127.0.0.1:1" }, "_SETTINGS"],
  ["no alias", { roleAlias: undefined }, "_SETTINGS"],
  ["an alias that is a path", { roleAlias: "../x" }, "_SETTINGS"],
  ["a header in the thing's name", { thingName: "x\r\ny: z" }, "_SETTINGS"],
  ["a key of another certificate", { privateKey: stranger.key }, "_KEY"],
])("%s is said before anything is sent", async (_, more, code) => {
  await expect(fromIotRoleAlias(init(more))()).rejects.toMatchObject({ code: `ERR_ROLES_ANYWHERE${code}` });
  expect(requests).toEqual([]);
});

test("a profile names it for the chain", async () => {
  const configFilepath = join(folder, "config");
  const key = join(folder, "tls.key");
  writeFileSync(key, thing.key, { mode: 0o600 });
  writeFileSync(join(folder, "tls.crt"), thing.cert + issuing.cert);
  const lines = {
    endpoint,
    role_alias: "device-uploads",
    certificate: join(folder, "tls.crt"),
    private_key: key,
  };
  const text = Object.entries(lines).map(([word, value]) => `imds_guard_iot_${word} = ${value}`);
  writeFileSync(configFilepath, ["[profile device]", ...text, ""].join("\n"));
  const files = { configFilepath, filepath: join(folder, "credentials") };
  const provide = fromNodeProviderChain({ profile: "device", ...files, guard: { log: "off" } });
  expect(await provide()).toMatchObject({ accountId: ACCOUNT });
  expect(requests).toEqual([expect.objectContaining({ thing: undefined })]);
});
