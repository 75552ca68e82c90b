import { createHash, createHmac } from "node:crypto";
import https, { createServer } from "node:https";
import { createServer as createHttpServer } from "node:http";
import type { IncomingMessage, RequestListener, Server } from "node:http";
import { connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createStsGate } from "../../src/guard/sts.js";
import { stsOrigin, verifyWithSts } from "../../src/guard/sts-identity.js";
import { isImdsGuardError } from "../../src/base/errors.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { selfSignedCertificate } from "../support/tls-certificate.mjs";
import { golden, wordingOf } from "../support/wording.js";

const { key, cert } = selfSignedCertificate();
const ARN = "arn:aws:sts::111122223333:assumed-role/app-server/i-0a1b2c3d4e5f60718";
const CREDENTIALS = {
  accessKeyId: "ASIARTX3GSDSY43XP4G5",
  secretAccessKey: "secret-that-never-shows",
  sessionToken: "token-that-never-shows",
};

let answer: RequestListener;
let seen:
  { headers: Record<string, unknown>; body: string; method?: string | undefined; url?: string | undefined } | undefined;
let server: Server;
let origin: string;

beforeAll(async () => {
  server = createServer({ key, cert }, (request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      seen = { headers: request.headers, body, method: request.method, url: request.url };
      answer(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

function xml(account: string, arn: string): RequestListener {
  return (_, response) =>
    response.end(
      `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>${arn}</Arn>` +
        `<UserId>AROAEXAMPLE:session</UserId><Account>${account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`,
    );
}

function ask(
  expected: Parameters<typeof verifyWithSts>[1],
  options: Partial<Parameters<typeof verifyWithSts>[2]> = {},
) {
  return verifyWithSts(CREDENTIALS, expected, {
    region: "eu-central-1",
    timeoutMs: 2_000,
    origin,
    ca: cert,
    ...options,
  });
}

async function failure(call: Promise<unknown>) {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isImdsGuardError(error)) throw new Error("no error of the guard", { cause: error });
  return error;
}

describe("stsOrigin", () => {
  // https://docs.aws.amazon.com/general/latest/gr/sts.html and the partitions of the AWS SDKs.
  it.each([
    [undefined, "eu-central-1", "https://sts.eu-central-1.amazonaws.com"],
    ["aws", "us-east-1", "https://sts.us-east-1.amazonaws.com"],
    ["aws-us-gov", "us-gov-west-1", "https://sts.us-gov-west-1.amazonaws.com"],
    ["aws-cn", "cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn"],
    ["aws-eusc", "eusc-de-east-1", "https://sts.eusc-de-east-1.amazonaws.eu"],
    ["aws-iso", "us-iso-east-1", "https://sts.us-iso-east-1.c2s.ic.gov"],
    ["aws-iso-b", "us-isob-east-1", "https://sts.us-isob-east-1.sc2s.sgov.gov"],
    ["aws-iso-e", "eu-isoe-west-1", "https://sts.eu-isoe-west-1.cloud.adc-e.uk"],
    ["aws-iso-f", "us-isof-south-1", "https://sts.us-isof-south-1.csp.hci.ic.gov"],
  ])("%s, %s: %s", (partition, region, origin) => {
    expect(stsOrigin(region, partition)).toBe(origin);
  });

  it.each(["aws-nowhere", "", "constructor"])("knows none for %j", (partition) => {
    expect(() => stsOrigin("eu-central-1", partition)).toThrow(
      `STS could not be asked whose credentials these are: no STS domain is known for partition "${partition}"`,
    );
  });
});

describe("verifyWithSts", () => {
  it("signs one GetCallerIdentity for the region and returns what STS says", async () => {
    answer = xml("111122223333", ARN);
    await expect(ask({ account: "111122223333", instanceId: "i-0a1b2c3d4e5f60718" })).resolves.toEqual({
      account: "111122223333",
      arn: ARN,
    });
    expect(seen).toMatchObject({ method: "POST", url: "/", body: "Action=GetCallerIdentity&Version=2011-06-15" });
    expect(seen?.headers["authorization"]).toMatch(
      /^AWS4-HMAC-SHA256 Credential=ASIARTX3GSDSY43XP4G5\/\d{8}\/eu-central-1\/sts\/aws4_request, SignedHeaders=[a-z0-9;-]*host[a-z0-9;-]*x-amz-security-token[a-z0-9;-]*, Signature=[0-9a-f]{64}$/,
    );
    expect(seen?.headers["x-amz-security-token"]).toBe(CREDENTIALS.sessionToken);
  });

  it("signs so that STS can verify it", async () => {
    answer = xml("111122223333", ARN);
    await ask({});
    const { headers, body } = seen!;
    const [, signedNames = "", signature] =
      /SignedHeaders=([^,]+), Signature=(\w+)/.exec(String(headers["authorization"])) ?? [];
    const date = String(headers["x-amz-date"]);
    const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
    const mac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
    // Signature Version 4, as
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html has it.
    const canonical = [
      "POST",
      "/",
      "",
      ...signedNames.split(";").map((name) => `${name}:${String(headers[name])}`),
      "",
      signedNames,
      hash(body),
    ].join("\n");
    const scope = `${date.slice(0, 8)}/eu-central-1/sts/aws4_request`;
    const key = scope.split("/").reduce<string | Buffer>(mac, `AWS4${CREDENTIALS.secretAccessKey}`);
    expect(signature).toBe(mac(key, ["AWS4-HMAC-SHA256", date, scope, hash(canonical)].join("\n")).toString("hex"));
    expect(headers["content-type"]).toBe("application/x-www-form-urlencoded");
    expect(signedNames.split(";")).toContain("host");
  });

  const refusals = [
    ["another account", xml("999922223333", ARN.replace("111122223333", "999922223333")), "ERR_IMDS_STS_MISMATCH"],
    ["another role", xml("111122223333", ARN.replace("app-server", "admin")), "ERR_IMDS_STS_MISMATCH"],
    ["another session", xml("111122223333", ARN.replace("60718", "60719")), "ERR_IMDS_STS_MISMATCH"],
    [
      "a user and no role session",
      xml("111122223333", "arn:aws:iam::111122223333:user/somebody"),
      "ERR_IMDS_STS_MISMATCH",
    ],
    [
      "a refusal",
      ((_, response) => response.writeHead(403).end("<Error/>")) satisfies RequestListener,
      "ERR_IMDS_STS_MISMATCH",
    ],
    [
      "an outage",
      ((_, response) => response.writeHead(503).end()) satisfies RequestListener,
      "ERR_IMDS_STS_UNAVAILABLE",
    ],
    [
      "account and ARN that disagree",
      xml("111122223333", ARN.replace("111122223333", "999922223333")),
      "ERR_IMDS_STS_UNAVAILABLE",
    ],
    ["two accounts", xml("111122223333</Account><Account>111122223333", ARN), "ERR_IMDS_STS_UNAVAILABLE"],
    ["no XML", ((_, response) => response.end("hello")) satisfies RequestListener, "ERR_IMDS_STS_UNAVAILABLE"],
    [
      "a flood",
      ((_, response) => response.end("x".repeat(100_000))) satisfies RequestListener,
      "ERR_IMDS_STS_UNAVAILABLE",
    ],
    [
      "half an answer",
      ((_, response) => (
        response.writeHead(200, { "content-length": "100" }),
        response.write("<"),
        response.socket?.destroy()
      )) as RequestListener,
      "ERR_IMDS_STS_UNAVAILABLE",
    ],
    [
      "a redirect",
      ((_, response) => response.writeHead(302, { location: "https://127.0.0.1:1/" }).end()) satisfies RequestListener,
      "ERR_IMDS_STS_UNAVAILABLE",
    ],
  ] as const;
  const refusal = async (listener: RequestListener) => {
    answer = listener;
    return failure(ask({ account: "111122223333", roleName: "app-server", instanceId: "i-0a1b2c3d4e5f60718" }));
  };

  it.each(refusals)("refuses on %s", async (_, listener, code) => {
    const error = await refusal(listener);
    expect(error.code).toBe(code);
    expect(error.tryNextLink).toBe(false);
    expect(JSON.stringify([error.message, error.evidence, error.advice])).not.toMatch(/never-shows/);
  });

  it("says what is kept", async () => {
    const told: Record<string, object> = {};
    for (const [name, listener] of refusals) {
      // How a broken connection is named depends on what breaks first.
      if (name !== "half an answer") told[name] = wordingOf(await refusal(listener));
    }
    await expect(golden(told)).toMatchFileSnapshot("golden/sts-identity.json");
  });

  it("compares only what is expected", async () => {
    const user = "arn:aws:iam::111122223333:user/somebody";
    answer = xml("111122223333", user);
    await expect(ask({ account: "111122223333" })).resolves.toEqual({ account: "111122223333", arn: user });
    expect((await failure(ask({ instanceId: "i-0a1b2c3d4e5f60718" }))).message).toBe(
      "STS says that these are credentials of no role session, not of instance i-0a1b2c3d4e5f60718. See docs/errors.md#ERR_IMDS_STS_MISMATCH",
    );
  });

  it("knows the ARNs of other partitions", async () => {
    const arn = ARN.replace("arn:aws:", "arn:aws-us-gov:");
    answer = xml("111122223333", arn);
    await expect(ask({ roleName: "app-server", instanceId: "i-0a1b2c3d4e5f60718" })).resolves.toEqual({
      account: "111122223333",
      arn,
    });
  });

  it.each([
    ["an ARN with something before it", `x${ARN}`],
    ["an ARN with a line behind it", `${ARN}\n`],
    ["another service's ARN", ARN.replace(":sts:", ":s3:")],
  ])("takes %s for none", async (_, arn) => {
    answer = xml("111122223333", arn);
    expect((await failure(ask({}))).code).toBe("ERR_IMDS_STS_UNAVAILABLE");
  });

  it("reads 64 KiB", async () => {
    const text = (): string => `<Arn>${ARN}</Arn><Account>111122223333</Account>`.padEnd(64 * 1024, " ");
    answer = (_, response) => response.end(text());
    await expect(ask({})).resolves.toMatchObject({ account: "111122223333" });
    answer = (_, response) => response.end(`${text()} `);
    expect((await failure(ask({}))).message).toContain("an answer of more than 64 KiB");
  });

  it("refuses 401 as it does 403", async () => {
    answer = (_, response) => response.writeHead(401).end("<Error/>");
    expect((await failure(ask({}))).code).toBe("ERR_IMDS_STS_MISMATCH");
  });

  it("ends at its deadline when STS is silent", async () => {
    answer = () => undefined;
    expect((await failure(ask({}, { timeoutMs: 100 }))).code).toBe("ERR_IMDS_STS_UNAVAILABLE");
  });

  it("does not talk to a server whose certificate nobody vouches for", async () => {
    seen = undefined;
    expect((await failure(ask({}, { ca: undefined }))).code).toBe("ERR_IMDS_STS_UNAVAILABLE");
    expect(seen).toBeUndefined();
  });

  it("knows no domain for an unknown partition", async () => {
    expect((await failure(ask({}, { partition: "aws-nowhere" }))).code).toBe("ERR_IMDS_STS_UNAVAILABLE");
  });
});

describe("what a process has one of", () => {
  /** As a TLS server that nobody vouches for would be reached by its genuine name. */
  const unknown = (options: Partial<Parameters<typeof verifyWithSts>[2]> = {}) =>
    failure(ask({}, { ca: undefined, ...options }));
  const before = { env: { ...process.env }, request: https.request, agent: https.globalAgent };
  afterEach(() => {
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    if (before.env["NODE_TLS_REJECT_UNAUTHORIZED"] === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    https.request = before.request;
    https.globalAgent = before.agent;
  });

  it("does not loosen TLS", async () => {
    seen = undefined;
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    https.globalAgent = new https.Agent({ rejectUnauthorized: false });
    expect((await unknown()).code).toBe("ERR_IMDS_STS_UNAVAILABLE");
    expect((await failure(ask({}, { origin: origin.replace("127.0.0.1", "localhost") }))).code).toBe(
      "ERR_IMDS_STS_UNAVAILABLE",
    );
    expect(seen).toBeUndefined();
  });

  it("leads no request elsewhere", async () => {
    answer = xml("111122223333", ARN);
    https.request = (() => {
      throw new Error("asked through the process's own function");
    }) as never;
    https.globalAgent = undefined as never;
    await expect(ask({ account: "111122223333" })).resolves.toMatchObject({ account: "111122223333" });
  });

  it("nor does what is on Object.prototype", async () => {
    answer = xml("111122223333", ARN);
    const polluted = {
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ca: "no certificate",
      agent: new https.Agent({ rejectUnauthorized: false }),
      socketPath: "/nowhere",
      localAddress: "192.0.2.1",
      family: 6,
      lookup: (_: string, __: object, done: (error: null, address: string, family: number) => void) =>
        done(null, "192.0.2.1", 4),
      minVersion: "TLSv1",
      ciphers: "none",
    };
    try {
      for (const [name, value] of Object.entries(polluted))
        Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true, enumerable: true });
      const [passed, refused] = await Promise.all([ask({ account: "111122223333" }), unknown()]);
      expect([passed.account, refused.code]).toEqual(["111122223333", "ERR_IMDS_STS_UNAVAILABLE"]);
    } finally {
      for (const name of Object.keys(polluted)) Reflect.deleteProperty(Object.prototype, name);
    }
  });
});

describe("through a proxy", () => {
  const proxies: Server[] = [];
  afterEach(() => {
    for (const proxy of proxies.splice(0)) proxy.close();
  });

  /** A proxy that answers CONNECT with `status`, and leads wherever it is told. */
  async function proxying(status = 200): Promise<{ url: string; heard: string[] }> {
    const heard: string[] = [];
    const proxy = createHttpServer();
    proxy.on("connect", (request: IncomingMessage, socket: Socket) => {
      heard.push(`${request.url ?? ""} ${request.headers["proxy-authorization"] ?? "-"}`);
      socket.on("error", () => undefined);
      if (status !== 200) return void socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
      const { hostname, port } = new URL(origin);
      const onward = connect(Number(port), hostname, () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        socket.pipe(onward).pipe(socket);
      });
      onward.on("error", () => socket.destroy());
    });
    proxies.push(proxy);
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, heard };
  }

  it("is asked with TLS to STS itself", async () => {
    answer = xml("111122223333", ARN);
    const { url, heard } = await proxying();
    await expect(ask({ account: "111122223333" }, { proxy: url })).resolves.toMatchObject({ arn: ARN });
    await ask({}, { proxy: url.replace("//", "//user%40:pass@") });
    expect(heard).toEqual([
      `127.0.0.1:${new URL(origin).port} -`,
      `127.0.0.1:${new URL(origin).port} Basic ${Buffer.from("user@:pass").toString("base64")}`,
    ]);
  });

  it("a proxy that leads to somebody else vouches for nobody", async () => {
    seen = undefined;
    const { url } = await proxying();
    const elsewhere = { proxy: url, origin: "https://sts.eu-central-1.amazonaws.com" };
    expect((await failure(ask({}, elsewhere))).code).toBe("ERR_IMDS_STS_UNAVAILABLE");
    expect(seen).toBeUndefined();
  });

  it.each([403, 407, 502])("a refusal (%i) is told, and no password", async (status) => {
    const { url } = await proxying(status);
    const error = await failure(ask({}, { proxy: url.replace("//", "//user:hunter2@") }));
    expect(error).toMatchObject({ code: "ERR_IMDS_STS_UNAVAILABLE" });
    expect(error.message).toContain(`HTTP ${status}`);
    expect(JSON.stringify([error.message, error.evidence, error.advice])).not.toContain("hunter2");
  });
});

describe("createStsGate", () => {
  const gate = (settings: Partial<Parameters<typeof createStsGate>[0]["settings"]>) =>
    createStsGate({
      settings: { verifyWithSts: "on", timeout: 2_000, configuredRegion: undefined, ...settings },
      sts: { origin, ca: cert },
    });
  const regionAsked = () => /\/\d{8}\/([^/]+)\/sts\//.exec(String(seen?.headers["authorization"]))?.[1];

  it.each([
    [undefined, undefined, "us-east-1"],
    [undefined, "eu-west-1", "eu-west-1"],
    ["eu-central-1", "eu-west-1", "eu-central-1"],
    // Whoever sets a region must not choose the host that is asked.
    [undefined, "evil.localhost:8443/", "us-east-1"],
    [undefined, "evil", "us-east-1"],
    [undefined, "xx-evil-1", "us-east-1"],
    [undefined, "", "us-east-1"],
  ])("attested %s, configured %s: asks in %s", async (region, configuredRegion, asked) => {
    answer = xml("171436882533", ARN.replace("111122223333", "171436882533"));
    await gate({ configuredRegion })({ ...CREDENTIALS, accessKeyId: "AKIAJ3EXAMPLEOLDKEY7" }, { region });
    expect(regionAsked()).toBe(asked);
  });

  it("tells the account, and asks once for a key and what it has to be", async () => {
    answer = xml("111122223333", ARN);
    const ask = gate({});
    const credentials = { ...CREDENTIALS, accessKeyId: accessKeyIdFor("111122223333") };
    expect(await ask(credentials, {})).toBe("111122223333");
    seen = undefined;
    expect(await ask(credentials, {})).toBe("111122223333");
    expect(seen).toBeUndefined();
    // That a key passed as anybody's says nothing of whose instance it is.
    expect((await failure(ask(credentials, { instanceId: "i-0ffffffffffffffff" }))).code).toBe("ERR_IMDS_STS_MISMATCH");
    expect(await gate({ verifyWithSts: "off" })(credentials, {})).toBeUndefined();
  });
});
