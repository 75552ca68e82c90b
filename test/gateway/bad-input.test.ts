/** Requests that no client of the service sends: what each is answered with, who is named, and that nothing is asked for it. */
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readAccounts } from "../../src/gateway/accounts.js";
import { createCallerLookup } from "../../src/gateway/callers.js";
import type { Exchange, Responder } from "../../src/gateway/responder.js";
import { startResponder } from "../../src/gateway/responder.js";
import { readRules } from "../../src/gateway/rules-file.js";
import { createTokenMint } from "../../src/gateway/tokens.js";
import { createUpstream } from "../../src/gateway/upstream.js";

const OWN = process.getuid?.() ?? 0;
const HOST = "Host: 169.254.169.254";
const TTL = "X-aws-ec2-metadata-token-ttl-seconds";
const TOKEN = "X-aws-ec2-metadata-token";
const ROLE = "/latest/meta-data/iam/security-credentials/app";

let responder: Responder;
let exchanges: Exchange[] = [];
let fetched: string[] = [];
let issued = 0;
/** Neither tokens nor what is remembered of answers get older while a test runs. */
const still = () => 0;
const mint = createTokenMint(still);
const own = mint.issue(`user ${OWN}`, 21_600);
const another = mint.issue(`user ${OWN + 1}`, 21_600);

beforeEach(async () => {
  exchanges = [];
  fetched = [];
  issued = 0;
  const accounts = readAccounts();
  // Metadata alone: neither credentials nor user data, however they are asked for.
  const { rules } = readRules(`[[rule]]\nuser = ${OWN}\npaths = ["/latest/meta-data/*"]\n`, accounts);
  const source = {
    async fetch(path: string) {
      fetched.push(path);
      return Buffer.from(`of ${path}`);
    },
    async credentials() {
      issued += 1;
      const expiration = new Date("2030-01-01T00:00:00.000Z");
      return { accessKeyId: "ASIA", secretAccessKey: "secret", sessionToken: "token", expiration, roleName: "app" };
    },
  };
  responder = await startResponder({
    port: 0,
    addresses: ["127.0.0.1"],
    bridgeOf: () => undefined,
    lookup: createCallerLookup({ accounts }),
    mint,
    upstream: createUpstream(source, still, still),
    rules: () => rules,
    uidMin: 1_000,
    refusal: async () => undefined,
    v1: "report",
    onExchange: (exchange) => exchanges.push(exchange),
  });
});
afterEach(() => responder.close());

/** A last request on the same connection: what is answered before it belongs to the bytes that went ahead. */
const END = "/end-of-test";

/** The statuses of all answers to these bytes. */
function statuses(bytes: string): Promise<readonly number[]> {
  return new Promise((resolve) => {
    const socket = connect(responder.port, "127.0.0.1", () => socket.write(Buffer.from(bytes, "latin1")));
    let text = "";
    socket.setEncoding("latin1").once("data", () => socket.write(get(END, "Connection: close")));
    socket.on("data", (piece: string) => (text += piece));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      expect(text).not.toContain("secret");
      const answers = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
      // Where the connection ended with these bytes it was not asked.
      const ended = exchanges.filter(({ path }) => path === END).length;
      exchanges = exchanges.filter(({ path }) => path !== END);
      resolve(answers.slice(0, answers.length - ended));
    });
  });
}

const request = (line: string, ...headers: string[]): string => [line, ...headers, "", ""].join("\r\n");
const get = (path: string, ...headers: string[]): string => request(`GET ${path} HTTP/1.1`, HOST, ...headers);
const put = (...headers: string[]): string => request("PUT /latest/api/token HTTP/1.1", HOST, ...headers);

describe.skipIf(process.platform !== "linux")("a request", () => {
  it.each<[string, string, readonly number[]]>([
    ["with an absolute URL", get("http://169.254.169.254/latest/user-data"), [404]],
    ["with an absolute URL of another host", get("http://evil.example/latest/user-data"), [404]],
    ["with no path", request("GET * HTTP/1.1", HOST), [404]],
    ["for another Host", request("GET /latest/meta-data/mac HTTP/1.1", "Host: evil.example"), [400]],
    ["for a Host with a user", request("GET /latest/meta-data/mac HTTP/1.1", "Host: x@169.254.169.254"), [400]],
    ["for a Host in decimal", request("GET /latest/meta-data/mac HTTP/1.1", "Host: 2852039166"), [400]],
    [
      "for a Host of loopback without our port",
      request("GET /latest/meta-data/mac HTTP/1.1", "Host: 127.0.0.1"),
      [400],
    ],
    ["for no Host", request("GET /latest/meta-data/mac HTTP/1.1"), [400]],
    ["for an empty Host", request("GET /latest/meta-data/mac HTTP/1.1", "Host: "), [400]],
    [
      "that upgrades to h2c",
      get("/latest/meta-data/mac", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
      [400],
    ],
    [
      "that upgrades to a WebSocket",
      get("/latest/meta-data/mac", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: eA=="),
      [400],
    ],
    ["of HTTP/2 at once", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]],
    ["of HTTP/0.9", "GET /latest/user-data\r\n\r\n", [400]],
    ["of HTTP/3.0", request("GET /latest/meta-data/mac HTTP/3.0", HOST), [400]],
    [
      "in pieces, with a trailer",
      `${get("/latest/meta-data/mac", "Transfer-Encoding: chunked", "Trailer: X")}0\r\nX: y\r\n\r\n`,
      [400],
    ],
    ["that expects to be told to go on", get("/latest/meta-data/mac", "Expect: 100-continue"), [400]],
    ["that expects something else", get("/latest/meta-data/mac", "Expect: 200-ok"), [400]],
    ["with two lengths that differ", get("/latest/meta-data/mac", "Content-Length: 0", "Content-Length: 5"), [400]],
    ["with two lengths that agree", get("/latest/meta-data/mac", "Content-Length: 0", "Content-Length: 0"), [400]],
    ["with a list of lengths", get("/latest/meta-data/mac", "Content-Length: 0, 0"), [400]],
    ["with a length below zero", get("/latest/meta-data/mac", "Content-Length: -1"), [400]],
    [
      "with a length and pieces",
      get("/latest/meta-data/mac", "Content-Length: 4", "Transfer-Encoding: chunked"),
      [400],
    ],
    ["with a body", `${get("/latest/meta-data/mac", "Content-Length: 3")}abc`, [400]],
    ["with a folded header", get("/latest/meta-data/mac", `${TOKEN}: a\r\n b`), [400]],
    ["with a space before a colon", get("/latest/meta-data/mac", "X-A : b"), [400]],
    ["with a control character in a header", get("/latest/meta-data/mac", "X-A: a\x01b"), [400]],
    ["with NUL in a header", get("/latest/meta-data/mac", "X-A: a\0b"), [400]],
    ["with NUL in its path", get("/latest/meta-data/mac\0"), [400]],
    ["with lines that end in LF alone", get("/latest/meta-data/mac").replaceAll("\r\n", "\n"), [400]],
    ["with a CR within a header", get("/latest/meta-data/mac", "X-A: a\rX-B: b"), [400]],
    ["with its token twice", get("/latest/meta-data/mac", `${TOKEN}: ${own}`, `${TOKEN}: ${own}`), [400]],
    ["that names its token a header between neighbours", get("/latest/meta-data/mac", `Connection: ${TOKEN}`), [400]],
    ["with headers that are too long", get("/latest/meta-data/mac", `X-A: ${"a".repeat(8_200)}`), [431]],
    ["with headers without end", get("/latest/meta-data/mac", `X-A: ${"a".repeat(20_000)}`), [431]],
    ["with a path without end", get(`/latest/meta-data/${"a".repeat(20_000)}`), [431]],
    ["with a path that is too long", get(`/latest/meta-data/${"a".repeat(1_100)}`), [404]],
    ["of TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [400]],
    ["of a proxy, before it", `PROXY TCP4 10.0.0.1 10.0.0.2 1 80\r\n${get("/latest/meta-data/mac")}`, [400]],
    ["to be led elsewhere", request("CONNECT 10.0.0.1:443 HTTP/1.1", "Host: 10.0.0.1:443"), [405]],
    ...["HEAD", "OPTIONS", "POST", "DELETE", "PATCH", "TRACE", "PROPFIND"].map(
      (method): [string, string, readonly number[]] => [
        `of ${method} for user data`,
        request(`${method} /latest/user-data HTTP/1.1`, HOST, `${TOKEN}: ${own}`),
        [method === "HEAD" ? 403 : 405],
      ],
    ),
    ["of a method that is none", request("IMDS /latest/user-data HTTP/1.1", HOST), [400]],
  ])("%s", async (_, bytes, expected) => {
    expect(await statuses(bytes)).toEqual(expected);
    expect(fetched).toEqual([]);
    expect(issued).toBe(0);
    // Nobody asks in the dark.
    expect(exchanges).toMatchObject([{ status: expected[0], caller: { uid: OWN, pid: process.pid } }]);
  });

  it.each([
    "/latest/meta-data/%2e%2e/user-data",
    "/latest/meta-data/%2E%2E/user-data",
    "/latest/meta-data/.%2e/user-data",
    "/latest/meta-data/%252e%252e/user-data",
    "/latest/meta-data/..%2fuser-data",
    "/latest/meta-data/..%5cuser-data",
    "/latest/meta-data/..\\user-data",
    "/latest/meta-data/..;/user-data",
    "/latest/meta-data/mac;/../../user-data",
    "/latest/meta-data/mac;x=y",
    "/latest/meta-data/mac?x=/latest/user-data",
    "/latest/meta-data/mac%3f",
    "/latest/meta-data/mac%23",
    "/latest/meta-data/mac%00",
    "/latest/meta-data/mac%0a",
    "/latest/meta-data/mac%c0%af",
    "/latest/meta-data/%u002e%u002e/user-data",
    "/latest/meta-data/%",
    "/latest/./user-data",
    "/./latest/user-data",
    "/../latest/user-data",
    "/Latest/user-data",
    "/9999-99-99x/user-data",
    "//169.254.169.254/latest/user-data",
  ])("for %s finds nothing", async (path) => {
    expect(await statuses(get(path, `${TOKEN}: ${own}`))).toEqual([404]);
    expect(fetched).toEqual([]);
  });

  it.each([
    "//latest//user-data",
    "/latest/user-data/",
    "/latest/user%2ddata",
    "/latest/%75ser-data",
    "/latest%2fuser-data",
    "/2021-03-23/user-data",
    "/1.0/user-data",
    "/latest/USER-DATA",
    ROLE,
    ROLE.replace("/iam/", "//iam//"),
    ROLE.replace("iam", "%69am"),
    ROLE.replace("security-credentials", "Security-Credentials"),
    ROLE.replace("/latest/", "/2024-01-01/"),
    "/latest/meta-data/iam%2fsecurity-credentials%2fapp",
    // What the agents of root need is root's in any case.
    ...(OWN === 0 ? [] : ["/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance"]),
    "/latest/meta-data/a/b",
    "/latest/dynamic/instance-identity/document",
  ])("for %s is what the rule does not give", async (path) => {
    expect(await statuses(get(path, `${TOKEN}: ${own}`))).toEqual([403]);
    expect([fetched, issued]).toEqual([[], 0]);
  });

  it.each<[string, string, Partial<Exchange>]>([
    ["a token", put(`${TTL}: 60`), { outcome: "answered", reason: "", version: 2 }],
    ["metadata", get("/latest/meta-data/mac", `${TOKEN}: ${own}`), { outcome: "answered", reason: "", version: 2 }],
    ["metadata without a token", get("/latest/meta-data/mac"), { outcome: "answered", reason: "", version: 1 }],
    ["a path that is none", get("/x"), { outcome: "malformed", reason: "no path of the service", version: 1 }],
    ["a token by GET", get("/latest/api/token"), { outcome: "malformed", reason: "tokens are asked for by PUT" }],
    [
      "metadata by PUT",
      request("PUT /latest/meta-data/mac HTTP/1.1", HOST, `${TTL}: 60`),
      { outcome: "malformed", reason: "only tokens are asked for by PUT", version: 2 },
    ],
    [
      "a token of another version",
      request("PUT /2021-03-23/api/token HTTP/1.1", HOST, `${TTL}: 60`),
      { outcome: "denied", reason: "tokens are only behind /latest/", version: 2 },
    ],
    [
      "a token for somebody else",
      put(`${TTL}: 60`, "Via: 1.1 x"),
      { outcome: "denied", reason: "the request was passed on: it carries via" },
    ],
    [
      "a token for no time",
      put(`${TTL}: 0`),
      { outcome: "malformed", reason: "x-aws-ec2-metadata-token-ttl-seconds has to be 1 to 21600" },
    ],
    [
      "with another's token",
      get("/latest/meta-data/mac", `${TOKEN}: ${another}`),
      { outcome: "denied", reason: "the token is not good, or is another user's", version: 2 },
    ],
    [
      "what the rule leaves out",
      get("/latest/user-data", `${TOKEN}: ${own}`),
      { outcome: "denied", reason: "rule 1 gives no user data", version: 2 },
    ],
    ["two Hosts", get("/x", HOST), { outcome: "malformed", reason: "host is given twice" }],
    ["two tokens", get("/x", `${TOKEN}: a`, `${TOKEN}: b`), { reason: `${TOKEN.toLowerCase()} is given twice` }],
    ["two times", put(`${TTL}: 1`, `${TTL}: 1`), { reason: `${TTL.toLowerCase()} is given twice` }],
    ["an upgrade", get("/x", "Connection: Upgrade", "Upgrade: h2c"), { reason: "it carries upgrade" }],
    ["trailers", get("/x", "TE: trailers"), { reason: "it carries te" }],
    ["a proxy", get("/x", "Proxy-Connection: keep-alive"), { reason: "it carries proxy-connection" }],
    ["a proxy's password", get("/x", "Proxy-Authorization: x"), { reason: "it carries proxy-authorization" }],
    ["pieces", `${get("/x", "Transfer-Encoding: chunked")}0\r\n\r\n`, { reason: "it carries transfer-encoding" }],
    ["a trailer", get("/x", "Trailer: a"), { reason: "it carries trailer" }],
    ["an expectation", get("/x", "Expect: a"), { reason: "it carries expect" }],
    ["a connection", get("/x", "Connection: a"), { reason: "Connection names more than close or keep-alive" }],
    [
      "a connection like one",
      get("/x", "Connection: xclose"),
      { reason: "Connection names more than close or keep-alive" },
    ],
    ["a connection with spaces", get("/x", "Connection: \t Close \t "), { reason: "no path of the service" }],
    [
      "values that are names",
      get("/x", "X-A: host", `X-B: ${TOKEN.toLowerCase()}`),
      { reason: "no path of the service" },
    ],
    [
      "two connections",
      get("/x", "Connection: close, a"),
      { reason: "Connection names more than close or keep-alive" },
    ],
    ["a body", `${get("/x", "Content-Length: 1")}a`, { reason: "it has a body" }],
    ["a Host", request("GET /x HTTP/1.1", "Host: evil"), { reason: "the Host is not the metadata address" }],
    ["no HTTP", "\x00\r\n\r\n", { method: "", path: "", reason: "no HTTP request (HPE_INVALID_METHOD)" }],
    [
      "CONNECT",
      request("CONNECT a:1 HTTP/1.1", "Host: a:1"),
      { method: "CONNECT", path: "a:1", outcome: "malformed", reason: "no method of the service" },
    ],
    [
      "a method",
      request("POST /latest/x HTTP/1.1", HOST),
      { method: "POST", reason: "no method of the service", outcome: "malformed" },
    ],
    ["a path beyond ASCII", get("/\xe9"), { path: "", reason: "no HTTP request (HPE_INVALID_URL)" }],
    ["a long path", get(`/${"a".repeat(400)}`), { path: `/${"a".repeat(255)}` }],
  ])("is told of: %s", async (_, bytes, expected) => {
    await statuses(bytes);
    expect(exchanges).toMatchObject([expected]);
  });

  it("is answered as the service answers it, to the letter", async () => {
    const whole = (bytes: string): Promise<string> =>
      new Promise((resolve) => {
        let text = "";
        const socket = connect(responder.port, "127.0.0.1", () => socket.write(bytes));
        socket.setEncoding("latin1").on("data", (piece: string) => (text += piece));
        socket.on("close", () => resolve(text.replace(/^Date: .*\r\n/m, "")));
      });
    const head = (status: string, type: string, length: number, ...more: string[]): string =>
      [
        `HTTP/1.1 ${status}`,
        `Content-Type: ${type}`,
        `Content-Length: ${length}`,
        "Server: EC2ws",
        "Accept-Ranges: none",
        ...more,
        "Connection: close",
        "",
        "",
      ].join("\r\n");
    const page = (title: string): string => `<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>${title}</title>
 </head>
 <body>
  <h1>${title}</h1>
 </body>
</html>
`;
    const ending = "Connection: close";
    const answer = "of /latest/meta-data/mac";
    expect(await whole(get("/latest/meta-data/mac", ending))).toBe(
      head("200 OK", "text/plain", answer.length) + answer,
    );
    const left = /X-Aws-Ec2-Metadata-Token-Ttl-Seconds: \d+\r\n/;
    const withToken = await whole(get("/latest/meta-data/mac", ending, `${TOKEN}: ${own}`));
    expect(withToken).toMatch(left);
    expect(withToken.replace(left, "")).toBe(head("200 OK", "text/plain", answer.length) + answer);
    expect(await whole(request("HEAD /latest/meta-data/mac HTTP/1.1", HOST, ending))).toBe(
      head("200 OK", "text/plain", answer.length),
    );
    for (const [bytes, title, ...more] of [
      [get("/x", ending), "404 - Not Found"],
      [get("/latest/user-data", ending), "403 - Forbidden"],
      [get("/latest/api/token", ending), "405 - Method Not Allowed", "Allow: OPTIONS, PUT"],
      [request("PUT /latest/x HTTP/1.1", HOST, ending), "405 - Method Not Allowed", "Allow: GET, HEAD"],
      [request("POST /latest/x HTTP/1.1", HOST, ending), "405 - Method Not Allowed", "Allow: GET, HEAD, PUT"],
    ] as const)
      expect(await whole(bytes)).toBe(
        head(title.replace(" - ", " "), "text/html", page(title).length, ...more) + page(title),
      );
    expect(await whole("\x00\r\n\r\n")).toBe(
      "HTTP/1.1 400 Bad Request\r\nServer: EC2ws\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
  });

  it.each([
    ["169.254.169.254", 200],
    ["169.254.169.254:80", 200],
    ["169.254.169.254:8080", 400],
    ["169.254.169.254.", 400],
    ["169.254.169.254x", 400],
    ["x169.254.169.254", 400],
    ["169.254.169.253", 400],
    ["[fd00:ec2::254]", 200],
    ["[fd00:ec2::254]:80", 200],
    ["[FD00:EC2:0::254]", 200],
    ["[fd00:ec2::253]", 400],
    ["[fd00:ec2::254", 400],
    ["fd00:ec2::254", 400],
    ["127.0.0.1:PORT", 200],
    ["[::1]:PORT", 200],
    ["127.0.0.1:1", 400],
    ["10.0.0.1:PORT", 400],
    ["localhost:PORT", 400],
  ])("for the Host %s is answered %i", async (host, status) => {
    const text = request("GET /latest/meta-data/mac HTTP/1.1", `Host: ${host.replace("PORT", String(responder.port))}`);
    expect(await statuses(text)).toEqual([status]);
  });

  it("that comes with others is answered in order, each by its own token", async () => {
    const bytes =
      put(`${TTL}: 60`) +
      get("/latest/meta-data/mac", `${TOKEN}: ${another}`) +
      get("/latest/meta-data/mac", `${TOKEN}: ${own}`) +
      get("/latest/user-data", `${TOKEN}: ${own}`) +
      put(`${TTL}: 60`, "X-Forwarded-For: 10.0.0.1");
    expect(await statuses(bytes)).toEqual([200, 401, 200, 403, 403]);
    expect(fetched).toEqual(["/latest/meta-data/mac"]);
  });

  it("that comes before what is none ends with it", async () => {
    const answers = await statuses(`${get("/latest/meta-data/mac", `${TOKEN}: ${own}`)}\x00\x01\r\n\r\n`);
    expect(answers).toEqual([]);
  });

  it.each<[number, readonly string[]]>([
    ...["0", "-1", "21601", "99999", "100000", "abc", "1e3", "60.0", "0x3c", "", "60, 60", "+60", "６０"].map(
      (ttl): [number, readonly string[]] => [400, [`${TTL}: ${Buffer.from(ttl).toString("latin1")}`]],
    ),
    [400, []],
    [400, [`${TTL}: 60`, `${TTL.toUpperCase()}: 60`]],
    [200, [`${TTL.toUpperCase()}: 60`]],
    [200, [`${TTL}:    60   `]],
    [200, [`${TTL}: 00060`]],
    [200, [`${TTL}: 1`]],
    [200, [`${TTL}: 21600`]],
    ...[
      "X-Forwarded-For",
      "x-forwarded-for",
      "X-FORWARDED-FOR",
      "x-ForWarDed-fOr",
      "Forwarded",
      "Via",
      "X-Real-IP",
    ].map((name): [number, readonly string[]] => [403, [`${TTL}: 60`, `${name}: 127.0.0.1`]]),
    [403, [`${TTL}: 60`, "X-Forwarded-For:"]],
  ])("for a token is answered %i with %j", async (status, headers) => {
    expect(await statuses(put(...headers))).toEqual([status]);
  });

  it("with the token of somebody else, a changed one or none that was ever given is not answered", async () => {
    const changed = `${own.slice(0, 20)}${own[20] === "A" ? "B" : "A"}${own.slice(21)}`;
    for (const token of [another, changed, own.slice(0, -1), `${own}A`, own.toLowerCase(), "", "x".repeat(5_000)])
      expect(await statuses(get("/latest/meta-data/mac", `${TOKEN}: ${token}`))).toEqual([401]);
    expect(fetched).toEqual([]);
  });

  it("of which nothing comes, or nothing more, leaves the others theirs", async () => {
    const silent = ["", "GET /latest", get("/latest/meta-data/mac").slice(0, -2)].map((bytes) =>
      connect(responder.port, "127.0.0.1", function (this: { write: (text: string) => unknown }) {
        if (bytes !== "") this.write(bytes);
      }).on("error", () => undefined),
    );
    expect(await statuses(get("/latest/meta-data/mac", `${TOKEN}: ${own}`))).toEqual([200]);
    for (const socket of silent) socket.destroy();
    expect(exchanges).toHaveLength(1);
  });
});
