// @ts-check
/** What names credentials by certificate, and what the service that gives them answers. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { generateKeyPairSync } from "node:crypto";
import { declared, hold, holdsItsTongue, SECRETS } from "../oracle.mjs";

const texts = (/** @type {readonly string[]} */ ...list) => list.map((text) => Buffer.from(text));
const NOW = Date.UTC(2026, 1, 16);
const ROLE = "arn:aws:iam::123456789012:role/path/app";
const LINE = [
  "aws_signing_helper credential-process",
  "--certificate /etc/pki/cert.pem --private-key '/etc/pki/the key.pem'",
  "--trust-anchor-arn arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/00000000-0000-0000-0000-000000000000",
  "--profile-arn arn:aws:rolesanywhere:eu-central-1:123456789012:profile/00000000-0000-0000-0000-000000000000",
  `--role-arn=${ROLE}`,
].join(" ");
const CREDENTIALS = {
  accessKeyId: "ASIARZPUZDIKAAAAAAAA",
  secretAccessKey: SECRETS.key,
  sessionToken: SECRETS.session,
  expiration: "2026-02-16T01:00:00Z",
};
const SESSION = {
  credentialSet: [
    {
      assumedRoleUser: { arn: "arn:aws:sts::123456789012:assumed-role/app/00c0ffee", assumedRoleId: "AROAX:00c0ffee" },
      credentials: CREDENTIALS,
      roleArn: ROLE,
    },
  ],
  subjectArn: "arn:aws:rolesanywhere:eu-central-1:123456789012:subject/00000000-0000-0000-0000-000000000000",
};
const ANSWER_ERRORS = {
  RolesAnywhereError: ["ERR_ROLES_ANYWHERE_MALFORMED", "ERR_ROLES_ANYWHERE_ACCOUNT", "ERR_ROLES_ANYWHERE_ROLE"],
};
/** What a shell reads as itself, so that its words can be held against ours. */
const SHELL = ["/bin/sh", "/usr/bin/sh"].find((path) => existsSync(path));

/** Words as a real shell makes them. @param {string} line */
function wordsOfShell(line) {
  const printed = execFileSync(/** @type {string} */ (SHELL), ["-c", `printf '%s\\0' ${line}`], {
    env: {},
    cwd: "/",
    encoding: "utf8",
  });
  return printed.split("\0").slice(0, -1);
}

/** Names of roles, which an error may quote. @param {string} text */
function namesIn(text) {
  try {
    const [set] = JSON.parse(text).credentialSet;
    return `${set.roleArn} ${set.assumedRoleUser?.arn}`;
  } catch {
    return "";
  }
}

/** @type {readonly import("../targets.mjs").Target[]} */
export const CERTIFICATES = [
  {
    name: "helper-line",
    sentence:
      "lines of aws_signing_helper: run as they are, or read into what a shell would have handed to the helper, word by word",
    sources: ["roles-anywhere/helper-line"],
    words: [
      ...LINE.split(" "),
      " --endpoint ",
      " --region=eu-central-1",
      " --session-duration 900",
      " --with-proxy",
      " --pkcs8-password ",
      "pkcs11:",
      "'",
      '"',
      "\\",
      "$(",
      "`",
      ";",
      "\t",
    ],
    maxBytes: 1_024,
    seeds: () => texts(LINE, `${LINE} --with-proxy --session-duration 900`, `"${LINE}"`, LINE.replace(/\//g, "\\")),
    async open(load) {
      const { readHelperLine } = await load("roles-anywhere/helper-line");
      /** A process for every input would take the time of thousands of inputs. */
      let asked = 0;
      return (input) => {
        const line = input.toString("utf8");
        const [posix, windows] = [readHelperLine(line), readHelperLine(line, true)];
        for (const read of [posix, windows]) {
          if (read.kind === "process") {
            hold(read.why.length > 0 && read.why.length < 200, "there is a reason why it is run", read);
            hold(!read.helper || line.includes("aws_signing_helper"), "a line of the helper names it", read);
            continue;
          }
          const { certificate, privateKey, trustAnchorArn, profileArn, roleArn } = read.settings;
          hold(
            [certificate, privateKey, trustAnchorArn, profileArn, roleArn].every((value) => value?.length > 0),
            "nothing that is needed is missing",
            read,
          );
        }
        if (posix.kind !== "native") return `${posix.why.replace(/--\S+/, "FLAG")}, ${windows.kind}`;
        if (SHELL !== undefined && asked++ % 64 === 0) {
          const words = wordsOfShell(line);
          hold(words[0] === posix.program, "the program is the shell's first word", { words, posix });
          for (const value of Object.values(posix.settings).map(String))
            hold(
              words.some((word) => word === value || word.endsWith(`=${value}`)),
              "every value is a word of the shell's",
              { words, value },
            );
        }
        return `native ${Object.keys(posix.settings).length} ${posix.proxy}, ${windows.kind}`;
      };
    },
  },
  {
    name: "pem",
    sentence: "PEM text: blocks that are base64, made again to the same text, or words for what is wrong",
    sources: ["roles-anywhere/pem"],
    words: [
      "-----BEGIN CERTIFICATE-----\n",
      "-----END CERTIFICATE-----\n",
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
      "-----END ENCRYPTED PRIVATE KEY-----\n",
      "Proc-Type: 4,ENCRYPTED\n",
      "DEK-Info: AES-256-CBC,00\n\n",
      "AAAA\n",
      "AA==\n",
      "\r\n",
    ],
    maxBytes: 1_024,
    seeds() {
      const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const key = privateKey.export({ type: "pkcs8", format: "pem" });
      const old = privateKey.export({ type: "sec1", format: "pem", cipher: "aes-256-cbc", passphrase: "open" });
      return texts(
        `${key}`,
        `Bag Attributes\n    friendlyName: x\n${publicKey.export({ type: "spki", format: "pem" })}${old}`,
        `${key}`.replaceAll("\n", "\r\n"),
      );
    },
    async open(load) {
      const { readPem } = await load("roles-anywhere/pem");
      return (input) => {
        const { blocks, problem } = readPem(input.toString("latin1"));
        for (const { label, der, text, encrypted } of blocks) {
          hold(der.length > 0, "a block has a content", label);
          const again = readPem(text);
          hold(again.problem === undefined && again.blocks.length === 1, "a block is read again", { text, again });
          hold(again.blocks[0].der.equals(der) && again.blocks[0].label === label, "as it was", { text, again });
          hold(again.blocks[0].encrypted === encrypted, "and as encrypted as it was", text);
        }
        if (problem !== undefined) hold(problem.length < 200, "what is wrong is a sentence", problem);
        return `${blocks.length} ${problem?.replace(/\d+/g, "N")}`;
      };
    },
  },
  {
    name: "session-answer",
    sentence:
      "answers of CreateSession and of AWS IoT, good and bad: credentials of the role that was asked for, or refused without repeating a secret",
    sources: ["roles-anywhere/answer"],
    also: ["roles-anywhere/arns"],
    words: [
      "{",
      "}",
      "[",
      "]",
      '"',
      ",",
      "null",
      '"__proto__":',
      '"credentialSet":',
      '"credentials":',
      '"assumedRoleUser":',
      '"__type":"AccessDeniedException"',
      ...Object.entries(CREDENTIALS).map(([name, value]) => `"${name}":"${value}",`),
      "2026-02-17T00:00:01Z",
      "2026-02-15T00:00:00.123Z",
      "111122223333",
      "aws-cn",
    ],
    maxBytes: 20_000,
    seeds: () =>
      texts(
        JSON.stringify(SESSION),
        JSON.stringify({ credentials: CREDENTIALS }),
        JSON.stringify({ credentialSet: [SESSION.credentialSet[0], SESSION.credentialSet[0]] }),
        JSON.stringify({ __type: "AccessDeniedException:http://internal/", message: "Insufficient certificate" }),
      ),
    async open(load) {
      const { parseIotCredentials, parseServiceError, parseSession } = await load("roles-anywhere/answer");
      const { parseArn } = await load("roles-anywhere/arns");
      const role = parseArn("roleArn", ROLE);
      return (input) => {
        const text = input.toString("utf8");
        const attempt = (/** @type {() => any} */ read) => {
          try {
            return { value: read(), word: "read" };
          } catch (error) {
            holdsItsTongue(error, text, namesIn(text));
            return { value: undefined, word: declared(error, ANSWER_ERRORS) };
          }
        };
        const session = attempt(() => parseSession(input, role, ROLE, NOW));
        const iot = attempt(() => parseIotCredentials(input, NOW));
        for (const { value } of [session, iot]) {
          if (value === undefined) continue;
          hold(/^ASIA[A-Z0-9]{12,124}$/.test(value.accessKeyId), "a key is temporary", value.accessKeyId);
          hold(
            [value.secretAccessKey, value.sessionToken].every((secret) => /^[\x21-\x7e]+$/.test(secret)),
            "secrets go into headers as they are",
          );
          const end = value.expiration.getTime();
          hold(end > NOW && end <= NOW + 86_400_000, "a session ends within a day", value.expiration);
        }
        if (session.value !== undefined)
          hold(session.value.accountId === "123456789012", "it is of the account of the role", session.value.accountId);
        const { type, message } = parseServiceError(undefined, input);
        hold(/^\w{0,64}$/.test(type) && typeof message === "string", "an error has a type of letters", type);
        return `${session.word} ${iot.word} ${type === "" ? "no" : "a"} type`;
      };
    },
  },
];
