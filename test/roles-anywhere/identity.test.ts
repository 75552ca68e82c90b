/** Where certificate and key are read from, what is said where they cannot be, and what becomes of a pair that was held. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RolesAnywhereError } from "../../src/base/errors.js";
import { realSystem } from "../../src/base/system.js";
import type { EventDetails } from "../../src/events/catalogue.js";
import type { IdentitySources, Source } from "../../src/roles-anywhere/identity.js";
import { createIdentityLoader } from "../../src/roles-anywhere/identity.js";
import { encrypted, issue } from "../support/certificates.mjs";

const DAY = 86_400_000;
const root = issue({ name: "root", ca: true, notAfter: Date.now() + 400 * DAY });
const issuing = issue({ name: "issuing", ca: true, issuer: root, notAfter: Date.now() + 400 * DAY });
const leaf = issue({ name: "leaf", issuer: issuing, notAfter: Date.now() + 300 * DAY });
const other = issue({ name: "other", issuer: issuing });

let folder = "";
let events: { readonly code: string; readonly message?: string | undefined; readonly evidence?: unknown }[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "imds-guard-identity-"));
  events = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const file = (name: string, text: string, mode = 0o600): string => {
  writeFileSync(join(folder, name), text, { mode });
  return join(folder, name);
};
const named = (name: string, text?: string): Source => ({
  file: text === undefined ? join(folder, name) : file(name, text),
  setting: `${name}-setting`,
});
const text = (value: string): Source => ({ text: value, setting: "text-setting" });
const fetching = (fetch: () => unknown): Source => ({ fetch: fetch as () => string, setting: "fetch-setting" });
const BOTH: IdentitySources = { certificate: text(leaf.cert), privateKey: text(leaf.key) };

function loaderOf(sources: Partial<IdentitySources>, system = realSystem, timeoutMs = 1_000) {
  const reporter = {
    report(code: string, details: EventDetails | (() => EventDetails) = {}): void {
      const { message, evidence } = typeof details === "function" ? details() : details;
      events.push({ code, message, evidence });
    },
  };
  return createIdentityLoader({ ...BOTH, ...sources }, { system, reporter, timeoutMs });
}
const load = (sources: Partial<IdentitySources>, now = Date.now()) => loaderOf(sources).load(now);
async function refusal(loading: Promise<unknown>) {
  const error = await loading.then(
    () => new Error("it was read"),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: "RolesAnywhereError" });
  const { code, evidence, advice, cause } = error as RolesAnywhereError;
  return { code, ...evidence[0], advice, cause };
}
const codes = () => events.map(({ code }) => code);

describe("is read", () => {
  test("from files, with intermediates in one of their own", async () => {
    const identity = await load({
      certificate: named("tls.crt", leaf.cert),
      certificateChain: named("ca.crt", issuing.cert),
      privateKey: named("tls.key", leaf.key),
    });
    expect(identity.chain.intermediates).toHaveLength(1);
    expect(events).toEqual([]);
  });

  test("from functions, as text or bytes, at once or later", async () => {
    const identity = await load({
      certificate: fetching(() => Buffer.from(leaf.cert)),
      certificateChain: fetching(() => Promise.resolve(issuing.cert)),
      privateKey: fetching(async () => Promise.resolve(new Uint8Array(Buffer.from(leaf.key)))),
    });
    expect(identity.chain.intermediates).toHaveLength(1);
  });

  test.each([
    ["as it is", "pass"],
    ["with a line end", "pass\n"],
    ["with one of Windows", "pass\r\n"],
    ["with a mark of its encoding", "\ufeffpass\n"],
  ])("with a passphrase from a file, %s", async (_, written) => {
    const privateKey = text(encrypted(leaf.key, "pass"));
    expect(await load({ privateKey, passphrase: named("pass", written) })).toHaveProperty("key.type", "private");
  });

  test("with a passphrase that ends with a line, given as it is", async () => {
    const privateKey = text(encrypted(leaf.key, "pass\n"));
    expect(await load({ privateKey, passphrase: text("pass\n") })).toHaveProperty("key.type", "private");
    expect(await refusal(load({ privateKey, passphrase: named("pass", "pass\n") }))).toMatchObject({
      code: "ERR_ROLES_ANYWHERE_KEY",
    });
  });

  test("with a function that signs, which has no key", async () => {
    const sign = (): Buffer => Buffer.alloc(0);
    const identity = await load({ privateKey: { sign } });
    expect(identity.key).toBe(sign);
    expect(identity).toEqual({ chain: identity.chain, key: sign });
  });
});

describe("cannot be read", () => {
  const CERTIFICATE = "ERR_ROLES_ANYWHERE_CERTIFICATE";
  const KEY = "ERR_ROLES_ANYWHERE_KEY";
  const long = (length: number) => () => "x".repeat(length);
  test.each<[string, () => Partial<IdentitySources>, string, string, string]>([
    ["absent", () => ({ certificate: named("tls.crt") }), CERTIFICATE, "there is no such file", "tls.crt"],
    ["an absent key", () => ({ privateKey: named("tls.key") }), KEY, "there is no such file", "tls.key"],
    [
      "a folder",
      () => {
        mkdirSync(join(folder, "tls.crt"));
        return { certificate: named("tls.crt") };
      },
      CERTIFICATE,
      "it cannot be read (EISDIR)",
      "tls.crt",
    ],
    [
      "too large a file",
      () => ({ privateKey: named("tls.key", "x".repeat(262_145)) }),
      KEY,
      "it is larger than 262144 bytes",
      "tls.key",
    ],
    [
      "a passphrase that is absent",
      () => ({ passphrase: named("pass") }),
      KEY,
      "its passphrase: there is no such file",
      "pass-setting",
    ],
    [
      "a passphrase that is too long",
      () => ({ passphrase: named("pass", "x".repeat(4_097)) }),
      KEY,
      "its passphrase: it is larger than 4096 bytes",
      "pass-setting",
    ],
    ["no text", () => ({ certificate: fetching(() => 5) }), CERTIFICATE, "the function gave no text", "fetch-setting"],
    ["nothing", () => ({ privateKey: fetching(() => undefined) }), KEY, "the function gave no text", "fetch-setting"],
    [
      "too much",
      () => ({ certificate: fetching(long(262_145)) }),
      CERTIFICATE,
      "the function gave more than 262144 characters",
      "fetch-setting",
    ],
    [
      "too much of a passphrase",
      () => ({ passphrase: fetching(long(4_097)) }),
      KEY,
      "its passphrase: the function gave more than 4096 characters",
      "fetch-setting",
    ],
    [
      "a function that throws",
      () => ({
        privateKey: fetching(() => {
          throw new Error("sealed");
        }),
      }),
      KEY,
      "the function that gives it failed",
      "fetch-setting",
    ],
  ])("%s", async (_, sources, code, says, source) => {
    const refused = await refusal(load(sources()));
    expect(refused).toMatchObject({ code, says, advice: expect.stringMatching(/^Correct .*-setting\.$/) as string });
    expect(refused.source?.endsWith(source)).toBe(true);
    if (says.endsWith("failed")) expect(refused.cause).toMatchObject({ message: "sealed" });
  });

  test("a function that gives nothing in time", async () => {
    const never = fetching(() => new Promise(() => undefined));
    expect(await refusal(loaderOf({ certificate: never }, realSystem, 30).load(Date.now()))).toMatchObject({
      code: "ERR_ROLES_ANYWHERE_UNREACHABLE",
      source: "fetch-setting",
      says: "the function gave nothing within 30 ms",
    });
  });

  test("the key of another certificate", async () => {
    expect(
      await refusal(load({ certificate: named("tls.crt", leaf.cert), privateKey: named("tls.key", other.key) })),
    ).toMatchObject({
      code: KEY,
      source: join(folder, "tls.key"),
      says: `it is not the key of the certificate (${join(folder, "tls.crt")})`,
      advice: expect.stringContaining("one of them is still the old one") as string,
    });
  });
});

describe("a pair that is held", () => {
  const sources = () => ({ certificate: named("tls.crt"), privateKey: named("tls.key") });
  const write = (one = leaf): void => {
    file("tls.crt", one.cert + issuing.cert);
    file("tls.key", one.key);
  };

  test("is used while what is there cannot be, which is told of once for each reason", async () => {
    write();
    const loader = loaderOf(sources());
    const held = await loader.load(Date.now());
    for (const spoil of [() => unlinkSync(join(folder, "tls.key")), () => file("tls.key", other.key)]) {
      spoil();
      expect(await loader.load(Date.now())).toBe(held);
      expect(await loader.load(Date.now())).toBe(held);
    }
    expect(codes()).toEqual(["roles_anywhere.certificate_unusable", "roles_anywhere.certificate_unusable"]);
    expect(events[0]?.message).toContain(
      `The pair read before is used, which ends at ${held.chain.notAfter.toISOString()}`,
    );
  });

  test("is used to its end, and not beyond", async () => {
    write();
    const loader = loaderOf(sources());
    const { chain } = await loader.load(Date.now());
    unlinkSync(join(folder, "tls.crt"));
    const end = chain.notAfter.getTime();
    await loader.load(end - 1);
    expect(await refusal(loader.load(end))).toMatchObject({ says: "there is no such file" });
  });

  test("gives way to the next, which is told of", async () => {
    write();
    const loader = loaderOf(sources());
    await loader.load(Date.now());
    await loader.load(Date.now());
    expect(events).toEqual([]);
    const next = issue({ name: "next", issuer: issuing, notAfter: Date.now() + 300 * DAY });
    write(next);
    expect((await loader.load(Date.now())).chain.leaf.subject).toBe("CN=next");
    expect(codes()).toEqual(["roles_anywhere.certificate_renewed"]);
    expect(events[0]?.message).toMatch(/tls\.crt\) was renewed and ends at \w{3} /);
  });

  test("is not waited for where nothing comes from files", async () => {
    let asked = 0;
    const certificate = fetching(() => {
      asked += 1;
      return "no certificate";
    });
    await refusal(load({ certificate }));
    expect(asked).toBe(1);
    for (const sources of [
      { certificateChain: named("ca.crt", issuing.cert) },
      { privateKey: named("tls.key", leaf.key) },
    ])
      await refusal(load({ ...sources, certificate }));
    expect(asked).toBe(5);
  });
});

describe("is told of", () => {
  test.each([
    [0o600, undefined],
    [0o400, undefined],
    [0o640, "0640"],
    [0o604, "0604"],
    [0o610, "0610"],
    [0o777, "0777"],
  ])("a key of mode %o: %s", async (mode, told) => {
    const privateKey = named("tls.key", leaf.key);
    chmodSync(join(folder, "tls.key"), mode);
    const loader = loaderOf({ privateKey });
    await loader.load(Date.now());
    await loader.load(Date.now());
    expect(codes()).toEqual(told === undefined ? [] : ["roles_anywhere.key_exposed"]);
    if (told === undefined) return;
    expect(events[0]?.message).toContain(`can be used by others on this host (mode ${told})`);
    expect(events[0]?.evidence).toEqual([
      { source: join(folder, "tls.key"), value: told, says: "is open to group or others" },
    ]);
  });

  test("no mode where there are none, and none of what is no file", async () => {
    const privateKey = named("tls.key", leaf.key);
    chmodSync(join(folder, "tls.key"), 0o666);
    await loaderOf({ privateKey }, { ...realSystem, platform: "win32" }).load(Date.now());
    await load({});
    expect(events).toEqual([]);
  });

  test.each([
    [30, 11, false],
    [30, 9, true],
    [300, 16, false],
    [300, 14, true],
  ])("a certificate of %i days with %i left: %s", async (life, left, told) => {
    const now = Date.now();
    const one = issue({ name: "x", issuer: root, notBefore: now - (life - left) * DAY, notAfter: now + left * DAY });
    const loader = loaderOf({ certificate: named("tls.crt", one.cert), privateKey: text(one.key) });
    const { chain } = await loader.load(now);
    await loader.load(now);
    expect(codes()).toEqual(told ? ["roles_anywhere.certificate_ending"] : []);
    if (!told) return;
    const end = chain.notAfter.toISOString();
    expect(events[0]?.message).toBe(`The certificate (${join(folder, "tls.crt")}) ends at ${end}`);
    expect(events[0]?.evidence).toEqual([{ source: join(folder, "tls.crt"), value: end, says: "is its end" }]);
  });
});
