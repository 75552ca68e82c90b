// @ts-check
/** What answers at the metadata address: HTTP from byte to message, and what is read out of the messages. */
import { createServer } from "node:net";
import { declared, hold, holdsItsTongue, SECRETS } from "../oracle.mjs";

const texts = (/** @type {readonly string[]} */ ...list) => list.map((text) => Buffer.from(text, "latin1"));
const NOW = Date.UTC(2026, 1, 16);
const CREDENTIALS = {
  Code: "Success",
  LastUpdated: "2026-02-16T00:00:00Z",
  Type: "AWS-HMAC",
  AccessKeyId: "ASIAQEAAAAAAAAAAAAAA",
  SecretAccessKey: SECRETS.key,
  Token: SECRETS.session,
  Expiration: "2026-02-16T06:00:00Z",
  AccountId: "123456789012",
};
const READ_ERRORS = {
  ImdsUntrustedError: ["ERR_IMDS_MALFORMED"],
  ImdsUnavailableError: ["ERR_IMDS_CREDENTIALS_UNAVAILABLE", "ERR_IMDS_CREDENTIALS_EXPIRED"],
};
const EXCHANGE_ERRORS = {
  ImdsUnavailableError: ["ERR_IMDS_UNREACHABLE", "ERR_IMDS_TIMEOUT"],
  ImdsUntrustedError: ["ERR_IMDS_PEER_MISMATCH", "ERR_IMDS_TOO_LARGE", "ERR_IMDS_MALFORMED"],
};
const MAX_BODY = 256;
const EARLY = 0x21;
const JSON_WORDS = [
  "{",
  "}",
  "[",
  "]",
  '"',
  ":",
  ",",
  "null",
  "true",
  "0",
  "1e400",
  '"__proto__":',
  "\\u0041",
  "\ufeff",
  ...Object.entries(CREDENTIALS).flatMap(([name, value]) => [`"${name}":`, `"${value}"`, `"${name}":"${value}",`]),
];

/** The word for what went wrong, which an error may quote. @param {string} text */
function codeIn(text) {
  try {
    return String(JSON.parse(text)?.Code);
  } catch {
    return "";
  }
}

/** @type {readonly import("../targets.mjs").Target[]} */
export const IMDS = [
  {
    name: "imds-credentials",
    sentence:
      "the JSON of role credentials, a token, its lifetime and a role's name: of the form that IMDS gives, or refused without repeating a secret",
    sources: ["imds/responses"],
    words: [
      ...JSON_WORDS,
      SECRETS.token,
      "Failed",
      "AssumeRoleUnauthorizedAccess",
      "2026-02-17T00:00:01Z",
      "2026-02-15T00:00:00.123Z",
      "..",
      "21600",
    ],
    maxBytes: 70_000,
    seeds: () =>
      texts(
        JSON.stringify(CREDENTIALS),
        JSON.stringify({ ...CREDENTIALS, Expiration: "2026-03-16T00:00:00Z" }),
        JSON.stringify({ ...CREDENTIALS, Token: 1 }),
        JSON.stringify(CREDENTIALS, null, 2),
        JSON.stringify({ ...CREDENTIALS, Code: "AssumeRoleUnauthorizedAccess" }),
        SECRETS.token,
        "web-server\n",
        "..",
        "21600",
      ),
    async open(load) {
      const { parseCredentials, parseRoleName, parseToken, parseTokenTtl } = await load("imds/responses");
      return (input) => {
        const text = input.toString("latin1");
        const attempt = (/** @type {() => unknown} */ read) => {
          try {
            return { value: /** @type {any} */ (read()), word: "read" };
          } catch (error) {
            holdsItsTongue(error, text, codeIn(text));
            const code = declared(error, READ_ERRORS);
            return {
              value: undefined,
              word: `${code} ${String(/** @type {any} */ (error).evidence[0]?.says)
                .replace(/\d+/, "N")
                .slice(0, 60)}`,
            };
          }
        };
        const [credentials, role, token, ttl] = [
          attempt(() => parseCredentials(input, NOW)),
          attempt(() => parseRoleName(input)),
          attempt(() => parseToken(input)),
          attempt(() => parseTokenTtl(text, 300)),
        ];
        if (credentials.value !== undefined) {
          const { accessKeyId, secretAccessKey, sessionToken, expiration, accountId } = credentials.value;
          hold(
            /^[A-Z0-9]{16,128}$/.test(accessKeyId) &&
              [secretAccessKey, sessionToken].every((secret) => /^[\x21-\x7e]+$/.test(secret)),
            "credentials go into headers as they are",
            credentials.value,
          );
          hold(
            // Whether those past their end are served is for whoever knows the proof.
            expiration.getTime() <= NOW + 86_400_000 && (accountId === undefined || /^\d{12}$/.test(accountId)),
            "credentials end within a day",
            credentials.value,
          );
          const told = JSON.parse(input.toString("utf8"));
          hold(
            told.Code === "Success" &&
              told.AccessKeyId === accessKeyId &&
              told.SecretAccessKey === secretAccessKey &&
              told.Token === sessionToken,
            "credentials are what was told",
          );
        }
        hold(
          role.value === undefined || (/^[\w+=,.@-]{1,64}$/.test(role.value) && !/^\.{1,2}$/.test(role.value)),
          "a role's name is one step of a path",
          role.value,
        );
        hold(
          token.value === undefined || /^[\x21-\x7e]{1,256}$/.test(token.value),
          "a token goes into a header as it is",
          token.value,
        );
        hold(
          ttl.value === undefined || (ttl.value >= 1 && ttl.value <= 300),
          "a token lives as long as was asked at most",
          ttl.value,
        );
        return [credentials, role, token, ttl].map(({ word }) => word).join();
      };
    },
  },
  {
    name: "imds-http",
    sentence:
      "raw bytes in the place of an HTTP answer, over loopback: one whole answer below the cap, or an announced error; never an end of the process",
    sources: ["imds/transport"],
    maxBytes: 12_000,
    words: [
      "HTTP/1.1 200 OK\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
      "HTTP/1.1 103 Early Hints\r\n\r\n",
      "HTTP/1.0 204 No Content\r\n",
      "\r\n",
      "\r\n\r\n",
      "Content-Length: 5\r\n",
      "Content-Length: 257\r\n",
      "Transfer-Encoding: chunked\r\n",
      "0\r\n\r\n",
      "5\r\nhello\r\n",
      "ffffffffffffffff\r\n",
      "Connection: keep-alive\r\n",
      "Connection: close\r\n",
      "Trailer: x\r\n",
      "Set-Cookie: a\r\n",
      "Location: http://169.254.169.254/\r\n",
      "X: \x00\r\n",
      " folded\r\n",
      SECRETS.token,
    ],
    seeds: () =>
      texts(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\nno",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.0 301 Moved\r\nLocation: http://192.0.2.1/\r\n\r\n",
        `HTTP/1.1 200 OK\r\nX-Token: ${SECRETS.token}\r\nContent-Length: 300\r\n\r\n${SECRETS.session}`,
        "SSH-2.0-x\r\n",
        "!220 ready\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n".repeat(3),
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\n\r\nuntil the end",
        `HTTP/1.1 200 OK\r\nX: ${"x".repeat(9_000)}\r\n\r\n`,
      ),
    async open(load) {
      const { exchange } = await load("imds/transport");
      /** @type {Uint8Array} */
      let answer = Buffer.alloc(0);
      const server = createServer((socket) => {
        socket.on("error", () => undefined);
        // Some cannot wait to be asked.
        if (answer[0] === EARLY) socket.write(answer.subarray(1));
        socket.once("data", () => socket.end(answer));
      });
      await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
      server.unref();
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      return async (input) => {
        answer = input;
        const end = performance.now() + 1_000;
        try {
          const { status, body, headers } = await exchange(
            { address: "127.0.0.1", port },
            { method: "GET", path: "/latest/x", headers: {}, maxBody: MAX_BODY },
            { remaining: () => Math.max(0, end - performance.now()) },
          );
          hold(status >= 200 && status <= 999 && body.length <= MAX_BODY, "an answer is whole and below the cap", {
            status,
            length: body.length,
          });
          hold(
            /chunked/i.test(headers["transfer-encoding"] ?? "") || input.includes(body),
            "a body is what was sent",
            body.toString("latin1"),
          );
          const stated = headers["content-length"];
          hold(
            stated === undefined || status === 204 || status === 304 || Number(stated) === body.length,
            "a body is as long as was stated",
            { stated, length: body.length },
          );
          return `answered ${status < 300} ${body.length > 0}`;
        } catch (error) {
          holdsItsTongue(error, input.toString("latin1"));
          return `${declared(error, EXCHANGE_ERRORS)} ${String(/** @type {any} */ (error).evidence[0]?.says)
            .replace(/\d+/g, "N")
            .slice(0, 60)}`;
        }
      };
    },
  },
];
