/** Text from outside: what it may still do on a terminal, in a log, in a shell; and that no secret passes. */
import { spawnSync } from "node:child_process";
import { describe, expect, it, test } from "vitest";
import {
  asciiJson,
  boundAscii,
  boundText,
  csvCell,
  htmlText,
  logValue,
  maskAccessKeyId,
  maskArguments,
  maskSecrets,
  metricLabel,
  printable,
  requireOption,
  shellCommand,
  shellExport,
  shellWord,
  syslogField,
  terminalLine,
  terminalText,
  withNodeOption,
} from "../../src/base/text.js";
import { fc } from "../support/properties.js";

describe("boundText", () => {
  test.each([
    ["plain", 10, "plain"],
    ["a\nb", 10, "a\\u000ab"],
    ["\u001b[31m", 20, "\\u001b[31m"],
    ["\u202eabc\u200b", 40, "\\u202eabc\\u200b"],
    ["\u2028", 10, "\\u2028"],
    ["\ud800x", 10, "\\ud800x"],
    ["gr\u00fc\u00dfe \u{1f600}", 20, "gr\u00fc\u00dfe \u{1f600}"],
    ["0123456789", 10, "0123456789"],
    ["0123456789a", 10, "0123456..."],
    ["0123456\n", 10, "0123456..."],
    ["", 10, ""],
  ])("%j within %i", (text, max, expected) => {
    expect(boundText(text, max)).toBe(expected);
  });

  test("an escape is never cut in two", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 3, max: 60 }), (text, max) => {
        const out = boundAscii(text.replaceAll("\\", ""), max);
        expect(out.length).toBeLessThanOrEqual(max);
        expect(out).toMatch(/^(?:\\u[0-9a-f]{4}|[ -[\]-~])*$/);
      }),
    );
  });

  test("a second pass changes nothing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const once = boundText(text, 100);
        expect(boundText(once, 100)).toBe(once);
      }),
    );
  });
});

describe("shellWord", () => {
  const awkward = fc.oneof(
    fc.string({ unit: "binary" }),
    fc
      .array(
        fc.constantFrom(
          "$(",
          ")",
          "`",
          "'",
          '"',
          "\\",
          "\n",
          "\t",
          "\u001b[2J",
          "~",
          "=x",
          "-n",
          "#",
          "&",
          "a",
          " ",
          "*",
          "\u00e9",
          "\u202e",
          "%s",
          "!",
        ),
        { maxLength: 12 },
      )
      .map((parts) => parts.join("")),
  );
  // What the operating system cannot pass in an argument.
  const passable = awkward.map((text) => text.replaceAll("\0", "").replace(/\p{Cs}/gu, "?"));
  const shells = ["sh", "bash", "zsh", "ksh", "dash"].filter((shell) => spawnSync(shell, ["-c", ""]).status === 0);

  test.each(shells)("%s reads one word, and runs nothing", (shell) => {
    fc.assert(
      fc.property(fc.array(passable, { minLength: 1, maxLength: 20 }), (texts) => {
        const { stdout, stderr } = spawnSync(shell, ["-c", `PATH=/nowhere; printf '%s\\0' ${shellCommand(texts)}`], {
          encoding: "utf8",
        });
        expect(stderr).toBe("");
        const read = stdout.split("\0").slice(0, -1);
        expect(read).toHaveLength(texts.length);
        for (const [index, text] of texts.entries()) {
          const known = shell !== "dash" && shell !== "sh";
          if (known || !shellWord(text).startsWith("$'")) expect(read[index]).toBe(text);
        }
      }),
      { numRuns: 20 },
    );
  });

  test("there is a shell that knows every form", () => {
    expect(shells).toContain("bash");
  });

  test("a word to paste is one line of what can be seen", () => {
    fc.assert(
      fc.property(awkward, (text) => {
        expect(terminalLine(shellWord(text))).toBe(shellWord(text));
      }),
    );
  });

  test.each([
    ["plain/word-1.0", "plain/word-1.0"],
    ["", "''"],
    ["x$(touch y)", "'x$(touch y)'"],
    ["it's", "'it'\\''s'"],
    ["a\nb'c", "$'a\\012b\\047c'"],
    ["a\nb\\c", "$'a\\012b\\134c'"],
  ])("%j", (text, word) => expect(shellWord(text)).toBe(word));

  test("an assignment to paste", () => {
    expect(shellExport("NO_PROXY", "a b")).toBe("export NO_PROXY='a b'");
  });
});

describe("on a terminal", () => {
  test.each([
    ["a\tb\nc", false, "a\tb\nc"],
    ["\u001b[31mred\u001b[0m", false, "red"],
    ["\u001b[31mred\u001b[0m\u001b[2J", true, "\u001b[31mred\u001b[0m\\u001b[2J"],
    ["\u202e\u200b\u0085\r", true, "\\u202e\\u200b\\u0085\\u000d"],
    ["gr\u00fc\u00dfe", false, "gr\u00fc\u00dfe"],
  ])("%j, colours %j", (text, coloured, shown) => expect(terminalText(text, coloured)).toBe(shown));

  test("a value keeps to its line", () => {
    expect(terminalLine("a\n1 finding\tx\u001b[31m\u2028")).toBe("a\\u000a1 finding\\u0009x\\u001b[31m\\u2028");
  });
});

test("a value of a log line ends where it seems to", () => {
  expect(logValue("a-b:c", 20)).toBe("a-b:c");
  expect(logValue('x" y=z\n', 40)).toBe('"x\' y=z\\u000a"');
});

test("JSON stays the same JSON in ASCII", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const json = asciiJson(JSON.stringify(text));
      expect(json).toMatch(/^[ -~]*$/);
      expect(JSON.parse(json)).toBe(text);
      expect(printable(text, 20)).toMatch(/^"[ -~]*"$/);
    }),
  );
});

test("a header field and a label", () => {
  expect(syslogField("h\u00f6st name", 255)).toBe("h?st?name");
  expect(syslogField("", 255)).toBe("-");
  expect(metricLabel('a"b\\c\nd')).toBe('a\\"b\\\\c\\nd');
});

test("text of a page opens no tag and ends no attribute, and is read as it was", () => {
  expect(htmlText(`<a href="x" title='y'>&amp;</a>`)).toBe(
    "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;",
  );
  const names = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" } as const;
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("&", "<", ">", '"', "'", ";", "l", "t", "\u00e4") }), (text) => {
      const shown = htmlText(text);
      expect(shown).not.toMatch(/[<>"']/);
      expect(shown.replace(/&([^;]*);/g, (_, name: keyof typeof names) => names[name])).toBe(text);
    }),
  );
});

describe("a field of CSV", () => {
  test.each([
    [undefined, ""],
    [-3, "-3"],
    ["plain text", "plain text"],
    ["a,b", '"a,b"'],
    ['a"b', '"a""b"'],
    ["a\r\nb", '"a\r\nb"'],
    ["=1+1", "'=1+1"],
    ["+1", "'+1"],
    ["-1", "'-1"],
    ["@x", "'@x"],
    ["\t=x", "'\t=x"],
    ['=cmd|"x"', `"'=cmd|""x"""`],
  ])("%j is %j", (value, cell) => {
    expect(csvCell(value)).toBe(cell);
  });

  test("is one field, and begins like no formula", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('"', ",", "\r", "\n", "=", "@", "\t", "a") }), (text) => {
        const cell = csvCell(text);
        expect(cell).toMatch(/^(?:[^",\r\n]*|"(?:[^"]|"")*")$/);
        const read = cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell;
        expect(read).not.toMatch(/^[=+\-@\t\r]/);
        expect(read.replace(/^'/, "")).toBe(text);
      }),
    );
  });
});

test("what is shown of a text is cut where it is too long, and only there", () => {
  expect([printable("abc", 3), printable("abcd", 3)]).toEqual(['"abc"', '"abc..."']);
});

test.each([
  ["/a/b.cjs", "/a/b.cjs"],
  ["/a b", '"/a b"'],
  ["/a\tb", '"/a\tb"'],
  ["C:\\a", '"C:\\\\a"'],
  ['/"', '"/\\""'],
])("the path of an option is quoted where it has to be: %j", (path, written) => {
  expect(requireOption(path)).toBe(`--require ${written}`);
});

test("NODE_OPTIONS has an option once", () => {
  const option = requireOption('/a b/"x".cjs');
  expect(option).toBe('--require "/a b/\\"x\\".cjs"');
  expect(withNodeOption(" ", option)).toBe(option);
  expect(withNodeOption("--title=x", option)).toBe(`--title=x ${option}`);
  expect(withNodeOption(`--title=x ${option}`, option)).toBe(`--title=x ${option}`);
});

describe("maskAccessKeyId", () => {
  test.each([
    ["ASIAQAAAAAAAGMKEM7X5", "ASIA************M7X5"],
    ["ASIA************M7X5", "ASIA************M7X5"],
    ["ASIARTESTID", "****"],
    ["", "****"],
    ['A\u0007IA\nAAAAAAAGMKEM"X\u20ac', "A?IA************M?X?"],
  ])("%j", (id, masked) => {
    expect(maskAccessKeyId(id)).toBe(masked);
  });

  test("an id of any length is shown in at most 32 characters", () => {
    expect(maskAccessKeyId("A".repeat(1_000))).toBe(`AAAA${"*".repeat(24)}AAAA`);
  });
});

const IMDS_TOKEN = "AQAEAJk7nQh3Zp0uT4kqv1dX2lYb8sWcRmEo5gHfJ6tKiLzN9xBvDA==";
const SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE1";

describe("maskSecrets masks", () => {
  it.each([
    ["header", `X-aws-ec2-metadata-token: ${IMDS_TOKEN}`, "X-aws-ec2-metadata-token: ***"],
    [
      "command line",
      `curl -H "X-aws-ec2-metadata-token: ${IMDS_TOKEN}" http://169.254.169.254/`,
      'curl -H "X-aws-ec2-metadata-token: ***" http://169.254.169.254/',
    ],
    [
      "pre-signed URL",
      `/b/k?X-Amz-Security-Token=FwoGZXIvYXdzEBc&X-Amz-Signature=0a1b2c&n=1`,
      "/b/k?X-Amz-Security-Token=***&X-Amz-Signature=***&n=1",
    ],
    ["token on its own", `got ${IMDS_TOKEN} from it`, "got *** from it"],
    ["secret key on its own", `key ${SECRET_KEY} end`, "key *** end"],
    [
      "JSON of the credentials",
      `{"SecretAccessKey":"${SECRET_KEY}","Token":"abc"}`,
      '{"SecretAccessKey":"***","Token":"***"}',
    ],
    ["access key id", "used ASIAQEXAMPLEKEYIDXYZ here", "used ASIA************DXYZ here"],
    ["password in a URL", "http://bob:hunter2@proxy.example:3128/", "http://bob:***@proxy.example:3128/"],
    ["scheme on its own", "curl -H 'Bearer a1b2c3d4'", "curl -H 'Bearer ***'"],
    ["bearer", "Authorization: Bearer abc.def.ghi", "Authorization: Bearer ***"],
    ["encoded parameter", "u=http%3A%2F%2Fx%2F%3Ftoken%3Dabcdef&y=1", "u=http%3A%2F%2Fx%2F%3Ftoken%3D***&y=1"],
  ])("%s", (_, text, expected) => expect(maskSecrets(text)).toBe(expected));

  it("leaves nothing of a token or key, wherever it stands", () => {
    const base64 = fc
      .array(fc.constantFrom(..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"), {
        minLength: 52,
        maxLength: 70,
      })
      .map((chars) => `aB3${chars.join("")}==`);
    const around = fc.constantFrom(" ", '"', "\n", ",", "?t=", "/x?", "(", "<");
    fc.assert(
      fc.property(base64, around, around, (secret, before, after) => {
        expect(maskSecrets(`GET ${before}${secret}${after} HTTP/1.1`)).not.toContain(secret.slice(4, 40));
      }),
    );
  });
});

describe("maskSecrets keeps", () => {
  it.each([
    "/latest/meta-data/iam/security-credentials/backup-role",
    "/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance",
    "/latest/api/token",
    "no bearer token was sent, basic authentication is off",
    "X-AWS-EC2-METADATA-TOKEN-TTL-SECONDS",
    "X-aws-ec2-metadata-token-ttl-seconds: 21600",
    "arn:aws:sts::123456789012:assumed-role/web/i-0123456789abcdef0",
    "aws-sdk-js/3.1169.0 ua/2.1 os/linux#6.1 lang/js md/nodejs#22.23.3",
    "fd00:0ec2:0000:0000:0000:0000:0000:0254",
    "0b9c7f3e-6a55-4c1d-9d4c-000000000001",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  ])("%s", (text) => expect(maskSecrets(text)).toBe(text));

  it("masking twice is masking once, and never throws", () => {
    fc.assert(
      fc.property(
        fc
          .array(
            fc.oneof(
              fc.string({ maxLength: 12 }),
              fc.constantFrom(
                "token=",
                "secret: ",
                "ASIAQEXAMPLEKEYIDXYZ",
                "http://a:b@",
                "=",
                "***",
                "\u00e9",
                "Ab1".repeat(20),
              ),
            ),
            { maxLength: 12 },
          )
          .map((parts) => parts.join("")),
        (text) => {
          expect(maskSecrets(maskSecrets(text))).toBe(maskSecrets(text));
        },
      ),
    );
  });
});

describe("maskArguments", () => {
  const shown = (...given: string[]): string =>
    maskArguments(["/usr/bin/node", "/srv/app.js", ...given], 400).slice(26);

  test.each([
    [["-p", "hunter2"], "-p ***"],
    [["-phunter2"], "-p***"],
    [["--password", "hunter2", "--port", "80"], "--password *** --port 80"],
    [["--db-password=hunter2"], "--db-password=***"],
    [["DB_PASS=hunter2", "x=1"], "DB_PASS=*** x=1"],
    [["-H", "Authorization: Bearer abc"], "-H ***"],
    [["--header", "Authorization: Bearer abc"], "--header Authorization: Bearer ***"],
    [["--header", "Bearer abc.def"], "--header Bearer ***"],
    [["Bearer", "abc"], "Bearer ***"],
    [["bearers", "abc"], "bearers abc"],
    [["bearer  \tabc def"], "bearer  \\u0009***"],
    [["token", "value"], "token value"],
    [["postgres://u:p@ss/w@host/db"], "postgres://***@host/db"],
    [["https://token@host/"], "https://***@host/"],
    [["AKIAQEXAMPLEKEYIDXYZ"], "AKIA************DXYZ"],
    [["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE1"], "***"],
    [["user:hunter2@db.example:5432/x"], "***@db.example:5432/x"],
    [["--dsn-of=x", "--url", "a=user:p:w@h"], "--dsn-of=*** --url a=***@h"],
    [["xoxb-123456789012-abcdefghijkl"], "***"],
    [["sk-abcdefghij1klmnopqrst", "sk-SK"], "*** sk-SK"],
    [["--with", "ghp_abcdefghijklmnopqrstuvwxyz01"], "--with ***"],
    [["AIzaSyA-1234567890abcdefghijk"], "***"],
    [["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc"], "***"],
    [['{"a":"glpat-0123456789"}'], '{"a":"***"}'],
    [["-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END"], "***"],
    [["npm_x", "12:30", "a@b.example", "x:y"], "npm_x 12:30 a@b.example x:y"],
    [["-v", "--port", "80"], "-v --port 80"],
    [["a\nb"], "a\\u000ab"],
  ])("%j", (given, expected) => expect(shown(...given)).toBe(expected));

  test("without a script, too", () => {
    expect(maskArguments(["node", "--token", "abc"], 100)).toBe("node --token ***");
  });

  test("a secret behind what announces it is never shown, and the length is held", () => {
    const announced = fc.constantFrom("-p", "--password", "--api-key", "-u", "Bearer", "--session-token");
    const secret = fc.stringMatching(/^[A-Za-z0-9.!]{8,40}$/).map((text) => `S3cr3t${text}`);
    const other = fc.array(
      fc.string({ maxLength: 10 }).filter((text) => !text.includes("S3")),
      { maxLength: 3 },
    );
    fc.assert(
      fc.property(other, announced, secret, other, (before, name, value, after) => {
        // What stands before may end in an option that takes the announcement for its value.
        const line = maskArguments(["node", "app.js", ...before, "x", name, value, ...after], 200);
        expect(line).not.toContain("S3cr3t");
        expect(line.length).toBeLessThanOrEqual(200);
      }),
    );
  });
});
