/** CreateSession: how often it is asked, with which time and which signature, and what becomes of each answer. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RolesAnywhereError } from "../../src/base/errors.js";
import { realSystem } from "../../src/base/system.js";
import { readCertificateChain } from "../../src/roles-anywhere/certificate.js";
import type { SessionBounds, SessionPlan, Signer } from "../../src/roles-anywhere/create-session.js";
import { createSession, pause, proxyOf } from "../../src/roles-anywhere/create-session.js";
import { signatureOf } from "../../src/roles-anywhere/signature.js";
import { issue } from "../support/certificates.mjs";
import type { Service } from "../support/roles-anywhere-service.mjs";
import { startRolesAnywhereService } from "../support/roles-anywhere-service.mjs";

const ACCOUNT = "111122223333";
const root = issue({ name: "root", ca: true });
const leaf = issue({ name: "leaf", issuer: root });
const chain = readCertificateChain({ text: leaf.cert, source: "x" }, undefined, Date.now());
const HOUR = 3_600_000;

type Options = Parameters<typeof startRolesAnywhereService>[0];
let service: Service;
let clocks: number[] = [];
const start = async (more: Partial<Options> = {}): Promise<void> => {
  await service.close();
  service = await startRolesAnywhereService({ anchors: [root.cert], ...more });
};
beforeEach(async () => {
  clocks = [];
  service = await startRolesAnywhereService({ anchors: [root.cert] });
});
afterEach(() => service.close());

const plan = (more: Partial<SessionPlan> = {}): SessionPlan => ({
  url: new URL(service.url),
  region: "eu-central-1",
  trustAnchorArn: `arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:trust-anchor/6f0e2c1a`,
  profileArn: `arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:profile/9a2b4c6d`,
  roleArn: `arn:aws:iam::${ACCOUNT}:role/app`,
  durationSeconds: 900,
  proxy: true,
  names: { trustAnchorArn: "anchor", profileArn: "profile", roleArn: "role" },
  ...more,
});
// Pauses as short as they may be: the clock that bounds them is the real one.
const bounds = (more: Partial<SessionBounds> = {}): SessionBounds => ({
  system: { ...realSystem, env: {}, random: () => 0 },
  timeoutMs: 5_000,
  maxRetries: 1,
  aheadMs: 0,
  onClock: (ahead) => clocks.push(ahead),
  ...more,
});
const ask = (more: Partial<SessionBounds> = {}, key: Signer | typeof leaf.privateKey = leaf.privateKey) =>
  createSession({ chain, key }, plan(), bounds(more));
async function refusal(asked: Promise<unknown>) {
  const error = await asked.then(
    () => new Error("it was given"),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: "RolesAnywhereError" });
  const { code, message, cause, evidence } = error as RolesAnywhereError;
  return { code: code.replace("ERR_ROLES_ANYWHERE_", ""), message, cause, evidence };
}
const answering = (statuses: readonly number[], body = "{}", headers: Record<string, string> = {}) =>
  start({
    intercept: ({ index, response }) => {
      const status = statuses[Math.min(index, statuses.length - 1)] ?? 0;
      if (status === 201) return false;
      response.writeHead(status, headers).end(body);
      return true;
    },
  });

describe("a session", () => {
  test("is asked for once", async () => {
    const session = await ask();
    expect(session).toMatchObject({ accountId: ACCOUNT, accessKeyId: expect.stringMatching(/^ASIA/) as string });
    expect(service.requests).toHaveLength(1);
    expect(service.requests[0]).toMatchObject({ body: '{"durationSeconds":900}', verdict: { ok: true } });
    expect(clocks).toEqual([]);
  });

  test("has the name that it should have", async () => {
    await createSession({ chain, key: leaf.privateKey }, plan({ roleSessionName: "night" }), bounds());
    expect(service.requests[0]?.body).toBe('{"durationSeconds":900,"roleSessionName":"night"}');
  });

  test("of another account than the role's is none", async () => {
    await start({ account: "999988887777" });
    expect(await refusal(ask())).toMatchObject({ code: "ACCOUNT" });
  });

  test("whose end is over by the clock that is known to be right is none", async () => {
    await start({ lifeMs: HOUR });
    await ask({ system: { ...realSystem, env: {}, now: () => Date.now() + 2 * HOUR }, aheadMs: 2 * HOUR });
    expect(service.requests).toHaveLength(1);
  });

  test("is not asked for where the ARNs contradict each other", async () => {
    const odd = plan({ roleArn: "arn:aws:iam::444455556666:role/app" });
    expect(await refusal(createSession({ chain, key: leaf.privateKey }, odd, bounds()))).toMatchObject({
      code: "SETTINGS",
      message: expect.stringContaining("role is of account") as string,
    });
    expect(service.requests).toEqual([]);
  });
});

describe("is asked for again", () => {
  test.each([
    [0, [500], 1],
    [1, [500], 2],
    [2, [429], 3],
    [2, [503, 500, 201], 3],
    [2, [503, 201], 2],
  ])("at most %i times, for %j", async (maxRetries, statuses, count) => {
    await answering(statuses);
    const asked = ask({ maxRetries });
    if (statuses.at(-1) === 201) expect(await asked).toMatchObject({ accountId: ACCOUNT });
    else
      expect(await refusal(asked)).toMatchObject({
        code: "UNREACHABLE",
        message: expect.stringContaining(`POST /sessions: HTTP ${statuses.at(-1)}.`) as string,
      });
    expect(service.requests).toHaveLength(count);
  });

  test("with the name of what is passing", async () => {
    await answering([400], "{}", { "x-amzn-errortype": "ThrottlingException" });
    expect(await refusal(ask({ maxRetries: 0 }))).toMatchObject({
      message: expect.stringContaining("HTTP 400 ThrottlingException") as string,
    });
  });

  test("where nobody is there, and not where what is there is no HTTP", async () => {
    await start({
      intercept: ({ index, response }) => {
        if (index > 0) return false;
        response.socket?.destroy();
        return true;
      },
    });
    expect(await ask()).toMatchObject({ accountId: ACCOUNT });
    await start({
      intercept: ({ response }) => {
        response.socket?.write("SSH-2.0-x\r\n");
        return true;
      },
    });
    expect(await refusal(ask())).toMatchObject({ code: "MALFORMED", cause: expect.any(Error) as Error });
    expect(service.requests).toHaveLength(1);
    await start({
      intercept: ({ response }) => {
        response.socket?.destroy();
        return true;
      },
    });
    expect(await refusal(ask())).toMatchObject({ code: "UNREACHABLE", message: expect.stringContaining("ECONNRESET") });
    expect(service.requests).toHaveLength(2);
  });

  test("only while there is time", async () => {
    await answering([500]);
    // 100 milliseconds are the least before the second, 200 before the third.
    expect(await refusal(ask({ maxRetries: 9, timeoutMs: 95 }))).toMatchObject({ code: "UNREACHABLE" });
    expect(service.requests).toHaveLength(1);
    expect(await refusal(ask({ timeoutMs: 0 }))).toMatchObject({
      message: expect.stringContaining("the time for it (0 ms) is over") as string,
    });
  });

  test("after a pause that grows to two seconds, in its upper half", async () => {
    for (const [retry, least] of [
      [0, 100],
      [1, 200],
      [3, 800],
      [4, 1_000],
      [20, 1_000],
    ] as const) {
      const waits: number[] = [];
      for (const random of [0, 1]) {
        const system = { ...realSystem, monotonic: () => 0, random: () => random };
        // There is no time for it one millisecond before its end, and a pause that would fit is not taken here.
        const fits = least * (1 + random);
        expect(await pause(retry, fits, system)).toBe(false);
        waits.push(fits);
      }
      expect(waits[1]).toBe(2 * least);
    }
    const begun = performance.now();
    expect(await pause(0, 101, { ...realSystem, monotonic: () => 0, random: () => 0 })).toBe(true);
    expect(performance.now() - begun).toBeGreaterThan(95);
  });
});

describe("an answer that is none", () => {
  test.each([
    [200, "MALFORMED", "HTTP 200 where a session is 201"],
    [302, "MALFORMED", "HTTP 302 where a session is 201"],
    [399, "MALFORMED", "HTTP 399 where a session is 201"],
    [400, "REFUSED", "AWS refused POST /sessions (HTTP 400)"],
    [403, "REFUSED", "AWS refused POST /sessions (HTTP 403)"],
  ])("%i", async (status, code, says) => {
    await answering([status]);
    expect(await refusal(ask())).toMatchObject({ code, message: expect.stringContaining(says) as string });
    expect(service.requests).toHaveLength(1);
  });
});

describe("the clock", () => {
  const system = (ahead: number) => ({ ...realSystem, env: {}, now: () => Date.now() + ahead });

  test("that is wrong is told, and the request signed again by AWS's", async () => {
    for (const ahead of [HOUR, -HOUR]) {
      clocks = [];
      await start();
      expect(await ask({ system: system(ahead) })).toMatchObject({ accountId: ACCOUNT });
      expect(service.requests.map(({ verdict }) => verdict.ok)).toEqual([false, true]);
      expect(clocks).toHaveLength(1);
      expect(Math.abs((clocks[0] ?? 0) - ahead)).toBeLessThan(5_000);
    }
  });

  test("that is known to be wrong is made up for at once", async () => {
    expect(await ask({ system: system(HOUR), aheadMs: HOUR })).toMatchObject({ accountId: ACCOUNT });
    expect(service.requests).toHaveLength(1);
  });

  test("is not blamed for what it did not do", async () => {
    await answering([403], '{"message":"no"}', { date: new Date(Date.now() - HOUR).toUTCString() });
    expect(await refusal(ask())).toMatchObject({ code: "REFUSED" });
    // Once with the time that was told, and not a third time.
    expect(service.requests).toHaveLength(2);
    await answering([403], "{}", { date: new Date(Date.now() - 30_000).toUTCString() });
    clocks = [];
    await refusal(ask());
    expect([service.requests.length, clocks]).toEqual([1, []]);
    await answering([403], "{}", { date: "yesterday" });
    await refusal(ask());
    expect([service.requests.length, clocks]).toEqual([1, []]);
    await answering([403], "{}", { date: new Date(Date.now() - HOUR).toUTCString() });
    await refusal(ask({ aheadMs: HOUR }));
    expect([service.requests.length, clocks.length]).toEqual([1, 1]);
  });
});

describe("a function that signs", () => {
  test("is given the whole string and its algorithm, and may give any bytes of the signature", async () => {
    const seen: unknown[] = [];
    const sign: Signer = (message, options) => {
      seen.push(message.toString().split("\n")[0], options);
      return new Uint8Array(signatureOf(message, chain.algorithm, leaf.privateKey));
    };
    expect(await ask({}, sign)).toMatchObject({ accountId: ACCOUNT });
    expect(seen).toEqual(["AWS4-X509-ECDSA-SHA256", { algorithm: "AWS4-X509-ECDSA-SHA256" }]);
  });

  test.each<[string, Signer, string, string]>([
    ["no bytes", () => "x" as never, "KEY", "sign gave no bytes"],
    [
      "another signature",
      (message) => signatureOf(message, chain.algorithm, issue({ name: "y" }).privateKey),
      "KEY",
      "its signature is not one of the certificate's key (AWS4-X509-ECDSA-SHA256; DER for ECDSA)",
    ],
    [
      "the signature of a changed message",
      (message) => {
        message[0] = 0;
        return signatureOf(message, chain.algorithm, leaf.privateKey);
      },
      "KEY",
      "its signature is not one of",
    ],
    [
      "an error",
      () => {
        throw new Error("no token");
      },
      "KEY",
      "sign failed",
    ],
    ["a rejection", () => Promise.reject(new Error("no token")), "KEY", "sign failed"],
    ["nothing in time", () => new Promise(() => undefined), "UNREACHABLE", "sign gave no signature in time"],
  ])("and gives %s", async (_, sign, code, says) => {
    const refused = await refusal(ask({ timeoutMs: 150 }, sign));
    expect(refused).toMatchObject({ code, message: expect.stringContaining(says) as string });
    if (says === "sign failed") expect(refused.cause).toMatchObject({ message: "no token" });
    else expect(refused.cause).toBeUndefined();
    expect(service.requests).toEqual([]);
  });
});

test("a proxy that is none is a mistake of the settings, which is not shown", () => {
  const url = new URL("https://rolesanywhere.eu-central-1.amazonaws.com");
  expect(() => proxyOf(url, { ...realSystem, env: { HTTPS_PROXY: "socks5://u:secret@x" } })).toThrow(
    expect.objectContaining({
      code: "ERR_ROLES_ANYWHERE_SETTINGS",
      message: expect.not.stringContaining("secret") as string,
      advice: "Set it to http://HOST:PORT or https://HOST:PORT.",
      evidence: [{ source: "HTTPS_PROXY", says: "cannot be used as written" }],
    }) as Error,
  );
  expect(proxyOf(url, { ...realSystem, env: { HTTPS_PROXY: "http://p:1" } })?.href).toBe("http://p:1/");
});
