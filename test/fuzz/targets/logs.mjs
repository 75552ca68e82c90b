// @ts-check
/** Logs, which whoever is logged has a hand in: cutting, recognising, reading, searching and showing them. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { hold, SECRETS } from "../oracle.mjs";

const texts = (/** @type {readonly string[]} */ ...list) => list.map((text) => Buffer.from(text));
const NOW = Date.UTC(2026, 1, 16, 12);

const SAMPLES = {
  zeekTsv:
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\thttp\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tmethod\thost\turi\tanswers\n#types\ttime\taddr\tport\taddr\tport\tstring\tstring\tstring\tvector[string]\n1771200000.1\t10.0.0.5\t40000\t169.254.169.254\t80\tPUT\t169.254.169.254\t/latest/api/token\ta,b\\x2cc\n",
  zeekJson:
    '{"_path":"http","ts":1771200000.1,"id.orig_h":"10.0.0.5","id.resp_h":"169.254.169.254","id.resp_p":80,"trans_depth":1,"method":"GET","host":"169.254.169.254","uri":"/latest/meta-data/iam/security-credentials/"}\n',
  suricata:
    '{"timestamp":"2026-02-16T00:00:00.000+0000","event_type":"http","src_ip":"10.0.0.5","dest_ip":"169.254.169.254","dest_port":80,"http":{"hostname":"169.254.169.254","url":"\\/latest\\/api\\/token","http_method":"PUT","request_headers":[{"name":"X-aws-ec2-metadata-token-ttl-seconds"}]}}\n',
  flow: '{"timestamp":"2026-02-16T00:00:00.000+0000","event_type":"flow","src_ip":"10.0.0.5","dest_ip":"169.254.169.254","dest_port":80,"proto":"TCP","vlan":[7],"flow":{"state":"established","bytes_toclient":400,"pkts_toclient":4}}\n',
  dns: '{"timestamp":"2026-02-16T00:00:00.000+0000","event_type":"dns","src_ip":"10.0.0.5","dns":{"type":"answer","rrname":"a.example","rrtype":"A","answers":[{"rdata":"169.254.169.254"}],"grouped":{"A":["169.254.169.254"]}}}\n',
  cloudtrail:
    '{"Records":[{"eventVersion":"1.09","eventName":"GetCallerIdentity","eventSource":"sts.amazonaws.com","eventTime":"2026-02-16T00:00:00Z","sourceIPAddress":"192.0.2.1","userIdentity":{"arn":"arn:aws:sts::111122223333:assumed-role/web/i-0123456789abcdef0","sessionContext":{"ec2RoleDelivery":"1.0"}}},{"eventName":"x","eventSource":"y"}]}',
  events:
    '{"code":"imds.impersonation_detected","severity":"critical","time":"2026-02-16T00:00:00Z","caller":{"pid":1,"argv0":"x"},"endpoint":{"address":"169.254.169.254","port":80}}\n{"@timestamp":"2026-02-16T00:00:00Z","imds_guard":{"code":"imds.account_mismatch"}}\n',
  sysmon:
    '{"Event":{"System":{"EventID":1},"EventData":{"UtcTime":"2026-02-16 00:00:00.000","Image":"C:\\\\Windows\\\\curl.exe","CommandLine":"curl http://169.254.169.254/latest/meta-data/"}}}\n{"winlog":{"event_id":3,"event_data":{"DestinationIp":"169.254.169.254","SourceIp":"10.0.0.5"}},"@timestamp":"2026-02-16T00:00:00Z"}\n{"EventID":1,"Image":"/usr/bin/curl","CommandLine":"curl 169.254.169.254","os":"macos"}\n',
  vpc: "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n2 123456789010 eni-1235b8ca123456789 10.0.0.5 169.254.169.254 20641 80 6 20 4249 1771200000 1771200060 ACCEPT OK\n2 123456789010 eni-1235b8ca123456789 - - - - - - - 1771200000 1771200060 - NODATA\n",
  squid:
    "1771200000.123    100 10.0.0.5 TCP_MISS/200 500 GET http://169.254.169.254/latest/meta-data/ - HIER_DIRECT/169.254.169.254 text/plain\n1771200001.123 1 10.0.0.5 TCP_TUNNEL/200 39 CONNECT [fd00:ec2::254]:80 user HIER_NONE/- -\n",
  access:
    '10.0.0.5 - - [16/Feb/2026:00:00:00 +0100] "GET /fetch?url=http://169.254.169.254/latest/ HTTP/1.1" 200 512 "-" "curl/8"\nvhost:80 10.0.0.6 - bob [16/Feb/2026:00:00:00 +0000] "CONNECT 169.254.169.254:80 HTTP/1.1" 403 - "x\\"y" "z"\n',
  syslog:
    "Feb 16 00:00:00 fw kernel: [123.456789] IN=eth0 OUT=eth1 MAC=02:00 SRC=10.0.0.5 DST=169.254.169.254 LEN=60 PROTO=TCP SPT=40000 DPT=80 \n<34>1 2026-02-16T00:00:00.000Z host dhcpd 1 - - DHCPOFFER on 169.254.169.254\n[   12.345678] SRC=10.0.0.5 DST=169.254.169.254 \n",
};
const LOG_WORDS = [
  ...Object.values(SAMPLES).flatMap((sample) => sample.split("\n").slice(0, 9)),
  "169.254.169.254",
  "fd00:ec2::254",
  "/latest/meta-data/iam/security-credentials/",
  "\\u0031",
  "\\u002f",
  "\\x31",
  "\\/",
  "\n",
  "\r\n",
  "\t",
  " ",
  ",",
  "{",
  "}",
  "[",
  "]",
  '"',
  ":",
  '"Records":[',
  '"__proto__":{',
  "\ufeff",
  "-",
  "(empty)",
  "29/Feb/2026:24:00:00 +0000",
  "#separator \\x7c\n",
  "\0",
  "null",
  "1e999",
  '"_path":"',
  '"event_type":"tls"',
  '"event_type":"arp"',
  '"answers":[',
  '"id.resp_h":"169.254.169.254"',
  '"queries":[{"rrname":"x"}]',
  "SRC=",
  "DST=",
  SECRETS.key,
  `X-aws-ec2-metadata-token: ${SECRETS.token}`,
];

/** In pieces that the input itself decides. @param {Buffer} bytes */
function pieces(bytes) {
  const cuts = createHash("sha1").update(bytes).digest();
  const parts = [];
  let at = 0;
  for (let index = 0; at < bytes.length; index = (index + 1) % cuts.length) {
    const size = 1 + ((cuts[index] ?? 0) % 37);
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return parts;
}

/** @type {readonly import("../targets.mjs").Target[]} */
export const LOGS = [
  {
    name: "log-lines",
    sentence:
      "cutting streams into lines and records: the same in whatever pieces they arrive, and lines as a plain split gives them",
    sources: ["detection/log-lines"],
    words: ["\n", "\n\n", "{", "}", '{"Records":[', "{{", "}}", '"', '\\"', "\\", "x".repeat(70)],
    maxBytes: 1_024,
    seeds: () =>
      texts("a\nbb\n\nccc", SAMPLES.cloudtrail, `{"a":[{"b":"}\\"{"},{"c":{}}]}\n`, `${"x".repeat(70)}\nshort\n`),
    async open(load) {
      const { createLineSplitter, createDocumentSplitter } = await load("detection/log-lines");
      const LIMIT = 64;
      const through = (
        /** @type {any} */ create,
        /** @type {readonly Buffer[]} */ parts,
        /** @type {any} */ nextOfInterest = undefined,
      ) => {
        /** @type {[number, string][]} */
        const found = [];
        const splitter = create(
          LIMIT,
          (
            /** @type {Buffer} */ buffer,
            /** @type {number} */ from,
            /** @type {number} */ to,
            /** @type {number} */ line,
          ) => found.push([line, buffer.toString("latin1", from, to)]),
          nextOfInterest,
        );
        for (const part of parts) splitter.write(part);
        splitter.end();
        return { found, lines: splitter.lines(), oversized: splitter.oversized() };
      };
      return (input) => {
        const whole = through(createLineSplitter, [input]);
        hold(
          JSON.stringify(through(createLineSplitter, pieces(input))) === JSON.stringify(whole),
          "lines are the same in pieces",
          { whole, cut: through(createLineSplitter, pieces(input)) },
        );
        const plain = input.toString("latin1").split("\n");
        if (plain.at(-1) === "") plain.pop();
        const expected = plain
          .map((line, index) => /** @type {const} */ ([index + 1, line]))
          .filter(([, line]) => line !== "" && line.length <= LIMIT);
        hold(
          JSON.stringify(whole.found) === JSON.stringify(expected) && whole.lines === plain.length,
          "lines are those of a plain split",
          { whole, expected },
        );
        hold(whole.oversized === plain.filter((line) => line.length > LIMIT).length, "long lines are counted", whole);
        const wanted = (/** @type {Buffer} */ buffer, /** @type {number} */ from, /** @type {number} */ to) => {
          const at = buffer.subarray(from, to).indexOf("x");
          return at === -1 ? -1 : from + at;
        };
        for (const parts of [[input], pieces(input)]) {
          const picked = through(createLineSplitter, parts, wanted);
          hold(
            JSON.stringify(picked.found) === JSON.stringify(expected.filter(([, line]) => line.includes("x"))) &&
              picked.lines === plain.length,
            "only lines of interest are handed on, and all are counted",
            { picked, expected },
          );
        }
        const records = through(createDocumentSplitter, [input]);
        hold(
          JSON.stringify(through(createDocumentSplitter, pieces(input))) === JSON.stringify(records),
          "records are the same in pieces",
          { records, cut: through(createDocumentSplitter, pieces(input)) },
        );
        return `${records.found.length > 0} ${records.oversized > 0}`;
      };
    },
  },
  {
    name: "log-formats",
    sentence:
      "lines of every format, behind whatever they are wrapped in: records with their own fields and times, and nothing thrown",
    sources: [
      "detection/log-reader",
      "detection/log-formats",
      "detection/log-json",
      "detection/log-text",
      "detection/log-table",
      "detection/log-pairs",
      "detection/log-wrappers",
      "detection/log-generic",
    ],
    also: ["detection/log-record", "detection/log-fields", "detection/log-time"],
    words: LOG_WORDS,
    maxBytes: 2_048,
    seeds: () => texts(...Object.values(SAMPLES)),
    async open(load) {
      const { createLogReader } = await load("detection/log-reader");
      const { fieldOf } = await load("detection/log-record");
      return (input) => {
        const reader = createLogReader({ now: () => NOW });
        const words = new Set();
        for (const [index, line] of input.toString("utf8").split(/\r?\n/).entries()) {
          const { judged, malformed } = reader.read(
            line,
            index + 1,
            (/** @type {() => any} */ record, /** @type {string} */ name) => {
              const { text, time, fields, source } = record();
              words.add(`${name} ${source.category ?? source.service}`.slice(0, 40).replace(/[^a-z_ -]/g, ""));
              hold(typeof text === "string", "a record has its text", text);
              hold(time === undefined || Number.isFinite(time), "a time is one", time);
              hold(
                Object.getPrototypeOf(fields) === null || Object.getPrototypeOf(fields) === Object.prototype,
                "fields inherit nothing of the line",
                fields,
              );
              fieldOf(fields, "a.b.c");
              return false;
            },
          );
          hold(!judged, "a line is judged only where a record was", line);
          words.add(`malformed ${malformed}`);
        }
        return [...words].join();
      };
    },
  },
  {
    name: "scan",
    sentence:
      "whole logs against the shipped rules: the quick search passes over nothing that reading every line finds, and no finding shows a secret that is named as one",
    sources: [
      "detection/scan",
      "detection/prefilter",
      "detection/line-search",
      "detection/scan-finding",
      "detection/scan-summary",
      "detection/log-stream",
      "detection/sigma-correlation",
      "base/text",
    ],
    words: LOG_WORDS,
    maxBytes: 4_096,
    seeds: () => [
      ...texts(...Object.values(SAMPLES), `\ufeff${SAMPLES.cloudtrail}`, "no log\n"),
      gzipSync(SAMPLES.zeekJson),
      gzipSync(SAMPLES.squid).subarray(0, 40),
      Buffer.from("28b52ffd0000", "hex"),
    ],
    async open(load) {
      const { scan } = await load("detection/scan");
      const scanned = async (/** @type {readonly Buffer[]} */ parts, /** @type {boolean} */ thorough) => {
        /** @type {any[]} */
        const findings = [];
        async function* stream() {
          yield* parts;
        }
        const summary = await scan([{ name: "log", stream: stream() }], {
          thorough,
          now: () => NOW,
          minLevel: "informational",
          onFinding: (/** @type {any} */ finding) => void findings.push(finding),
        });
        return { findings, summary };
      };
      return async (input) => {
        const quick = await scanned([input], false);
        const thorough = await scanned([input], true);
        hold(
          JSON.stringify(quick.findings) === JSON.stringify(thorough.findings),
          "the quick search passes over nothing",
          { quick: quick.findings.length, thorough: thorough.findings },
        );
        // Where a format is told by its first lines, these have to have arrived.
        const cut = input.length % 4 === 0 ? await scanned(pieces(input), false) : quick;
        const [one, other] = [thorough, cut].map(({ summary }) => summary.sources[0]);
        hold(
          one.failure !== undefined ||
            other.failure !== undefined ||
            one.format !== other.format ||
            JSON.stringify(cut.findings) === JSON.stringify(thorough.findings),
          "findings are the same in pieces",
          { cut: cut.findings, thorough: thorough.findings },
        );
        const shown = JSON.stringify(thorough.findings);
        hold(!shown.includes(`metadata-token: ${SECRETS.token}`), "no finding shows a token that is named as one");
        return `${one.format} ${one.failure?.code} ${thorough.findings[0]?.rule.title ?? ""}`;
      };
    },
  },
  {
    name: "line-search",
    sentence: "the search for many texts at once: it finds what a plain search finds",
    sources: ["detection/line-search"],
    words: ["\n", "169.254", "latest", "LATEST", "meta-data", "aa", "ab"],
    maxBytes: 512,
    seeds: () =>
      texts(
        "169.254\nlatest\n\nGET http://169.254.169.254/LATEST",
        "ab\n\nxxabxx",
        `${"long".repeat(12)}\nxy\n\n${"LONG".repeat(12)} xy`,
        "aa\naab\n\naaab",
      ),
    async open(load) {
      const { createLineSearch } = await load("detection/line-search");
      return (input) => {
        const [head = "", ...rest] = input.toString("latin1").split("\n\n");
        const needles = head
          .split("\n")
          .map((text) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()))
          .filter((text) => text.length >= 2);
        if (needles.length === 0) return "nothing to look for";
        const hay = Buffer.from(rest.join("\n\n"), "latin1");
        const from = hay.length >> 3;
        const to = hay.length - (hay.length >> 4);
        const found = createLineSearch(needles).next(hay, from, to);
        const lower = hay.toString("latin1", from, to).replace(/[A-Z]/g, (letter) => letter.toLowerCase());
        // Only the beginning of a long text is looked for.
        const spots = needles
          .map((text) => text.slice(0, 32))
          .map((text) => [lower.indexOf(text), text.length])
          .filter(([at]) => at !== -1);
        hold((found === -1) === (spots.length === 0), "something is found where something is", {
          needles,
          lower,
          found,
        });
        if (found !== -1) {
          const firstEnd = Math.min(...spots.map(([at = 0, length = 0]) => at + length));
          hold(found >= from && found < from + firstEnd, "nothing is passed over", { found, from, firstEnd });
        }
        return `${found === -1}`;
      };
    },
  },
  {
    name: "zstd-frames",
    sentence: "frames of Zstandard: their end is the same in whatever pieces they arrive, and there is one",
    sources: ["detection/zstd-frames"],
    words: [
      "28b52ffd",
      "502a4d18",
      "5f2a4d18",
      "04000000",
      "ffffffff",
      "20",
      "24",
      "e4",
      "010000",
      "090000",
      "0b0000",
      "ffffff",
      "00",
      "60",
      "a0",
    ].map((hex) => Buffer.from(hex, "hex")),
    maxBytes: 512,
    seeds: () =>
      [
        "28b52ffd2003190000616263",
        "28b52ffd0458190000616263deadbeef",
        "502a4d1804000000aabbccdd28b52ffd2000010000",
        "28b52ffde4000000000000000000000000ff0b0000aa",
        "28b52ffd000006",
        "1f8b",
      ].map((hex) => Buffer.from(hex, "hex")),
    async open(load) {
      const { createFrameWalker } = await load("detection/zstd-frames");
      return (input) => {
        const walker = createFrameWalker();
        const end = walker.endOfFrame(input, 0);
        hold(end === -1 || (end >= 6 && end <= input.length), "an end lies within", end);
        const other = createFrameWalker();
        let at = 0;
        let found = -1;
        for (const piece of pieces(input)) {
          const within = other.endOfFrame(piece, 0);
          if (within !== -1) {
            found = at + within;
            break;
          }
          at += piece.length;
        }
        hold(found === end && other.skippable() === walker.skippable(), "the end is the same in pieces", {
          end,
          found,
        });
        hold(
          input.length < 4 || walker.skippable() === (input.readUInt32LE(0) >>> 4 === 0x184d2a5),
          "what is skipped is told by its magic number",
        );
        if (end !== -1 && walker.skippable())
          hold(end === 8 + input.readUInt32LE(4), "a skippable frame states its size", end);
        return `${end === -1} ${walker.skippable()}`;
      };
    },
  },
  {
    name: "mask-secrets",
    sentence: "what is quoted from a log: secrets that are named as such are never in it, whatever surrounds them",
    sources: ["base/text"],
    words: [
      SECRETS.key,
      SECRETS.session,
      SECRETS.token,
      "X-aws-ec2-metadata-token: ",
      "aws_secret_access_key=",
      '"SecretAccessKey":"',
      "Authorization: Bearer ",
      "AKIA",
      "ASIAQEAAAAAAAAAAAAAA",
      "https://user:",
      "@",
      "&sig=",
      "%3d",
      "a".repeat(40),
      "***",
      "=",
      "/",
      "-",
    ],
    maxBytes: 4_096,
    seeds: () =>
      texts(
        `GET /?X-Amz-Signature=${"ab12".repeat(16)}&x=1`,
        `curl -H "X-aws-ec2-metadata-token: ${SECRETS.token}"`,
        `{"SecretAccessKey":"${SECRETS.key}"}`,
        "https://user:pass@example.com/ ASIAQEAAAAAAAAAAAAAA",
        "a-b_c=d".repeat(30),
      ),
    async open(load) {
      const { maskSecrets } = await load("base/text");
      return (input) => {
        const text = input.toString("utf8");
        const masked = maskSecrets(
          `${text}\n"SecretAccessKey": "${SECRETS.key}"\nX-aws-ec2-metadata-token: ${SECRETS.token}\n`,
        );
        // A text may hold a secret that nothing names; then only its own promise is left.
        for (const secret of [SECRETS.key, SECRETS.token]) {
          const part = secret.slice(0, 12);
          hold(text.includes(part) || !masked.includes(part), "a secret that is named is masked", masked.slice(-160));
        }
        hold(masked.length <= 2 * text.length + 240, "a mask does not make much more of it");
        return `${masked.includes("***")}`;
      };
    },
  },
];
