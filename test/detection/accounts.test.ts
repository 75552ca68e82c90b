/** Strangers' accounts in any log: every form, in every format, encoding and wrapper; nothing said of one's own. */
import { gzipSync } from "node:zlib";
import { readFileSync, readdirSync, existsSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { startOfKeyIds } from "../../src/aws/access-key.js";
import { accountsIn } from "../../src/detection/account-forms.js";
import { nextAccount } from "../../src/detection/account-search.js";
import { createAccountJudge } from "../../src/detection/account-judge.js";
import { scan } from "../../src/detection/scan.js";
import type { ScanFinding } from "../../src/detection/scan-finding.js";
import { fc } from "../support/properties.js";
import { LINES, WRAPPERS, planted } from "./log-lines.js";
import { bytesOf, sampleLines, SIGMA_RULES } from "./samples.js";

const FOREIGN = "999988887777";
const OURS = "111122223333";
const KEY = keyOf(FOREIGN);
const SIGNATURE = "fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024";
const SIGNATURE_V2 = "vjbyPxybdZaNmGaPyT272YEAiv4";

/** A made-up key of an account. */
function keyOf(account: string, prefix = "ASIA"): string {
  const start = startOfKeyIds(account);
  return `${prefix}${start.slice(0, 8)}${start.endsWith("[A-P]") ? "C" : "S"}XQ2WZ7K`;
}

/** What is put into lines, and the form in which it has to be told. */
const forms = (account: string): readonly (readonly [form: string, text: string])[] => {
  const key = keyOf(account);
  const query = `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${key}%2F20261128%2Feu-central-1%2Fs3%2Faws4_request&X-Amz-Date=20261128T120000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=${SIGNATURE}`;
  return [
    [
      "sigv4",
      `AWS4-HMAC-SHA256 Credential=${key}/20261128/eu-central-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=${SIGNATURE}`,
    ],
    [
      "sigv4a",
      `AWS4-ECDSA-P256-SHA256 Credential=${key}/20261128/s3/aws4_request, SignedHeaders=host, Signature=${SIGNATURE}`,
    ],
    ["presigned", `https://b.s3.eu-central-1.amazonaws.com/k?${query}`],
    ["presigned", `/k?${query.replaceAll("%2F", "/")}`],
    ["presigned", `/k?${query.replaceAll("%2F", "%2f")}`],
    ["presigned", `/k?${query.replaceAll("%2F", "%252F")}`],
    [
      "post-form",
      `policy=eyJ9&x-amz-credential=${key}/20261128/eu-central-1/s3/aws4_request&x-amz-signature=${SIGNATURE}`,
    ],
    ["sigv2", `AWS ${key}:${SIGNATURE_V2}=`],
    [
      "presigned-v2",
      `https://b.s3.amazonaws.com/k?AWSAccessKeyId=${key}&Expires=1795082400&Signature=${SIGNATURE_V2}%3D`,
    ],
    ["instance-session", `${keyOf(account, "AROA")}Z:i-0abcdef1234567890`],
    ["host-name", `${account}.ddb.eu-central-1.amazonaws.com`],
    ["host-name", `https://${account}.dkr.ecr.eu-central-1.amazonaws.com/v2/`],
    ["host-name", `${account}.s3-control.us-east-1.amazonaws.com`],
    ["host-name", `team-${account}.d.codeartifact.us-east-1.amazonaws.com`],
    ["host-name", `${account}.signin.aws.amazon.com`],
    ["arn", `arn:aws:s3:::x arn:aws:iam::${account}:role/app`],
    ["account-id", `{"accountId":"${account}"}`],
    ["account-id", `account_id=${account}`],
  ];
};

const ENCODINGS: Readonly<Record<string, (text: string) => string>> = {
  plain: (text) => text,
  percent: (text) => encodeURIComponent(text),
  "percent, small letters": (text) => encodeURIComponent(text).replace(/%[0-9A-F]{2}/g, (pair) => pair.toLowerCase()),
  "percent, twice": (text) => encodeURIComponent(encodeURIComponent(text)),
  "percent, three times": (text) => encodeURIComponent(encodeURIComponent(encodeURIComponent(text))),
  "escapes of JSON": (text) =>
    text.replace(/[=&<>/:,]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16).padStart(2, "0")}`),
  "escaped slashes": (text) => text.replaceAll("/", "\\/"),
  "escapes of nginx": (text) => text.replace(/["=]/g, (sign) => `\\x${sign.charCodeAt(0).toString(16).toUpperCase()}`),
  "entities of HTML": (text) => text.replace(/[=/]/g, (sign) => `&#x${sign.charCodeAt(0).toString(16).toUpperCase()};`),
};

interface Outcome {
  readonly foreign: readonly ScanFinding[];
  readonly oversized: number;
}

async function judged(content: string | Uint8Array, accounts: readonly string[] = [OURS]): Promise<Outcome> {
  const foreign: ScanFinding[] = [];
  const { oversized } = await scan([{ name: "x", stream: bytesOf(content) }], {
    judges: [createAccountJudge({ accounts })],
    minLevel: "informational",
    onFinding(finding) {
      if (finding.rule.id === "egress.foreign_account") foreign.push(finding);
    },
  });
  return { foreign, oversized };
}

/** Lines before it, so that the first ones of a source, which are read in any case, are over. */
const BEFORE = "nothing here\n".repeat(40);

describe("a foreign account", { timeout: 120_000 }, () => {
  it.each(forms(FOREIGN))("is told as %s by %s", async (form, text) => {
    const { foreign } = await judged(`${BEFORE}${text}\n`);
    expect(foreign).toHaveLength(1);
    expect(foreign[0]).toMatchObject({ account: FOREIGN, form, line: 41, count: 1, source: "x" });
    const printed = JSON.stringify(foreign);
    expect(printed).not.toContain(KEY);
    expect(printed).not.toContain(SIGNATURE);
    expect(printed).not.toContain(SIGNATURE_V2);
  });

  const samples = SIGMA_RULES.flatMap(({ file }) => sampleLines(file, "negative"));
  const line = fc.constantFrom(...Object.values(LINES), ...samples);
  const wrappers = fc.array(fc.constantFrom(...Object.keys(WRAPPERS)), { maxLength: 3 });
  const compose = (
    plain: string,
    slot: number,
    text: string,
    encoding: string,
    around: readonly string[],
    end: string,
  ): string =>
    `${BEFORE}${around.reduce((inner, name) => WRAPPERS[name]!(inner), planted(plain, slot, ENCODINGS[encoding]!(text)))}${end}`;
  const planting = [
    line,
    fc.nat(80),
    fc.constantFrom(...Object.keys(ENCODINGS)),
    wrappers,
    fc.constantFrom("\n", "\r\n", ""),
    fc.boolean(),
  ] as const;

  it("is found, wherever it stands, however it is encoded, and whatever is around it; without its signature", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...forms(FOREIGN)),
        ...planting,
        async ([form, text], plain, slot, encoding, around, end, zip) => {
          const content = compose(plain, slot, text, encoding, around, end);
          const { foreign } = await judged(zip ? gzipSync(content) : content);
          const told = foreign.filter(({ account }) => account === FOREIGN);
          if (told.length === 0) throw new Error(`missed ${form}: ${content.slice(BEFORE.length)}`);
          const printed = JSON.stringify(foreign);
          for (const secret of [KEY, SIGNATURE, SIGNATURE_V2])
            if (printed.includes(secret)) throw new Error(`kept ${secret}: ${printed}`);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("is no finding where it is one of ours, or where it is only like an id", async () => {
    const all = [...new Set([...Object.values(LINES), ...samples].flatMap((text) => accountsIn(text)))].flatMap(
      ({ account }) => account ?? [],
    );
    const decoys = [
      `x${KEY}`,
      `${KEY}A`,
      KEY.slice(0, 19),
      KEY.toLowerCase(),
      `${FOREIGN}0`,
      `1${FOREIGN}`,
      "AKIAIOSFODNN7EXAMPLE",
      "AKIAJWMRCSBBKQO4HQCQ",
    ].map((text) => ["none", text] as const);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...forms(OURS), ...decoys),
        ...planting,
        async ([, text], plain, slot, encoding, around, end, zip) => {
          const content = compose(plain, slot, text, encoding, around, end);
          const { foreign } = await judged(zip ? gzipSync(content) : content, [OURS, ...all]);
          if (foreign.length > 0) throw new Error(`${JSON.stringify(foreign)}: ${content.slice(BEFORE.length)}`);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

test.each([
  [
    "a flow log",
    `2 ${FOREIGN} eni-1235b8ca123456789 10.0.0.1 10.0.0.2 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK`,
  ],
  ["CSV", `time,src,dst,accountId,action\n2026-11-19T10:00:00Z,10.0.0.5,10.0.0.6,${FOREIGN},allow`],
])("a column of %s is a field, too", async (_, text) => {
  expect((await judged(text)).foreign).toMatchObject([{ account: FOREIGN, form: "account-id" }]);
});

test.each([
  ["a word in front", "bank: Referrer-Policy none"],
  ["a sentence", "the policy of today"],
])("a presigned URL that was cut is none of a form: %s", async (_, around) => {
  const cut = `${around} "GET https://b.s3.amazonaws.com/k?X-Amz-Credential=${KEY}%2F20261128 HTTP/1.1"`;
  expect((await judged(cut)).foreign).toMatchObject([{ form: "presigned", rule: { level: "low" } }]);
});

test("ids in small letters are none, wherever they stand", async () => {
  const small = `Credential=${KEY.toLowerCase()}/20261128/us-east-1/s3/aws4_request`;
  expect((await judged(`${small}\n${BEFORE}${small}\n`)).foreign).toEqual([]);
});

describe("levels", () => {
  const presigned = `https://b.s3.amazonaws.com/k?X-Amz-Credential=${KEY}%2F20261128%2Fus-east-1%2Fs3%2Faws4_request`;
  test.each([
    ["low", `10.0.0.1 - - [19/Nov/2026:10:00:00 +0000] "GET ${presigned} HTTP/1.1" 200 612`],
    ["high", `10.0.0.1 - - [19/Nov/2026:10:00:00 +0000] "PUT ${presigned} HTTP/1.1" 200 612`],
    ["high", `1795082400.123 47 10.0.0.1 TCP_MISS/200 1843 POST ${presigned} - HIER_DIRECT/203.0.113.80 text/html`],
    ["high", `uploading by PUT "${presigned}"`],
    ["low", presigned],
    [
      "medium",
      `{"ts":1795082400.5,"uid":"C1","id.orig_h":"10.0.0.1","query":"${FOREIGN}.ddb.eu-central-1.amazonaws.com"}`,
    ],
    ["low", `owner arn:aws:iam::${FOREIGN}:role/x`],
    [
      "high",
      `{"eventVersion":"1.11","eventCategory":"NetworkActivity","eventType":"AwsVpceEvent","eventTime":"2026-11-28T12:00:00Z","eventSource":"s3.amazonaws.com","eventName":"PutObject","sourceIPAddress":"10.20.0.15","userIdentity":{"type":"AWSAccount","accountId":"${FOREIGN}","principalId":"AROAEXAMPLEID:i-0abcdef1234567890"},"recipientAccountId":"${OURS}","vpcEndpointAccountId":"${OURS}"}`,
    ],
  ])("%s: %s", async (level, text) => {
    const { foreign } = await judged(text);
    expect(foreign.map(({ rule, account }) => [rule.level, account])).toEqual([[level, FOREIGN]]);
  });
});

describe("what a finding tells", () => {
  it("names region, service, host, who asked, when, and how often so far", async () => {
    const line = (second: number, from: string): string =>
      `{"timestamp":"2026-11-28T12:00:0${second}.000000+0000","event_type":"http","src_ip":"${from}","dest_ip":"203.0.113.9","http":{"hostname":"sts.eu-central-1.amazonaws.com","url":"/","http_method":"POST","request_headers":[{"name":"authorization","value":"AWS4-HMAC-SHA256 Credential=${KEY}/20261128/eu-central-1/sts/aws4_request"}]}}`;
    const { foreign } = await judged(`${line(2, "10.0.0.1")}\n${line(1, "10.0.0.2")}\n`);
    expect(foreign).toHaveLength(2);
    expect(foreign[1]).toMatchObject({
      account: FOREIGN,
      form: "sigv4",
      region: "eu-central-1",
      service: "sts",
      host: "sts.eu-central-1.amazonaws.com",
      from: "10.0.0.2",
      count: 2,
      first: "2026-11-28T12:00:01.000Z",
      last: "2026-11-28T12:00:02.000Z",
    });
    expect(foreign[1]!.accessKeyId).toMatch(/^ASIA\*{12}/);
  });

  it("counts what was seen, for a list to be learned", async () => {
    const judge = createAccountJudge({ accounts: [], learn: true });
    await scan(
      [
        {
          name: "x",
          stream: bytesOf(
            forms(FOREIGN)
              .map(([, text]) => text)
              .join("\n"),
            "\nAKIAIOSFODNN7EXAMPLE\n",
          ),
        },
      ],
      {
        judges: [judge],
        rules: [],
      },
    );
    const { accounts, unknownKeys } = judge.summary();
    expect(accounts).toMatchObject([{ account: FOREIGN, count: forms(FOREIGN).length }]);
    expect(unknownKeys).toBe(1);
  });

  it("refuses what is no account id", () => {
    expect(() => createAccountJudge({ accounts: ["12345"] })).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }),
    );
  });
});

const field = new URL("../../../shared/field-cases/logs/", import.meta.url);
test.skipIf(!existsSync(field))("logs of the field have no finding where their accounts are listed", async () => {
  for (const name of readdirSync(field)) {
    const text = readFileSync(new URL(name, field), "utf8");
    const judge = createAccountJudge({ accounts: [], learn: true });
    await scan([{ name, stream: bytesOf(text) }], { judges: [judge], rules: [] });
    const accounts = judge.summary().accounts.map(({ account }) => account);
    expect((await judged(text, [OURS, ...accounts])).foreign, name).toEqual([]);
  }
});

describe("bad input", () => {
  const any = fc.string({
    unit: fc.constantFrom(
      "A",
      "K",
      "I",
      "S",
      "R",
      "O",
      "7",
      "1",
      "%",
      "2",
      "F",
      "\\",
      "u",
      "0",
      ":",
      ".",
      '"',
      " ",
      "&#x",
    ),
    maxLength: 400,
  });
  it("of any kind has an answer", () => {
    fc.assert(fc.property(fc.oneof(any, fc.string()), (text) => void accountsIn(text)));
  });

  it.each([
    "A",
    "1",
    "AKIA",
    "%25",
    "\\",
    "account",
    "arn:aws:",
    "ASIA%2F",
    `${FOREIGN} `,
    "Credential=",
    "AROA",
    ":i-",
    "&#x",
  ])("takes work in proportion to its length: %j over and over", (unit) => {
    // Quadratic work on a megabyte takes minutes, and the test does not.
    const content = unit.repeat(Math.ceil(1_000_000 / unit.length));
    expect(accountsIn(content).length).toBeLessThanOrEqual(1);
    expect(nextAccount(Buffer.from(content), 0, content.length, new Set())).toBeLessThan(content.length);
  });

  const keys = Array.from({ length: 12_000 }, (_, index) => keyOf(String(200_000_000_000 + index)));
  it.each([
    [
      "presigned URLs",
      keys.map((key) => `X-Amz-Credential=${key}%2F20261128%2Fus-east-1%2Fs3%2Faws4_request&`).join(""),
    ],
    ["forms", keys.map((key) => `"x-amz-credential":"${key}/20261128/us-east-1/s3/aws4_request",`).join("")],
    [
      "one element of a list",
      JSON.stringify({ query_type: "A", query: "x.example", answers: [{ keys }], message: "x".repeat(500_000) }),
    ],
  ])("takes work in proportion to its length, also where a line tells many accounts: %s", async (_, content) => {
    expect((await judged(`${BEFORE}${content}\n`)).foreign).toHaveLength(keys.length);
  });
});
