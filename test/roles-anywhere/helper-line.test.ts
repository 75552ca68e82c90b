/** Lines of aws_signing_helper that are read natively, and those that have to be run. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readHelperLine } from "../../src/roles-anywhere/helper-line.js";

const ARNS = "--role-arn r --profile-arn p --trust-anchor-arn t";
const LINE = `aws_signing_helper credential-process --certificate /c.pem --private-key /k.pem ${ARNS}`;
const BASE = { certificate: "/c.pem", privateKey: "/k.pem", roleArn: "r", profileArn: "p", trustAnchorArn: "t" };

describe("read natively", () => {
  test.each([
    ["plain words", LINE, {}, false],
    ["tabs and spaces", LINE.replaceAll(" ", " \t "), {}, false],
    ["quotes within words", LINE.replace("/c.pem", `/"c".'pem'`), {}, false],
    ["an equals sign in a value", `${LINE} --role-session-name=a=b`, { roleSessionName: "a=b" }, false],
    ["the last flag", `${LINE} --certificate /d.pem`, { certificate: "/d.pem" }, false],
    ["a value that looks like a flag", `${LINE} --region --x`, { region: "--x" }, false],
    ["a path to the program", LINE.replace("aws_signing", "/opt/x/aws_signing"), {}, false],
    ["a proxy", `${LINE} --with-proxy`, {}, true],
    ["no proxy", `${LINE} --with-proxy=false`, {}, false],
    ["a passphrase", `${LINE} --pkcs8-password 'a b'`, { passphrase: "a b" }, false],
    ["a duration", `${LINE} --session-duration 900`, { durationSeconds: 900 }, false],
  ])("%s", (_, line, more, proxy) => {
    expect(readHelperLine(line)).toMatchObject({ kind: "native", settings: { ...BASE, ...more }, proxy });
  });

  test("as cmd.exe takes words apart", () => {
    const line = LINE.replace("aws_signing_helper", String.raw`"C:\Program Files\aws_signing_helper.exe"`);
    const path = String.raw`C:\pki\c.pem`;
    expect(readHelperLine(line.replace("/c.pem", path), true)).toMatchObject({
      kind: "native",
      settings: { ...BASE, certificate: path },
    });
    for (const odd of ["%USERPROFILE%", "a^b", "'x'", '"', "a&b"])
      expect(readHelperLine(`${line} --region ${odd}`, true).kind).toBe("process");
  });
});

describe("left to be run", () => {
  test.each([
    ...["$", "`", ";", "|", "&", "<", ">", "(", ")", "*", "?", "[", "#", "~", "\\", "{", "!"].map((char) => [
      `${char} outside quotes`,
      `${LINE} --region a${char}b`,
    ]),
    ["$ within double quotes", `${LINE} --region "$REGION"`],
    ["a backslash within double quotes", `${LINE} --region "a\\"b"`],
    ["an open quote", `${LINE} --region 'a`],
    ["a variable before the program", LINE.replace("aws_signing", "HELPER=/opt/aws_signing")],
    ["a new line", `${LINE}\n--region x`],
    ["an unknown flag", `${LINE} --use-latest-expiring-certificate`],
    ["--debug", `${LINE} --debug`],
    ["--no-verify-ssl", `${LINE} --no-verify-ssl`],
    ["a short flag", `${LINE} -h`],
    ["a word", `${LINE} x`],
    ["the end of flags", `${LINE} --`],
    ["no value", `${LINE} --region`],
    ["an empty value", `${LINE} --region ""`],
    ["a home directory", LINE.replace("/c.pem", "~/c.pem")],
    ["a home directory of a user", LINE.replace("/c.pem", "~app/c.pem")],
    ["a variable in braces", LINE.replace("/c.pem", "${HOME}/c.pem")],
    ["a variable in double quotes", LINE.replace("/c.pem", '"$HOME/c.pem"')],
    ["an escaped space", LINE.replace("/c.pem", "/my\\ c.pem")],
    ["a path of Windows, for sh", LINE.replace("/c.pem", "C:\\pki\\c.pem")],
    ["a certificate of the system's store", `${LINE} --cert-selector "Key=x509Subject,Value=CN=x"`],
    ["a file of selectors", `${LINE} --cert-selector file:///s.json`],
    ["a store by name", `${LINE} --system-store-name MY`],
    ["a key of a TPM with a password", `${LINE} --tpm-key-password x`],
    ["PKCS#11 with another library", `${LINE} --pkcs11-lib /usr/lib/x.so`],
    ["PIN of a token that may be kept", `${LINE} --reuse-pin`],
    ["a proxy by a word", `${LINE} --with-proxy=1`],
    ["a proxy with a word behind it", `${LINE} --with-proxy true`],
    ["update", LINE.replace("credential-process", "update")],
    ["read-certificate-data", LINE.replace("credential-process", "read-certificate-data")],
    ["sign-string", LINE.replace("credential-process", "sign-string")],
    ["a flag before the command", LINE.replace("credential-process", "--debug credential-process")],
    ["flags of one dash", LINE.replace("--region", "-region").replace("--certificate", "-certificate")],
    ["a flag in capitals", LINE.replace("--certificate", "--CERTIFICATE")],
    ["exec before it", `exec ${LINE}`],
    ["a shell before it", `sh -c '${LINE}'`],
    ["sudo before it", `sudo -n ${LINE}`],
    ["a comment behind it", `${LINE} # production`],
    ["a redirection", `${LINE} 2>/dev/null`],
    ["another program behind it", `${LINE} && true`],
    ["a key elsewhere", LINE.replace("/k.pem", "pkcs11:object=x")],
    ["a TPM", LINE.replace("/k.pem", "handle:0x81000001")],
    ["no key", LINE.replace("--private-key /k.pem", "")],
    ["another duration", `${LINE} --session-duration 0x384`],
    ["another command", LINE.replace("credential-process", "serve")],
    ["a prefix", `env ${LINE}`],
    ["an assignment", `AWS_REGION=x ${LINE}`],
    ["a name that only contains it", LINE.replace("aws_signing_helper", "my_aws_signing_helper2")],
    ["nothing", ""],
  ])("%s", (_, line) => {
    expect(readHelperLine(line).kind).toBe("process");
  });

  test("is told apart from other programs", () => {
    expect(readHelperLine(`${LINE} --debug`)).toMatchObject({ helper: true, why: "the flag --debug" });
    const read = readHelperLine(`${LINE} --${"x".repeat(10_000)}`);
    expect(read.kind === "process" && read.why.length).toBeLessThan(100);
    expect(readHelperLine("vault read aws/creds/app")).toMatchObject({ helper: false });
  });
});

test("a space that is none for cmd.exe is part of its word", () => {
  for (const space of ["\u00a0", "\u2003", "\ufeff"]) {
    const read = readHelperLine(`${LINE} --region a${space}b`, true);
    expect(read).toMatchObject({ kind: "native", settings: { region: `a${space}b` } });
  }
});

test("words of any text in single quotes come out as they went in", () => {
  const text = fc
    .string({ minLength: 1, maxLength: 40, unit: "grapheme-ascii" })
    .filter((value) => !value.includes("'"));
  fc.assert(
    fc.property(text, (value) => {
      const read = readHelperLine(`${LINE} --role-session-name '${value}'`);
      expect(read).toMatchObject({ kind: "native", settings: { ...BASE, roleSessionName: value } });
    }),
  );
});

test("any text is read without an exception", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), fc.boolean(), (text, windows) => {
      expect(["native", "process"]).toContain(readHelperLine(`${LINE} ${text}`, windows).kind);
    }),
  );
});

describe("is told why it is run", () => {
  test.each([
    ["it is very long", `${LINE}${" ".repeat(16_385 - LINE.length)}`],
    ["it begins with an assignment", LINE.replace("aws_signing", "X=/aws_signing")],
    ["it is another program", LINE.replace("helper", "helper2")],
    ["it is another program", ""],
    ["it is another command of the helper", LINE.replace("credential-process", "serve")],
    ["a flag that is not known", `${LINE} --Region x`],
    ["a flag that is not known", `${LINE} --region_x`],
    ["a word that is not known", `${LINE} x--region`],
    ["a word that is not known", `${LINE} x-`],
    ["the flag --with-proxy", `${LINE} --with-proxy=maybe`],
    ["--region without a value", `${LINE} --region`],
    ["--region without a value", `${LINE} --region=`],
    ["no certificate is named", LINE.replace("--certificate /c.pem", "")],
    ["no trustAnchorArn is named", LINE.replace("--trust-anchor-arn t", "")],
    ["its certificate is no file", LINE.replace("/c.pem", "pkcs11:token=x")],
    ["its privateKey is no file", LINE.replace("/k.pem", "handle:0x81000001")],
    ["its intermediates is no file", `${LINE} --intermediates TPM:x`],
    ["a duration in another form", `${LINE} --session-duration 900s`],
    ["a duration in another form", `${LINE} --session-duration 0`],
    ["a quote that does not end", `${LINE} --region "x`],
    ["an expansion within quotes", `${LINE} --region "\`x\`"`],
    ["; is for a shell", `${LINE} ; x`],
    ["control characters", `${LINE} --region "a\u0001b"`],
    ["control characters", `${LINE} --region a\rb`],
  ])("%s", (why, line) => {
    expect(readHelperLine(line)).toMatchObject({ kind: "process", why });
  });

  test.each([
    ["a character that is for cmd.exe", `${LINE} --region %X%`],
    ["an escaped quote", `${LINE} --region "a\\"b"`],
    ["an escaped quote", `${LINE} --region "a""b"`],
    ["an escaped quote", `${LINE} --region ""`],
    ["control characters", `${LINE} --region a\u0001b`],
    ["a quote that does not end", `${LINE} --region "x`],
  ])("%s, on Windows", (why, line) => {
    expect(readHelperLine(line, true)).toMatchObject({ kind: "process", why });
  });

  test("and not where it is as long as may be, or has white space at its ends", () => {
    const line = `${LINE}${" ".repeat(16_384 - LINE.length)}`;
    expect(readHelperLine(line).kind).toBe("native");
    const read = readHelperLine(` ${LINE} --with-proxy=true\t`, true);
    expect(read).toEqual({ kind: "native", program: "aws_signing_helper", settings: BASE, proxy: true });
    expect(readHelperLine(`${LINE} --with-proxy=true`)).toEqual(read);
  });
});
