/** A certificate that is renewed while the program runs: a week of it, and everything that goes wrong between. */
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { realSystem } from "../../src/base/system.js";
import type { GuardEvent } from "../../src/events/catalogue.js";
import type { FromRolesAnywhereInit } from "../../src/sdk/roles-anywhere.js";
import { fromRolesAnywhere } from "../../src/sdk/roles-anywhere.js";
import type { Issued } from "../support/certificates.mjs";
import { issue } from "../support/certificates.mjs";
import type { Service } from "../support/roles-anywhere-service.mjs";
import { startRolesAnywhereService } from "../support/roles-anywhere-service.mjs";
import { selfSignedCertificate } from "../support/tls-certificate.mjs";

const ACCOUNT = "111122223333";
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const root = issue({ name: "Root", ca: true, notAfter: Date.now() + 365 * DAY });

let service: Service;
let events: GuardEvent[];
let folder: string;

beforeEach(async () => {
  events = [];
  folder = mkdtempSync(join(tmpdir(), "imds-guard-life-"));
  vi.useFakeTimers({ toFake: ["Date", "performance"], now: Date.now() });
  service = await startRolesAnywhereService({ anchors: [root.cert] });
});
afterEach(async () => {
  await service.close();
  vi.useRealTimers();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const certificate = (): string => join(folder, "tls.crt");
const key = (): string => join(folder, "tls.key");
const write = (leaf: Issued): void => {
  writeFileSync(certificate(), leaf.cert);
  writeFileSync(key(), leaf.key, { mode: 0o600 });
};
const leafFor = (milliseconds: number): Issued =>
  issue({ name: "app", issuer: root, notBefore: Date.now() - HOUR, notAfter: Date.now() + milliseconds });
const init = (more: FromRolesAnywhereInit = {}): FromRolesAnywhereInit => ({
  certificate: certificate(),
  privateKey: key(),
  trustAnchorArn: `arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:trust-anchor/6f0e2c1a`,
  profileArn: `arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:profile/9a2b4c6d`,
  roleArn: `arn:aws:iam::${ACCOUNT}:role/app`,
  endpoint: service.url,
  guard: { log: "off", maxRetries: 0, onEvent: (event: GuardEvent) => events.push(event) },
  ...more,
});
const count = (code: string): number => events.filter((event) => event.code === code).length;
const pass = (milliseconds: number): void => {
  vi.advanceTimersByTime(milliseconds);
};
/** Renewals go on behind the caller's back: until there is something, or nothing comes. */
const settled = async (isThere = () => false, most = 1): Promise<void> => {
  for (let turn = 0; turn < most && !isThere(); turn += 1) await new Promise((resolve) => setTimeout(resolve, 25));
};

test("a week with certificates of a day, renewed every 16 hours: no call fails, and each session is of a valid one", async () => {
  write(leafFor(DAY));
  const provider = fromRolesAnywhere(init());
  const start = Date.now();
  let renewAt = start + 16 * HOUR;
  let renewals = 0;
  while (Date.now() < start + 7 * DAY) {
    if (Date.now() >= renewAt) {
      write(leafFor(DAY));
      renewAt += 16 * HOUR;
      renewals += 1;
    }
    const { expiration } = await provider();
    expect(expiration?.getTime()).toBeGreaterThan(Date.now());
    pass(HOUR / 6);
    await settled();
  }
  expect(count("roles_anywhere.certificate_renewed")).toBe(renewals);
  expect(service.requests.every(({ verdict }) => verdict.ok)).toBe(true);
  // One session an hour, and none for each call.
  expect(service.requests.length).toBeLessThan(7 * 24 * 1.3);
  expect(count("roles_anywhere.failed")).toBe(0);
}, 120_000);

describe("a renewal of the files", () => {
  const renewSession = async (provider: ReturnType<typeof fromRolesAnywhere>): Promise<unknown> =>
    provider({ forceRefresh: true });

  test("that has written the certificate and not yet the key is waited out", async () => {
    write(leafFor(DAY));
    const provider = fromRolesAnywhere(init());
    await provider();
    const next = leafFor(DAY);
    writeFileSync(certificate(), next.cert);
    const late = setTimeout(() => writeFileSync(key(), next.key), 80);
    await renewSession(provider);
    clearTimeout(late);
    expect(count("roles_anywhere.certificate_renewed")).toBe(1);
    expect(count("roles_anywhere.certificate_unusable")).toBe(0);
  });

  test("that swaps a whole folder, as Kubernetes does, gives no pair of two halves", async () => {
    // ..data leads to a folder with both files, and is renamed over.
    const publish = (leaf: Issued, version: number): void => {
      const home = join(folder, `..${version}`);
      mkdirSync(home);
      writeFileSync(join(home, "tls.crt"), leaf.cert);
      writeFileSync(join(home, "tls.key"), leaf.key, { mode: 0o600 });
      symlinkSync(`..${version}`, join(folder, "..data_tmp"));
      renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
    };
    publish(leafFor(DAY), 0);
    symlinkSync("..data/tls.crt", certificate());
    symlinkSync("..data/tls.key", key());
    const provider = fromRolesAnywhere(init());
    await provider();
    // In the very moment between the two readings.
    const read = realSystem.readFile;
    let version = 0;
    const spied = vi.spyOn(realSystem, "readFile").mockImplementation((path, limit) => {
      const found = read(path, limit);
      if (path === certificate() && version % 2 === 0) publish(leafFor(DAY), (version += 1));
      else if (path === certificate()) version += 1;
      return found;
    });
    for (let turn = 0; turn < 5; turn += 1) await renewSession(provider);
    spied.mockRestore();
    expect(service.requests).toHaveLength(6);
    expect(service.requests.every(({ verdict }) => verdict.ok)).toBe(true);
    expect(count("roles_anywhere.certificate_unusable")).toBe(0);
  });

  test.each([
    ["stays without its key", () => writeFileSync(certificate(), leafFor(DAY).cert)],
    ["leaves half a certificate", () => writeFileSync(certificate(), leafFor(DAY).cert.slice(0, 200))],
    ["leaves half a key", () => writeFileSync(key(), leafFor(DAY).key.slice(0, 90))],
    ["takes the certificate away", () => unlinkSync(certificate())],
    ["takes the key away", () => unlinkSync(key())],
  ])("that %s: the pair that was read before signs, and one event says why", async (_, spoil) => {
    write(leafFor(DAY));
    const provider = fromRolesAnywhere(init());
    await provider();
    spoil();
    await renewSession(provider);
    await renewSession(provider);
    expect(service.requests).toHaveLength(3);
    expect(service.requests.every(({ verdict }) => verdict.ok)).toBe(true);
    expect(count("roles_anywhere.certificate_unusable")).toBe(1);
  });

  test("that never comes: what is held serves to its end, and not beyond", async () => {
    write(leafFor(HOUR / 2));
    const provider = fromRolesAnywhere(init());
    const first = await provider();
    pass(HOUR - 2 * 60_000);
    expect((await provider()).accessKeyId).toBe(first.accessKeyId);
    await settled(() => count("roles_anywhere.renewal_failed") > 0, 200);
    expect(count("roles_anywhere.renewal_failed")).toBe(1);
    expect((await provider()).accessKeyId).toBe(first.accessKeyId);
    pass(2 * 60_000 + 1);
    await expect(provider()).rejects.toMatchObject({ code: "ERR_ROLES_ANYWHERE_CERTIFICATE", tryNextLink: false });
    expect(service.requests).toHaveLength(1);
  });
});

test("a service that is out: what is held serves to its end, and is renewed when it is back", async () => {
  write(leafFor(DAY));
  const provider = fromRolesAnywhere(init());
  const first = await provider();
  const { port } = new URL(service.url);
  await service.close();
  pass(HOUR - 4 * 60_000);
  expect((await provider()).accessKeyId).toBe(first.accessKeyId);
  await settled(() => count("roles_anywhere.renewal_failed") > 0, 200);
  expect(count("roles_anywhere.renewal_failed")).toBe(1);
  service = await startRolesAnywhereService({ anchors: [root.cert], port: Number(port) });
  pass(2 * 60_000);
  await provider();
  await settled(() => service.requests.length > 0, 200);
  expect(service.requests).toHaveLength(1);
  await settled();
  pass(3 * 60_000);
  expect((await provider()).expiration?.getTime()).toBeGreaterThan(Date.now());
});

test("a certificate that ends and a key that others can read are told of once", async () => {
  write(issue({ name: "app", issuer: root, notBefore: Date.now() - 20 * HOUR, notAfter: Date.now() + 6 * HOUR }));
  chmodSync(key(), 0o640);
  const provider = fromRolesAnywhere(init());
  await provider();
  await provider({ forceRefresh: true });
  expect(count("roles_anywhere.certificate_ending")).toBe(1);
  expect(count("roles_anywhere.key_exposed")).toBe(1);
});

test("of two certificates with other lives, warned is at a third of each, and 15 days at most", async () => {
  const cases: readonly (readonly [life: number, left: number, warned: boolean])[] = [
    [3 * HOUR, 1.1 * HOUR, false],
    [3 * HOUR, 0.9 * HOUR, true],
    [360 * DAY, 16 * DAY, false],
    [360 * DAY, 14 * DAY, true],
  ];
  for (const [life, left, warned] of cases) {
    events = [];
    write(issue({ name: "app", issuer: root, notBefore: Date.now() - (life - left), notAfter: Date.now() + left }));
    await fromRolesAnywhere(init())();
    expect(count("roles_anywhere.certificate_ending"), `${life} ${left}`).toBe(warned ? 1 : 0);
  }
});

test("the proxy of the environment is asked for this call alone, with AWS_CA_BUNDLE, and not where NO_PROXY says so", async () => {
  const tls = selfSignedCertificate();
  const secure = await startRolesAnywhereService({ anchors: [root.cert], tls });
  const bundle = join(folder, "ca.pem");
  writeFileSync(bundle, tls.cert);
  const asked: string[] = [];
  const open = new Set<Socket>();
  const proxy = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.end();
  });
  proxy.on("connect", (request, client: Socket) => {
    asked.push(`${request.method} ${request.url} ${request.headers["proxy-authorization"] ?? ""}`);
    const { hostname, port } = new URL(`http://${request.url}`);
    const server = connect(Number(port), hostname, () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      client.pipe(server).pipe(client);
    });
    for (const socket of [client, server]) open.add(socket.on("error", () => undefined));
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const { port } = proxy.address() as AddressInfo;
  try {
    write(leafFor(DAY));
    vi.stubEnv("AWS_CA_BUNDLE", bundle);
    vi.stubEnv("HTTPS_PROXY", `http://user:pass%20word@127.0.0.1:${port}`);
    vi.stubEnv("NO_PROXY", "169.254.169.254");
    const options = init({ endpoint: secure.url });
    await fromRolesAnywhere(options)();
    const { host } = new URL(secure.url);
    expect(asked).toEqual([`CONNECT ${host} Basic ${Buffer.from("user:pass word").toString("base64")}`]);
    vi.stubEnv("NO_PROXY", "127.0.0.1");
    await fromRolesAnywhere(options)();
    expect(asked).toHaveLength(1);
    expect(JSON.stringify(events)).not.toContain("pass");
    vi.stubEnv("NO_PROXY", "");
    vi.stubEnv("HTTPS_PROXY", "socks5://127.0.0.1:1");
    await expect(fromRolesAnywhere(options)()).rejects.toMatchObject({ code: "ERR_ROLES_ANYWHERE_SETTINGS" });
    expect(secure.requests).toHaveLength(2);
  } finally {
    for (const socket of open) socket.destroy();
    proxy.close();
    await secure.close();
  }
});
