// @ts-check
/** The catalogue of what an impersonator may do, one short entry a behaviour; add entries, never branches. */
import { gzipSync } from "node:zlib";
import {
  credentials,
  credentialsText,
  drip,
  fin,
  flawless,
  hang,
  inTurn,
  late,
  pour,
  raw,
  rawOpen,
  rawThenReset,
  repeat,
  reply,
  reset,
  say,
} from "./answers.mjs";
import { answerBytes, ATTACKER_ACCOUNT, ATTACKER_TOKEN, flawlessBytes, personaOf } from "./impersonator.mjs";
import { accessKeyIdFor } from "./access-keys.mjs";

/**
 * @typedef {import("./impersonator.mjs").Behaviour} Behaviour
 * @typedef {Omit<Behaviour, "category" | "kind">} Entry
 * @typedef {import("./impersonator.mjs").Kind} Kind
 * @typedef {import("./impersonator.mjs").Answer} Answer
 * @typedef {import("./impersonator.mjs").Step} Step
 */

const MB = 1024 * 1024;
const OK_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nServer: EC2ws\r\n";
/** @type {readonly Step[]} */
const CHAIN_STEPS = ["token", "list", "credentials"];

/** The same answer at every step of the chain. @param {Answer} answer @returns {Partial<Record<Step, Answer>>} */
const everywhere = (answer) => ({ token: answer, list: answer, credentials: answer, identity: answer });
/** @param {Buffer} good */
const headOf = (good) => good.subarray(0, good.indexOf("\r\n\r\n") + 4).toString("latin1");
/** @param {Buffer} good */
const bodyOf = (good) => good.subarray(good.indexOf("\r\n\r\n") + 4);
/** The flawless answer under another head. @param {(length: number) => string} head with its final empty line */
const underHead = (head) =>
  raw((good) => Buffer.concat([Buffer.from(head(bodyOf(good).length), "latin1"), bodyOf(good)]));
/** The flawless body in chunks. @param {Buffer} good */
const chunked = (good) =>
  `${OK_HEAD}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n${bodyOf(good).length.toString(16)}\r\n${bodyOf(good).toString("latin1")}\r\n0\r\n\r\n`;

/** @type {readonly Entry[]} */
const FLAWLESS = [
  {
    name: "flawless",
    sentence: "speaks IMDSv2 without a fault and hands out credentials of its own account",
    genuineLike: true,
  },
  { name: "flawless-any-token", sentence: "the same, and accepts any token or none", v1: true, genuineLike: true },
  {
    name: "flawless-http10",
    sentence: "the same under an HTTP/1.0 status line",
    on: everywhere(raw((good) => Buffer.concat([Buffer.from("HTTP/1.0"), good.subarray(8)]))),
    genuineLike: true,
  },
  {
    name: "flawless-lower-case",
    sentence: "the same with header names in lower case",
    on: everywhere(
      raw((good) => headOf(good).toLowerCase().replace("http/1.1", "HTTP/1.1") + bodyOf(good).toString("latin1")),
    ),
    genuineLike: true,
  },
  {
    name: "flawless-keep-alive",
    sentence: "the same, offering to keep the connection",
    on: everywhere(
      rawOpen(
        (good) => headOf(good).replace("Connection: close", "Connection: keep-alive") + bodyOf(good).toString("latin1"),
      ),
    ),
    genuineLike: true,
  },
  {
    name: "flawless-chunked",
    sentence: "the same with chunked bodies",
    on: everywhere(raw(chunked)),
    genuineLike: true,
  },
  {
    name: "flawless-unhurried",
    sentence: "the same, each answer 100 ms late",
    on: everywhere(late(100)),
    genuineLike: true,
  },
  {
    name: "flawless-byte-by-byte",
    sentence: "the same, in pieces of 40 bytes",
    on: everywhere(drip(1, 40)),
    genuineLike: true,
  },
  {
    name: "flawless-one-continue",
    sentence: "the same with one 100 Continue before the credentials",
    on: { credentials: raw((good) => `HTTP/1.1 100 Continue\r\n\r\n${good.toString("latin1")}`) },
    genuineLike: true,
  },
  {
    name: "flawless-long-role-name",
    sentence: "the same with a role name of 64 characters",
    persona: { roleName: "r".repeat(64) },
    genuineLike: true,
  },
];

/** @type {readonly Entry[]} */
const ATTESTATION = [
  {
    name: "identity-absent",
    sentence: "flawless but has no signed identity document",
    on: { identity: reply(404) },
    genuineLike: true,
  },
  {
    name: "identity-empty",
    sentence: "flawless but its signed identity document is empty",
    on: { identity: reply(200) },
    genuineLike: true,
  },
  {
    name: "identity-not-base64",
    sentence: "its signed identity document is an HTML page",
    on: { identity: reply(200, "<html>login</html>") },
    genuineLike: true,
  },
  {
    name: "identity-bare-json",
    sentence: "gives the unsigned document where the signed one belongs",
    on: {
      identity: say(({ persona }) =>
        JSON.stringify({ accountId: persona.account, instanceId: persona.instanceId, region: persona.region }),
      ),
    },
    genuineLike: true,
  },
  {
    name: "identity-unknown-region",
    sentence: "claims a region for which no key is published",
    persona: { region: "xx-nowhere-1" },
    genuineLike: true,
  },
  {
    name: "identity-503",
    sentence: "is always too busy for the signed identity document",
    on: { identity: reply(503) },
    genuineLike: true,
  },
  {
    name: "identity-403",
    sentence: "forbids the signed identity document",
    on: { identity: reply(403) },
    genuineLike: true,
  },
  {
    name: "identity-hang",
    sentence: "never answers for the signed identity document",
    on: { identity: hang },
    genuineLike: true,
  },
  {
    name: "identity-reset",
    sentence: "resets the connection that asks for the signed identity document",
    on: { identity: reset },
    genuineLike: true,
  },
  {
    name: "identity-2mb",
    sentence: "its signed identity document has 2 MB",
    on: { identity: say(() => Buffer.alloc(2 * MB, "A")) },
    genuineLike: true,
  },
  {
    name: "identity-endless",
    sentence: "its signed identity document has no end",
    on: { identity: pour(`${OK_HEAD}\r\n`, "A".repeat(65_536)) },
    genuineLike: true,
  },
];

/**
 * Ways to fail the token request that make a lenient client fall back to IMDSv1. @type {readonly [string, string,
 * Answer][]}
 */
const TOKEN_FAILURES = [
  ...[400, 401, 403, 404, 405, 408, 410, 418, 429, 500, 501, 502, 503, 504].map(
    (status) =>
      /** @type {[string, string, Answer]} */ ([
        String(status),
        `answers ${status} to the token request`,
        reply(status),
      ]),
  ),
  ["reset", "resets the token request", reset],
  ["fin", "closes the token request", fin],
  ["timeout", "never answers the token request", hang],
  ["empty-200", "answers the token request with an empty 200", reply(200)],
  [
    "204",
    "answers the token request with 204 and no body",
    raw(() => "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
  ],
  [
    "html-200",
    "answers the token request with a login page",
    reply(200, "<!doctype html><title>Sign in</title>", { "Content-Type": "text/html" }),
  ],
];

/** @type {readonly Entry[]} */
const V1_ONLY = TOKEN_FAILURES.map(([name, sentence, answer]) => ({
  name: `v1-${name}`,
  sentence: `${sentence}, and everything else without a token`,
  v1: true,
  on: { token: answer },
}));

/** @type {readonly Entry[]} */
const REDIRECTS = [
  ...CHAIN_STEPS.flatMap((step) =>
    [301, 302, 307, 308].map((status) => ({
      name: `redirect-${status}-${step}`,
      sentence: `redirects the ${step} request to another path of its own (${status})`,
      v1: true,
      on: {
        [step]: reply(status, "", {
          Location: "http://169.254.169.254/latest/meta-data/iam/security-credentials/app-server",
        }),
      },
    })),
  ),
  {
    name: "redirect-https",
    sentence: "redirects to https",
    on: { list: reply(302, "", { Location: "https://169.254.169.254/latest/meta-data/iam/security-credentials/" }) },
  },
  {
    name: "redirect-other-host",
    sentence: "redirects to another host",
    on: { credentials: reply(302, "", { Location: "http://127.0.0.1/steal" }) },
  },
  {
    name: "redirect-with-body",
    sentence: "redirects with valid credentials in the body",
    on: {
      credentials: (socket, _request, play) => {
        socket.end(answerBytes(303, play.body("credentials"), { Location: "/" }));
      },
    },
  },
  {
    name: "redirect-300",
    sentence: "offers multiple choices",
    on: { list: reply(300, "app-server", { Location: "/latest/" }) },
  },
];

/** @type {readonly [string, string, string | Buffer][]} */
const TOKENS = [
  ["crlf", "carries a header injection", "AQAEA\r\nX-Injected: yes\r\n\r\n"],
  ["lf", "carries a line feed in the middle", `AQAEA\n${"x".repeat(20)}`],
  ["nul", "carries a NUL", `AQAEA\0${"x".repeat(20)}`],
  ["latin1", "carries bytes above 127", Buffer.from([0x41, 0xe9, 0xff, 0x80])],
  ["unicode", "carries letters outside ASCII", "AQAEA\u202e\u4e2d\u6587"],
  ["space", "carries a space", "AQAEA token"],
  ["blank", "is white space only", " \n "],
  ["2mb", "has 2 MB", Buffer.alloc(2 * MB, "A")],
  ["20k", "has 20,000 characters", "A".repeat(20_000)],
  ["json", "is a JSON object", '{"token":"AQAEA"}'],
];

/** @type {readonly Entry[]} */
const TOKEN = TOKENS.map(([name, sentence, body]) => ({
  name: `token-${name}`,
  sentence: `its token ${sentence}`,
  v1: true,
  on: { token: reply(200, body) },
}));

/** @type {readonly [string, string, string | Buffer][]} */
const ROLE_NAMES = [
  ["traversal", "climbs out of the directory", "../../x"],
  ["encoded-traversal", "climbs out of the directory in percent code", "%2e%2e/%2e%2e/user-data"],
  ["dot-dot", "is two dots", ".."],
  ["query", "starts a query", "role?x=1"],
  ["fragment", "starts a fragment", "role#x"],
  ["space", "contains a space", "my role"],
  ["url", "is an absolute URL", "http://127.0.0.1/role"],
  ["slash", "begins with slashes", "//127.0.0.1/role"],
  ["crlf", "contains a header injection", "role HTTP/1.1\r\nHost: evil\r\n\r\n"],
  ["nul", "contains a NUL", "role\0name"],
  ["unicode", "contains letters outside ASCII", "r\u00f6le"],
  ["control", "contains an escape sequence for terminals", "role\u001b[2J"],
  ["two-lines", "is two names", "first-role\nsecond-role"],
  ["empty", "is empty", ""],
  ["blank", "is white space only", "\n \n"],
  ["65", "has 65 characters", "r".repeat(65)],
  ["html", "is an HTML page", "<!doctype html><title>Sign in</title>"],
  ["json", "is a JSON array", '["app-server"]'],
  ["1mb", "has 1 MB", Buffer.alloc(MB, "r")],
  ["100k-lines", "is a list of 100,000", "role\n".repeat(100_000)],
];

/** @type {readonly Entry[]} */
const ROLE = ROLE_NAMES.map(([name, sentence, body]) => ({
  name: `role-${name}`,
  sentence: `its role name ${sentence}`,
  on: { list: reply(200, body) },
}));

/** @type {readonly [string, string, Answer, { genuineLike?: boolean }?][]} */
const DOCUMENTS = [
  ["code-failed", "says Code Failed and gives keys all the same", credentials({ Code: "Failed" })],
  [
    "code-unauthorized",
    "says AssumeRoleUnauthorizedAccess and gives keys all the same",
    credentials({ Code: "AssumeRoleUnauthorizedAccess", Message: "EC2 cannot assume the role" }),
  ],
  ["code-lower-case", "says success in lower case", credentials({ Code: "success" })],
  ["code-number", "has a number for a code", credentials({ Code: 200 })],
  ["no-key", "has no access key id", credentials({ AccessKeyId: undefined })],
  ["no-secret", "has no secret", credentials({ SecretAccessKey: undefined })],
  ["no-token", "has no session token", credentials({ Token: undefined })],
  ["empty-key", "has an empty access key id", credentials({ AccessKeyId: "" })],
  ["empty-secret", "has an empty secret", credentials({ SecretAccessKey: "" })],
  ["empty-token", "has an empty session token", credentials({ Token: "" })],
  ["crlf-key", "has a header injection in the access key id", credentials({ AccessKeyId: "ASIAX\r\nX-Injected: yes" })],
  ["crlf-secret", "has line feeds in the secret", credentials({ SecretAccessKey: "secret\r\nsecret" })],
  ["crlf-token", "has a header injection in the session token", credentials({ Token: "token\r\nX-Injected: yes" })],
  ["unicode-key", "has letters outside ASCII in the access key id", credentials({ AccessKeyId: "ASIA\u202eEVIL" })],
  ["nul-token", "has a NUL in the session token", credentials({ Token: "token\0token" })],
  ["big-key", "has an access key id of 100,000 characters", credentials({ AccessKeyId: "A".repeat(100_000) })],
  ["big-token", "has a session token of 1 MB", credentials({ Token: "t".repeat(MB) })],
  ["number-key", "has a number for an access key id", credentials({ AccessKeyId: 12 })],
  ["null-secret", "has null for a secret", credentials({ SecretAccessKey: null })],
  ["array-token", "has an array for a session token", credentials({ Token: ["a"] })],
  ["object-key", "has an object for an access key id", credentials({ AccessKeyId: { toString: "x" } })],
  ["true-secret", "has true for a secret", credentials({ SecretAccessKey: true })],
  ["no-expiration", "has no expiration", credentials({ Expiration: undefined })],
  ["invalid-expiration", "has an expiration that is no date", credentials({ Expiration: "soon" })],
  ["number-expiration", "has a number for an expiration", credentials({ Expiration: 4_102_444_800 })],
  ["past-expiration", "expired in 2001", credentials({ Expiration: "2001-01-01T00:00:00Z" })],
  [
    "far-expiration",
    "expires in the year 9999",
    credentials({ Expiration: "9999-12-31T23:59:59Z" }),
    { genuineLike: true },
  ],
  ["year-expiration", "expires in the year 275760", credentials({ Expiration: "+275760-09-13T00:00:00.000Z" })],
  ["bom", "begins with a byte order mark", credentialsText((text) => `\ufeff${text}`), { genuineLike: true }],
  ["utf16", "is UTF-16", credentialsText((text) => Buffer.from(text, "utf16le"))],
  [
    "bad-utf8",
    "is not valid UTF-8",
    credentialsText((text) =>
      Buffer.concat([
        Buffer.from(text.slice(0, -1)),
        Buffer.from(',"x":"'),
        Buffer.from([0xff, 0xfe]),
        Buffer.from('"}'),
      ]),
    ),
    { genuineLike: true },
  ],
  [
    "duplicate-keys",
    "says its access key id twice",
    credentialsText((text, { account }) => text.replace("{", `{"AccessKeyId":"${accessKeyIdFor(account, "other")}",`)),
    { genuineLike: true },
  ],
  [
    "proto",
    "sets __proto__ and constructor",
    credentialsText((text) =>
      text.replace(
        "{",
        '{"__proto__":{"AccessKeyId":"x","polluted":true},"constructor":{"prototype":{"polluted":true}},',
      ),
    ),
    { genuineLike: true },
  ],
  ["proto-only", "hides the keys in __proto__", credentialsText((text) => `{"__proto__":${text}}`)],
  [
    "deep",
    "nests 100,000 arrays",
    credentialsText((text) => text.replace("{", `{"x":${"[".repeat(100_000)}${"]".repeat(100_000)},`)),
  ],
  ["nan", "contains NaN", credentialsText((text) => text.replace("{", '{"x":NaN,'))],
  ["trailing", "is followed by something else", credentialsText((text) => `${text}{}`)],
  ["single-quotes", "is quoted with single quotes", credentialsText((text) => text.replaceAll('"', "'"))],
  ["array", "is an array", credentialsText((text) => `[${text}]`)],
  ["string", "is a string", credentialsText((text) => JSON.stringify(text))],
  ["null", "is null", credentialsText(() => "null")],
  ["number", "is a number", credentialsText(() => "42")],
  ["empty", "is empty", reply(200)],
  ["html", "is an HTML page", reply(200, "<!doctype html><title>Sign in</title>", { "Content-Type": "text/html" })],
  ["cut-json", "stops in the middle of the JSON", credentialsText((text) => text.slice(0, text.length / 2))],
  ["2mb-of-space", "is preceded by 2 MB of white space", credentialsText((text) => " ".repeat(2 * MB) + text)],
  ["gzip", "is compressed", credentialsText((text) => gzipSync(text), { "Content-Encoding": "gzip" })],
  [
    "gzip-bomb",
    "is 64 MB of zeros, compressed",
    credentialsText(() => GZIP_BOMB.bytes(), { "Content-Encoding": "gzip" }),
  ],
  [
    "account-field",
    "names another account than its key encodes",
    credentials({ AccountId: "111122223333" }),
    { genuineLike: true },
  ],
  [
    "long-term-key",
    "gives a long-term key of a user and no session token",
    credentials({ AccessKeyId: accessKeyIdFor(ATTACKER_ACCOUNT, "user", "AKIA"), Token: undefined }),
  ],
  [
    "lower-case-fields",
    "spells its fields in lower case",
    say(({ persona }) =>
      JSON.stringify({
        code: "Success",
        accessKeyId: persona.accessKeyId,
        secretAccessKey: persona.secretAccessKey,
        token: persona.sessionToken,
      }),
    ),
  ],
];

const GZIP_BOMB = {
  /** @type {Buffer | undefined} */ made: undefined,
  bytes() {
    return (this.made ??= gzipSync(Buffer.alloc(64 * MB), { level: 1 }));
  },
};

/** @type {readonly Entry[]} */
const CREDENTIALS = DOCUMENTS.map(([name, sentence, answer, more]) => ({
  name: `creds-${name}`,
  sentence: `its credentials document ${sentence}`,
  on: { credentials: answer },
  ...more,
}));

/** @type {readonly Entry[]} */
const STATUS = [
  { name: "status-401-list", sentence: "answers 401 to the role listing for ever", on: { list: reply(401) } },
  { name: "status-401-creds", sentence: "answers 401 to the credentials for ever", on: { credentials: reply(401) } },
  {
    name: "status-401-with-body",
    sentence: "answers 401 with valid credentials in the body",
    on: {
      credentials: (socket, _request, play) => {
        socket.end(answerBytes(401, play.body("credentials")));
      },
    },
  },
  {
    name: "status-500-with-body",
    sentence: "answers 500 with valid credentials in the body",
    on: {
      credentials: (socket, _request, play) => {
        socket.end(answerBytes(500, play.body("credentials")));
      },
    },
  },
  {
    name: "status-201",
    sentence: "answers 201 with valid credentials",
    on: {
      credentials: (socket, _request, play) => {
        socket.end(answerBytes(201, play.body("credentials")));
      },
    },
  },
  {
    name: "status-206",
    sentence: "answers 206 with valid credentials",
    on: {
      credentials: (socket, _request, play) => {
        socket.end(answerBytes(206, play.body("credentials")));
      },
    },
  },
  { name: "status-404-list", sentence: "has no role", on: { list: reply(404) } },
  { name: "status-404-creds", sentence: "names a role it does not have", on: { credentials: reply(404) } },
  { name: "status-403-list", sentence: "forbids the role listing", on: { list: reply(403) } },
  { name: "status-429-storm", sentence: "answers 429 to everything", on: everywhere(reply(429)) },
  { name: "status-503-storm", sentence: "answers 503 to everything", on: everywhere(reply(503)) },
  { name: "status-503-list", sentence: "answers 503 to the role listing for ever", on: { list: reply(503) } },
  {
    name: "status-503-retry-after",
    sentence: "answers 503 and asks to come back in a day",
    on: { credentials: reply(503, "", { "Retry-After": "86400" }) },
  },
  {
    name: "status-099",
    sentence: "answers with status 099",
    on: { token: raw(() => "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n") },
  },
  {
    name: "status-1000",
    sentence: "answers with status 1000",
    on: { token: raw(() => `HTTP/1.1 1000 Odd\r\nContent-Length: 56\r\n\r\n${ATTACKER_TOKEN}`) },
  },
];

/** @type {readonly Entry[]} */
const WIRE = [
  ...CHAIN_STEPS.flatMap((step) => [
    {
      name: `flood-100-${step}`,
      sentence: `sends 100 Continue five times a second at ${step}, for ever`,
      on: { [step]: repeat("", "HTTP/1.1 100 Continue\r\n\r\n", 200) },
    },
    {
      name: `flood-102-${step}`,
      sentence: `sends 102 Processing five times a second at ${step}, for ever`,
      on: { [step]: repeat("", "HTTP/1.1 102 Processing\r\n\r\n", 200) },
    },
  ]),
  {
    name: "flood-103",
    sentence: "sends 103 Early Hints as fast as they are read",
    on: { credentials: pour("", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(100)) },
  },
  {
    name: "flood-headers",
    sentence: "sends header lines without end",
    on: { token: pour("HTTP/1.1 200 OK\r\n", "X-More: yes\r\n".repeat(1000)) },
  },
  {
    name: "slow-headers",
    sentence: "sends a header line five times a second, for ever",
    on: { list: repeat("HTTP/1.1 200 OK\r\n", "X-More: yes\r\n", 200) },
  },
  {
    name: "10k-headers",
    sentence: "sends ten thousand header lines",
    on: { token: raw((good) => good.toString("latin1").replace("\r\n", `\r\n${"X-More: yes\r\n".repeat(10_000)}`)) },
  },
  {
    name: "giant-header",
    sentence: "sends one header of 1 MB",
    on: { token: raw((good) => good.toString("latin1").replace("\r\n", `\r\nX-Giant: ${"x".repeat(MB)}\r\n`)) },
  },
  {
    name: "length-conflict",
    sentence: "states two different lengths",
    on: { credentials: underHead((length) => `${OK_HEAD}Content-Length: ${length}\r\nContent-Length: 5\r\n\r\n`) },
  },
  {
    name: "length-negative",
    sentence: "states a negative length",
    on: { credentials: underHead(() => `${OK_HEAD}Content-Length: -1\r\n\r\n`) },
  },
  {
    name: "length-hex",
    sentence: "states a length in hexadecimal",
    on: { credentials: underHead((length) => `${OK_HEAD}Content-Length: 0x${length.toString(16)}\r\n\r\n`) },
  },
  {
    name: "length-huge",
    sentence: "states a length of 2^64",
    on: { credentials: underHead(() => `${OK_HEAD}Content-Length: 18446744073709551616\r\n\r\n`) },
  },
  {
    name: "length-and-chunked",
    sentence: "states a length and chunks as well",
    on: { credentials: raw((good) => chunked(good).replace("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n")) },
  },
  {
    name: "length-too-long",
    sentence: "closes before the stated length is reached",
    on: { credentials: underHead((length) => `${OK_HEAD}Content-Length: ${length + 100}\r\n\r\n`) },
  },
  {
    name: "length-gigabyte",
    sentence: "states a gigabyte and sends nothing",
    on: { credentials: rawOpen(() => `${OK_HEAD}Content-Length: 1073741824\r\n\r\n`) },
  },
  {
    name: "cut-half",
    sentence: "closes in the middle of the credentials",
    on: { credentials: raw((good) => good.subarray(0, good.length - 200)) },
  },
  {
    name: "cut-reset",
    sentence: "resets in the middle of the credentials",
    on: { credentials: rawThenReset((good) => good.subarray(0, good.length - 200)) },
  },
  {
    name: "cut-hang",
    sentence: "falls silent in the middle of the credentials",
    on: { credentials: rawOpen((good) => good.subarray(0, good.length - 200)) },
  },
  {
    name: "cut-hang-token",
    sentence: "falls silent in the middle of the token",
    on: { token: rawOpen((good) => good.subarray(0, good.length - 20)) },
  },
  {
    name: "cut-chunk",
    sentence: "closes in the middle of a chunk",
    on: { credentials: raw((good) => chunked(good).slice(0, -100)) },
  },
  {
    name: "chunk-size-huge",
    sentence: "announces a chunk of 2^64 bytes",
    on: { credentials: rawOpen(() => `${OK_HEAD}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx`) },
  },
  {
    name: "chunk-size-odd",
    sentence: "announces a chunk of no number of bytes",
    on: { credentials: raw(() => `${OK_HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\nx`) },
  },
  {
    name: "chunks-endless",
    sentence: "sends chunks without end",
    on: { credentials: pour(`${OK_HEAD}Transfer-Encoding: chunked\r\n\r\n`, `10000\r\n${" ".repeat(65_536)}\r\n`) },
  },
  {
    name: "chunk-extension-flood",
    sentence: "sends a chunk extension without end",
    on: { credentials: pour(`${OK_HEAD}Transfer-Encoding: chunked\r\n\r\n1;x=`, "x".repeat(65_536)) },
  },
  {
    name: "trailer-flood",
    sentence: "sends trailers without end",
    on: { credentials: pour(`${OK_HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n`, "X-More: yes\r\n".repeat(1000)) },
  },
  { name: "drip-creds", sentence: "sends the credentials one byte every 200 ms", on: { credentials: drip(200) } },
  { name: "drip-token", sentence: "sends the token one byte every 200 ms", on: { token: drip(200) } },
  {
    name: "drip-space",
    sentence: "sends a space every 200 ms, for ever",
    on: { credentials: repeat(`${OK_HEAD}\r\n`, " ", 200) },
  },
  {
    name: "endless-token",
    sentence: "sends a token without end",
    on: { token: pour(`${OK_HEAD}\r\n`, "A".repeat(65_536)) },
  },
  {
    name: "endless-list",
    sentence: "sends role names without end",
    on: { list: pour(`${OK_HEAD}\r\n`, "role\n".repeat(13_000)) },
  },
  {
    name: "endless-creds",
    sentence: "sends credentials without end",
    on: { credentials: pour(`${OK_HEAD}\r\n{"Code":"Success","x":"`, "x".repeat(65_536)) },
  },
  { name: "http09", sentence: "answers in HTTP/0.9", on: { token: raw(() => ATTACKER_TOKEN) } },
  {
    name: "http2-preface",
    sentence: "speaks HTTP/2",
    on: { token: raw(() => Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])) },
  },
  {
    name: "http-9",
    sentence: "says HTTP/9.9",
    on: { token: raw((good) => good.toString("latin1").replace("HTTP/1.1", "HTTP/9.9")) },
  },
  {
    name: "icy",
    sentence: "says ICY 200",
    on: { token: raw((good) => good.toString("latin1").replace("HTTP/1.1", "ICY")) },
  },
  {
    name: "lf-only",
    sentence: "ends its lines with LF alone",
    on: { token: raw((good) => good.toString("latin1").replaceAll("\r\n", "\n")) },
    genuineLike: true,
  },
  {
    name: "folded-header",
    sentence: "folds a header over two lines",
    on: { token: raw((good) => good.toString("latin1").replace("\r\n\r\n", "\r\nX-Folded: a\r\n b\r\n\r\n")) },
    genuineLike: true,
  },
  {
    name: "nul-header",
    sentence: "has a NUL in a header",
    on: { token: raw((good) => good.toString("latin1").replace("\r\n\r\n", "\r\nX-Nul: a\0b\r\n\r\n")) },
  },
  {
    name: "no-colon-header",
    sentence: "has a header without a colon",
    on: { token: raw((good) => good.toString("latin1").replace("\r\n\r\n", "\r\nNonsense\r\n\r\n")) },
  },
  {
    name: "upgrade",
    sentence: "switches protocols",
    on: {
      token: raw(
        () => `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n${ATTACKER_TOKEN}`,
      ),
    },
  },
  { name: "tls-banner", sentence: "speaks TLS", on: { token: raw(() => Buffer.from([0x15, 3, 1, 0, 2, 2, 70])) } },
  { name: "binary", sentence: "sends 64 kB of noise", on: everywhere(raw(() => Buffer.alloc(65_536, 0x8a))) },
  {
    name: "two-answers",
    sentence: "sends a second answer right behind the first",
    on: everywhere(
      rawOpen((good) =>
        Buffer.concat([
          Buffer.from(headOf(good).replace("Connection: close", "Connection: keep-alive")),
          bodyOf(good),
          answerBytes(200, "second"),
        ]),
      ),
    ),
    genuineLike: true,
  },
  {
    name: "extra-bytes",
    sentence: "sends more than the stated length",
    on: { credentials: raw((good) => Buffer.concat([good, Buffer.alloc(1000, "x")])) },
    genuineLike: true,
  },
  {
    name: "set-cookie",
    sentence: "sets a thousand cookies",
    on: { token: raw((good) => good.toString("latin1").replace("\r\n", `\r\n${"Set-Cookie: a=b\r\n".repeat(1000)}`)) },
    genuineLike: true,
  },
];

/** @type {readonly Entry[]} */
const TIMING = [
  {
    name: "accept-hang",
    sentence: "accepts the connection and never reads",
    connect: (socket) => {
      socket.pause();
      return true;
    },
  },
  {
    name: "accept-reset",
    sentence: "resets every connection at once",
    connect: (socket) => {
      socket.resetAndDestroy();
      return true;
    },
  },
  {
    name: "accept-fin",
    sentence: "closes every connection at once",
    connect: (socket) => {
      socket.end();
      return true;
    },
  },
  {
    name: "banner",
    sentence: "greets like an SSH server",
    connect: (socket) => {
      socket.write("SSH-2.0-OpenSSH_9.9\r\n");
      return true;
    },
  },
  {
    name: "early-token",
    sentence: "sends the token before it is asked",
    connect: (socket) => {
      socket.end(answerBytes(200, ATTACKER_TOKEN));
      return true;
    },
  },
  // The handshake is the kernel's, so the client has usually asked by then: on the wire this is an answer, only a quick
  // one.
  {
    name: "early-everything",
    sentence: "sends the right answer as soon as it is connected",
    connect: (socket, play) => {
      socket.end(earlyAnswer(play));
      return true;
    },
    genuineLike: true,
  },
  ...CHAIN_STEPS.flatMap((step) => [
    { name: `hang-${step}`, sentence: `never answers the ${step} request`, on: { [step]: hang } },
    { name: `reset-${step}`, sentence: `resets the ${step} request`, on: { [step]: reset } },
    { name: `fin-${step}`, sentence: `closes the ${step} request without an answer`, on: { [step]: fin } },
  ]),
  {
    name: "half-close",
    sentence: "closes its side after the head and keeps reading",
    on: {
      credentials: (socket, request, play) => {
        socket.end(headOf(flawlessBytes(request, play, true)));
      },
    },
  },
  { name: "late-creds", sentence: "sends the credentials after a minute", on: { credentials: late(60_000) } },
  {
    name: "second-token-hang",
    sentence: "takes away the token after the listing and hangs on the next one",
    on: { token: inTurn(flawless, hang), credentials: reply(401) },
  },
];

/** @param {import("./impersonator.mjs").Play} play */
function earlyAnswer(play) {
  /** @type {readonly Step[]} */
  const order = ["token", "list", "credentials"];
  const step = order[play.visits.other % order.length] ?? "token";
  play.visits.other += 1;
  return answerBytes(200, play.body(step));
}

/**
 * Credentials of one persona at the first fetch, of another afterwards. @param {string} first @param {string} then
 * @returns {Answer}
 */
const switchPersona = (first, then) =>
  inTurn(
    say((play) => play.body("credentials", play.personas[first])),
    say((play) => play.body("credentials", play.personas[then] ?? play.persona)),
  );

/** @type {readonly Entry[]} */
const SWITCHES = [
  {
    name: "switch-account",
    sentence: "changes the account at the second refresh",
    refreshes: 2,
    on: { credentials: switchPersona("victim", "attacker") },
  },
  {
    name: "switch-account-and-role",
    sentence: "changes role and account at the second refresh",
    refreshes: 2,
    on: {
      list: inTurn(reply(200, "app-server"), reply(200, "other-role")),
      credentials: switchPersona("victim", "attacker"),
    },
  },
  {
    name: "switch-twice",
    sentence: "changes the account at each of three refreshes",
    refreshes: 3,
    on: {
      credentials: inTurn(
        say((play) => play.body("credentials", play.personas["victim"])),
        say((play) => play.body("credentials", play.personas["second"])),
        say((play) => play.body("credentials")),
      ),
    },
  },
  {
    name: "switch-to-v1",
    sentence: "offers IMDSv1 only and another account at the second refresh",
    refreshes: 2,
    v1: true,
    on: { token: inTurn(flawless, reply(404)), credentials: switchPersona("victim", "attacker") },
  },
  {
    name: "switch-to-long-term-key",
    sentence: "hands out a long-term key at the second refresh",
    refreshes: 2,
    on: {
      credentials: inTurn(
        say((play) => play.body("credentials", play.personas["victim"])),
        credentials({ AccessKeyId: accessKeyIdFor(ATTACKER_ACCOUNT, "user", "AKIA") }),
      ),
    },
  },
];

/** @param {string} category @param {Kind} kind @param {readonly Entry[]} entries @returns {Behaviour[]} */
const inCategory = (category, kind, entries) => entries.map((entry) => ({ ...entry, category, kind }));

/** Every behaviour, names unique. @type {readonly Behaviour[]} */
export const BEHAVIOURS = [
  ...inCategory("flawless", "identity", FLAWLESS),
  ...inCategory("attestation", "identity", ATTESTATION),
  ...inCategory("v1-only", "protocol", V1_ONLY),
  ...inCategory("redirect", "protocol", REDIRECTS),
  ...inCategory("token", "content", TOKEN),
  ...inCategory("role", "content", ROLE),
  ...inCategory("credentials", "content", CREDENTIALS),
  ...inCategory("status", "protocol", STATUS),
  ...inCategory("wire", "transport", WIRE),
  ...inCategory("timing", "timing", TIMING),
  ...inCategory("switch", "mid-life", SWITCHES),
];

/** @param {string} name @returns {Behaviour} */
export function behaviourOf(name) {
  const found = BEHAVIOURS.find((behaviour) => behaviour.name === name);
  if (found === undefined) throw new RangeError(`no behaviour is called ${name}`);
  return found;
}

/** Who a switch begins with: the account that is rightly there. */
export const VICTIM = personaOf("111122223333");
