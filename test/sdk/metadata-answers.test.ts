/** What programs in this process are answered that bring an IMDS client of their own, and what nobody else is. */
import type { IncomingHttpHeaders } from "node:http";
import { request as httpRequest } from "node:http";
import type { Socket } from "node:net";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Answers } from "../../src/firewall/redirect.js";
import type { Guard } from "../../src/guard/guard.js";
import { createMetadataAnswers } from "../../src/sdk/metadata-answers.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { freePort } from "../support/free-port.js";
import type { ImdsServer } from "../support/imds-server.mjs";
import { ACCOUNT, INSTANCE, LAPTOP, REGION, rigOn, startSigningImds, STRANGER } from "../guard/guarded-host.js";

const LIST = "/latest/meta-data/iam/security-credentials/";
let imds: ImdsServer;
let guard: Guard;
beforeEach(async () => {
  imds = await startSigningImds();
  guard = rigOn(imds, { maxRetries: 0 }).guard;
});
afterEach(async () => {
  await guard.close();
  await imds.close();
});

const answersAt = (level: "metadata" | "credentials" = "metadata"): Answers =>
  createMetadataAnswers({ guard: () => Promise.resolve(guard), level });

const ours = (): boolean => true;

/** A connection from a port that was announced as `isOurs` says; undefined: it was not. */
async function dial(answers: Answers, isOurs: (() => boolean) | undefined = ours): Promise<Socket> {
  const [port, localPort] = [(await answers.port()) ?? 0, await freePort()];
  if (isOurs !== undefined) answers.expect(localPort, isOurs);
  return connect({ host: "127.0.0.1", port, localAddress: "127.0.0.1", localPort });
}

interface Reply {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function ask(answers: Answers, { method = "GET", path = "/", headers = {}, body }: Asked): Promise<Reply> {
  const socket = await dial(answers);
  return new Promise((resolve, reject) => {
    const sent = httpRequest({
      method,
      path,
      headers: { host: "169.254.169.254", connection: "close", ...headers },
      createConnection: () => socket,
    });
    sent.once("error", reject);
    sent.once("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.once("end", () => resolve({ status: response.statusCode, headers: response.headers, body: text }));
    });
    sent.end(body);
  });
}

const TOKEN = { method: "PUT", path: "/latest/api/token", headers: { "x-aws-ec2-metadata-token-ttl-seconds": "60" } };
async function tokenOf(answers: Answers): Promise<Record<string, string>> {
  return { "x-aws-ec2-metadata-token": (await ask(answers, TOKEN)).body };
}
const statusOf = async (answers: Answers, asked: Asked): Promise<number | undefined> =>
  (await ask(answers, asked)).status;

describe("a connection", () => {
  /** What is received before it ends. */
  const received = (socket: Socket): Promise<string> =>
    new Promise((resolve) => {
      let text = "";
      socket.on("data", (part) => (text += part.toString()));
      socket.on("error", () => undefined);
      socket.once("close", () => resolve(text));
      socket.write(
        "PUT /latest/api/token HTTP/1.1\r\nhost: 169.254.169.254\r\nx-aws-ec2-metadata-token-ttl-seconds: 60\r\nconnection: close\r\n\r\n",
      );
    });

  test("that was led here is answered", async () => {
    expect(await received(await dial(answersAt()))).toMatch(/^HTTP\/1.1 200 /);
  });

  test.each([
    ["was not announced", undefined],
    ["is not this process's any more", () => false],
  ])("that %s is given nothing", async (_, isOurs) => {
    const answers = answersAt();
    const [port, localPort] = [(await answers.port()) ?? 0, await freePort()];
    if (isOurs !== undefined) answers.expect(localPort, isOurs);
    expect(await received(connect({ host: "127.0.0.1", port, localAddress: "127.0.0.1", localPort }))).toBe("");
  });

  test("is announced once: whoever has the port next is a stranger", async () => {
    const answers = answersAt();
    const socket = await dial(answers);
    const { port, localPort } = await new Promise<{ port: number; localPort: number }>((resolve) =>
      socket.once("connect", () => resolve({ port: socket.remotePort ?? 0, localPort: socket.localPort ?? 0 })),
    );
    expect(await received(socket)).not.toBe("");
    await new Promise<void>((resolve) => {
      if (socket.destroyed) resolve();
      else socket.once("close", () => resolve());
    });
    const next = connect({ host: "127.0.0.1", port, localAddress: "127.0.0.1", localPort });
    expect(await received(next)).toBe("");
  });

  test("comes from 127.0.0.1 itself", async () => {
    const answers = answersAt();
    const [port, localPort] = [(await answers.port()) ?? 0, await freePort()];
    answers.expect(localPort, ours);
    expect(await received(connect({ host: "127.0.0.1", port, localAddress: "127.0.0.2", localPort }))).toBe("");
  });

  test("finds no place among 1,024 that are awaited, unless some of them are gone", async () => {
    const [full, gone] = [answersAt(), answersAt()];
    for (let port = 1; port <= 1_024; port++) {
      full.expect(port, ours);
      gone.expect(port, () => false);
    }
    expect(await received(await dial(full))).toBe("");
    expect(await received(await dial(gone))).toMatch(/^HTTP\/1.1 200 /);
  });

  test("has no port where IMDS may not be asked, or nobody can tell", async () => {
    const refused = rigOn({ url: "" }, {}, LAPTOP).guard;
    expect(
      await createMetadataAnswers({ guard: () => Promise.resolve(refused), level: "metadata" }).port(),
    ).toBeUndefined();
    const failing = createMetadataAnswers({ guard: () => Promise.reject(new Error("x")), level: "metadata" });
    expect(await failing.port()).toBeUndefined();
    const answers = answersAt();
    expect(await answers.port()).toBe(await answers.port());
    await refused.close();
  });
});

describe("a token", () => {
  test.each(["1", "60", "21600"])("is given for %s seconds", async (ttl) => {
    const { status, headers, body } = await ask(answersAt(), {
      ...TOKEN,
      headers: { "x-aws-ec2-metadata-token-ttl-seconds": ttl },
    });
    expect([status, headers["x-aws-ec2-metadata-token-ttl-seconds"], headers["content-type"], headers.server]).toEqual([
      200,
      ttl,
      "text/plain",
      "imds-guard",
    ]);
    expect(headers["content-length"]).toBe(String(body.length));
  });

  test.each(["0", "21601", "-1", "1.5", "x", "6x", "x6", "100000", ""])("is not given for %j seconds", async (ttl) => {
    const headers = { "x-aws-ec2-metadata-token-ttl-seconds": ttl };
    expect(await statusOf(answersAt(), { ...TOKEN, headers })).toBe(400);
  });

  test("is not given where nobody says for how long", async () => {
    expect(await statusOf(answersAt(), { method: "PUT", path: TOKEN.path })).toBe(400);
  });

  test("is needed, in the form in which it was given, and by whom", async () => {
    const [answers, others] = [answersAt(), answersAt()];
    const path = "/latest/meta-data/placement/region";
    const { "x-aws-ec2-metadata-token": token = "" } = await tokenOf(answers);
    const [end = "", seal = ""] = token.split(".");
    const status = (given: string, at = answers): Promise<number | undefined> =>
      statusOf(at, { path, headers: { "x-aws-ec2-metadata-token": given } });
    expect(await status(token)).toBe(200);
    expect(await status(token, others)).toBe(401);
    expect(await statusOf(answers, { path })).toBe(401);
    const later = (Number.parseInt(end, 36) + 1).toString(36);
    for (const forged of [
      "",
      "x",
      end,
      `${end}.`,
      `.${seal}`,
      `${later}.${seal}`,
      `${token}A`,
      `A${token}`,
      `${end}.${"A".repeat(43)}`,
    ])
      expect(await status(forged)).toBe(401);
  });

  test("ends", async () => {
    const answers = answersAt();
    const { body } = await ask(answers, { ...TOKEN, headers: { "x-aws-ec2-metadata-token-ttl-seconds": "1" } });
    const asked = { path: "/latest/meta-data/placement/region", headers: { "x-aws-ec2-metadata-token": body } };
    await expect.poll(() => statusOf(answers, asked), { timeout: 20_000 }).toBe(401);
  });
});

describe("a request that no client of IMDS writes", () => {
  test.each<[string, Asked, number]>([
    ["to a name", { headers: { host: "localhost" } }, 403],
    ["to another address", { headers: { host: "127.0.0.1" } }, 403],
    ["to another port", { headers: { host: "169.254.169.254:8080" } }, 403],
    ["passed on", { headers: { "X-Forwarded-For": "10.0.0.1" } }, 403],
    ["passed on by a proxy", { headers: { via: "1.1 x" } }, 403],
    ["passed on, as RFC 7239 has it", { headers: { forwarded: "for=10.0.0.1" } }, 403],
    ["of another's original", { headers: { "x-original-url": "/" } }, 403],
    ["with the address of another", { headers: { "x-real-ip": "10.0.0.1" } }, 403],
    ["for a proxy", { headers: { "proxy-authorization": "x" } }, 403],
    ["with another protocol", { headers: { upgrade: "h2c", connection: "upgrade" } }, 403],
    ["with trailers", { headers: { te: "trailers" } }, 403],
    ["that names headers for the next hop", { headers: { connection: "close, x-aws-ec2-metadata-token" } }, 403],
    ["with a body", { headers: { "content-length": "1" }, body: "x" }, 403],
    ["that is absolute", { path: "http://169.254.169.254/latest/" }, 400],
    ["of another method", { method: "POST" }, 405],
    ["of another method, which has no body", { method: "HEAD" }, 405],
    ["that puts something elsewhere", { ...TOKEN, path: "/latest/api/token/" }, 405],
  ])("%s is refused", async (_, asked, status) => {
    const answers = answersAt("credentials");
    const headers = { ...(await tokenOf(answers)), ...asked.headers };
    const reply = await ask(answers, { ...asked, headers });
    expect([reply.status, reply.body, reply.headers.allow]).toEqual([status, "", status === 405 ? "GET" : undefined]);
    if (status === 403)
      expect(
        await statusOf(answers, {
          ...TOKEN,
          headers: { ...TOKEN.headers, ...asked.headers },
          ...(asked.body && { body: asked.body }),
        }),
      ).toBe(403);
  });

  test.each(["169.254.169.254", "169.254.169.254:80", "[fd00:ec2::254]", "[fd00:ec2::254]:80"])(
    "to %s it is one",
    async (host) => {
      for (const connection of ["close", "keep-alive", "Close"])
        expect(await statusOf(answersAt(), { ...TOKEN, headers: { ...TOKEN.headers, host, connection } })).toBe(200);
    },
  );
});

describe("what is answered", () => {
  test("is attested metadata, however many slashes lead there", async () => {
    const answers = answersAt();
    const headers = await tokenOf(answers);
    expect(await ask(answers, { path: "/latest/meta-data/instance-id", headers })).toMatchObject({
      status: 200,
      body: INSTANCE,
    });
    expect((await ask(answers, { path: "//latest///meta-data//placement/region", headers })).body).toBe(REGION);
  });

  test.each([
    "/latest/user-data",
    "/latest//user-data/",
    "/latest/meta-data/identity-credentials/ec2/info",
    "/latest/meta-data/iam/security-credentials-extended/x",
    "/latest/meta-data/identity-credentials-extended/ec2/info",
    "/latest/meta-data/no-such",
    "/latest/meta-data/../user-data",
  ])("is nothing at %s", async (path) => {
    const answers = answersAt("credentials");
    expect(await ask(answers, { path, headers: await tokenOf(answers) })).toMatchObject({ status: 404, body: "" });
  });

  test.each([
    ["/latest/user-data", 404],
    ["/latest/user-data/x", 404],
    ["/latest//user-data", 404],
    ["/2021-03-23/user-data", 404],
    ["/latest/meta-data/identity-credentials/ec2/info", 404],
    ["/latest/meta-data/identity-credentials-extended/ec2/info", 404],
    ["/latest/meta-data/iam/security-credentials-extended/x", 404],
    ["/latest/meta-data/iam/security-credentials", 404],
    ["/latest/user-data-of-mine", 200],
    ["/latest/meta-data/tags/instance/user-data.x", 200],
    ["/latest/meta-data/iam/security-credentials-of-mine", 200],
  ])("is told of %s by status %d, whatever the service has there", async (path, status) => {
    const answers = createMetadataAnswers({
      guard: () => Promise.resolve({ ...guard, metadata: () => Promise.resolve("x") }),
      level: "metadata",
    });
    expect(await statusOf(answers, { path, headers: await tokenOf(answers) })).toBe(status);
  });

  test("is asked for with at most 8 KiB of headers, which may say anything that is none of a proxy's", async () => {
    const answers = answersAt();
    const headers = { ...(await tokenOf(answers)), "x-note": "te" };
    const path = "/latest/meta-data/instance-id";
    expect(await statusOf(answers, { path, headers })).toBe(200);
    expect(await statusOf(answers, { path, headers: { ...headers, "x-note": "x".repeat(8_192) } })).toBe(431);
  });

  test("is no credential where metadata alone are answered", async () => {
    const answers = answersAt();
    const headers = await tokenOf(answers);
    for (const path of [
      LIST,
      LIST.slice(0, -1),
      `${LIST}app-server`,
      `/latest/meta-data/iam//security-credentials/app-server`,
    ])
      expect(await ask(answers, { path, headers })).toMatchObject({ status: 404, body: "" });
    expect(Object.keys(imds.counters.byRequest).filter((asked) => asked.includes("security-credentials"))).toEqual([]);
  });

  test("is the role and its credentials where they are, as IMDS writes them", async () => {
    const answers = answersAt("credentials");
    const headers = await tokenOf(answers);
    for (const path of [LIST, LIST.slice(0, -1)])
      expect(await ask(answers, { path, headers })).toMatchObject({ status: 200, body: "app-server" });
    const { status, body } = await ask(answers, { path: `${LIST}app-server`, headers });
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string;
    expect([status, JSON.parse(body)]).toEqual([
      200,
      {
        Code: "Success",
        LastUpdated: time,
        Type: "AWS-HMAC",
        AccessKeyId: accessKeyIdFor(ACCOUNT, "genuine"),
        SecretAccessKey: imds.identity.secretAccessKey,
        Token: imds.identity.sessionToken,
        Expiration: time,
      },
    ]);
    for (const path of [`${LIST}other`, `${LIST}app-server/`, `${LIST}app-server/x`])
      expect(await ask(answers, { path, headers })).toMatchObject({ status: 404, body: "" });
  });

  test("is the status for what the guard found", async () => {
    const answers = answersAt("credentials");
    const headers = await tokenOf(answers);
    const role = { path: `${LIST}app-server`, headers };
    const metadata = { path: "/latest/meta-data/ami-id", headers };
    imds.set({ accessKeyId: accessKeyIdFor(STRANGER) });
    expect(await statusOf(answers, role)).toBe(403);
    imds.set({ roleName: undefined });
    expect(await statusOf(answers, role)).toBe(404);
    imds.fail({ path: /.*/, times: 99, outcome: 500 });
    expect(await statusOf(answers, role)).toBe(503);
    expect(await statusOf(answers, metadata)).toBe(503);
    await guard.close();
    expect(await answers.port()).toBeUndefined();
  });

  test("is an error without words where the guard is broken", async () => {
    const answers = createMetadataAnswers({
      guard: () => Promise.resolve({ ...guard, metadata: () => Promise.reject(new Error("secret words")) }),
      level: "metadata",
    });
    const headers = await tokenOf(answers);
    expect(await ask(answers, { path: "/latest/meta-data/ami-id", headers })).toMatchObject({ status: 500, body: "" });
  });
});
