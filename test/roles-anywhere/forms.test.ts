/** Certificates and keys as programs write them, and what people give in their place by mistake. */
import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { readCertificateChain } from "../../src/roles-anywhere/certificate.js";
import { readPrivateKey } from "../../src/roles-anywhere/private-key.js";
import { issue, pem } from "../support/certificates.mjs";

const root = issue({ name: "root", ca: true });
const issuing = issue({ name: "issuing", ca: true, issuer: root });
const leaf = issue({ name: "leaf", issuer: issuing, kind: "rsa" });
const WORDS = "secret1-secret2";

const chainOf = (text: string, more?: string) =>
  readCertificateChain(
    { text, source: "tls.crt" },
    more === undefined ? undefined : { text: more, source: "ca.crt" },
    Date.now(),
  );
const keyOf = (text: string, passphrase?: string) => readPrivateKey(text, "tls.key", passphrase);

interface Told {
  readonly code: string;
  readonly advice: string;
  readonly evidence: readonly { readonly source: string; readonly says: string }[];
}

function told(read: () => unknown): Told & { readonly says: string } {
  try {
    read();
  } catch (error) {
    const whole = `${JSON.stringify(error)} ${(error as Error).stack}`;
    expect(whole).not.toContain(WORDS);
    expect(whole).not.toContain(leaf.key.split("\n")[2]);
    const { code, advice, evidence } = error as Told;
    expect(code).toMatch(/^ERR_ROLES_ANYWHERE_(?:CERTIFICATE|KEY)$/);
    return { code, advice, evidence, says: evidence[0]?.says ?? "" };
  }
  throw new Error("it was taken");
}

const lines = (text: string): string[] => text.trimEnd().split("\n");
/** In three lines: BEGIN, all of the body, END. */
const inOneLine = (text: string): string => {
  const [begin, ...rest] = lines(text);
  return [begin, rest.slice(0, -1).join(""), rest.at(-1), ""].join("\n");
};

describe("taken", () => {
  test.each([
    ["with a byte order mark", (text: string) => `\ufeff${text}`],
    ["with line ends of Windows", (text: string) => text.replaceAll("\n", "\r\n")],
    ["behind a comment", (text: string) => `# issued by example\n\n${text}`],
    ["indented, as a YAML file has it", (text: string) => lines(text).join("\n    ")],
    ["with its body in one line, as secret stores keep it", inOneLine],
    ["without a line end at its end", (text: string) => text.trimEnd()],
  ])("%s", (_, change) => {
    expect(chainOf(change(leaf.cert) + "\n" + change(issuing.cert)).intermediates).toHaveLength(1);
    expect(keyOf(change(leaf.key)).equals(leaf.privateKey)).toBe(true);
  });

  test("an empty file of intermediates is none", () => {
    expect(chainOf(leaf.cert, " \n").intermediates).toEqual([]);
  });
});

describe("given in its place", () => {
  const der = Buffer.from(new X509Certificate(leaf.cert).raw);
  const keyDer = leaf.privateKey.export({ type: "pkcs8", format: "der" });
  test.each([
    ["DER", der.toString("utf8"), ", but DER or PKCS#12"],
    ["UTF-16", Buffer.from(`\ufeff${leaf.cert}`, "utf16le").toString("utf8"), ", but text in UTF-16"],
    ["quoted text", JSON.stringify(leaf.cert), ", but within quotes or JSON"],
    ["JSON", JSON.stringify({ certificate: leaf.cert }), ", but within quotes or JSON"],
    ["base64 of the file", Buffer.from(leaf.cert).toString("base64"), ", but base64 of a text in it"],
    ["base64 alone", der.toString("base64"), ", but base64 without BEGIN and END lines"],
    ["a request", pem("CERTIFICATE REQUEST", der), ", but CERTIFICATE REQUEST"],
    ["PKCS#7", pem("PKCS7", der), ", but PKCS7"],
    ["a certificate with trust", pem("TRUSTED CERTIFICATE", der), ", but TRUSTED CERTIFICATE"],
    ["its key", leaf.key, ", but PRIVATE KEY"],
    ["a web page", "<html>log in</html>", ""],
    ["nothing", "", ""],
  ])("of the certificate: %s", (_, text, instead) => {
    const { code, says } = told(() => chainOf(text));
    expect([code, says]).toEqual(["ERR_ROLES_ANYWHERE_CERTIFICATE", `it holds no certificate in PEM form${instead}`]);
  });

  test.each([
    ["DER", keyDer.toString("utf8"), ", but DER or PKCS#12"],
    ["base64 alone", keyDer.toString("base64"), ", but base64 without BEGIN and END lines"],
    ["its certificates", leaf.cert + issuing.cert, ", but CERTIFICATE"],
    ["a public key", pem("PUBLIC KEY", der), ", but PUBLIC KEY"],
  ])("of the key: %s", (_, text, instead) => {
    const { code, says } = told(() => keyOf(text));
    expect([code, says]).toEqual(["ERR_ROLES_ANYWHERE_KEY", `it holds no private key in PEM form${instead}`]);
  });

  test("of the intermediates: what holds none", () => {
    expect(told(() => chainOf(leaf.cert, der.toString("utf8")))).toMatchObject({
      evidence: [{ source: "ca.crt", says: "it holds no certificate in PEM form, but DER or PKCS#12" }],
    });
  });

  test.each([
    ["are written as \\n", (text: string) => text.replaceAll("\n", "\\n")],
    ["are lost", (text: string) => text.replaceAll("\n", " ")],
    ["are lost", (text: string) => text.replaceAll("\n", "")],
  ])("a text whose line ends %s", (how, change) => {
    const says = `it has more behind a BEGIN line (1): its line ends ${how}`;
    expect(told(() => chainOf(change(leaf.cert))).says).toBe(says);
    expect(told(() => keyOf(change(leaf.key))).says).toBe(says);
  });

  test("a key in the form of OpenSSH", () => {
    expect(told(() => keyOf(pem("OPENSSH PRIVATE KEY", keyDer)))).toMatchObject({
      says: "it is in the form of OpenSSH",
      advice: "Write it anew: ssh-keygen -p -m PKCS8 -f FILE",
    });
  });
});

test("dates that are none are refused, not taken for any time", () => {
  const der = Buffer.from(new X509Certificate(leaf.cert).raw);
  const first = der.indexOf(Buffer.from([0x18, 0x0f])) + 2;
  for (const at of [first, first + 17]) {
    const odd = Buffer.from(der);
    odd.write("20269931", at, "latin1");
    expect(told(() => chainOf(pem("CERTIFICATE", odd))).says).toBe("it has a date that is none");
  }
});

const openssl = (() => {
  try {
    return /^OpenSSL 3/.test(
      execFileSync("openssl", ["version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
    );
  } catch {
    return false;
  }
})();
if (!openssl) console.log("forms: what openssl writes is skipped, there is no OpenSSL 3");

describe.runIf(openssl)("written by openssl", () => {
  const folder = mkdtempSync(join(tmpdir(), "imds-guard-forms-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const run = (line: string): string => {
    execFileSync("openssl", line.split(" "), { cwd: folder, stdio: "pipe" });
    return readFileSync(join(folder, "out"), "utf8");
  };
  for (const [name, text] of Object.entries({ crt: leaf.cert, key: leaf.key, ca: issuing.cert + root.cert }))
    writeFileSync(join(folder, name), text);

  test("PKCS#12 taken apart, with its bag attributes, encrypted or not", () => {
    const whole = `pkcs12 -export -in crt -inkey key -certfile ca -name app -out p12 -passout pass:${WORDS}`;
    execFileSync("openssl", whole.split(" "), { cwd: folder, stdio: "pipe" });
    const open = run(`pkcs12 -in p12 -nodes -out out -passin pass:${WORDS}`);
    expect(open).toContain("Bag Attributes");
    expect(chainOf(open).intermediates).toHaveLength(1);
    expect(keyOf(open).equals(leaf.privateKey)).toBe(true);
    const closed = run(`pkcs12 -in p12 -out out -passin pass:${WORDS} -passout pass:${WORDS}`);
    expect(keyOf(closed, WORDS).equals(leaf.privateKey)).toBe(true);
    expect(told(() => keyOf(closed)).says).toBe("it is encrypted and no passphrase is given");
    const binary = readFileSync(join(folder, "p12"), "utf8");
    expect(told(() => chainOf(binary)).says).toBe("it holds no certificate in PEM form, but DER or PKCS#12");
    expect(told(() => keyOf(binary)).says).toBe("it holds no private key in PEM form, but DER or PKCS#12");
  });

  test.each(["-des3", "-aes128", "-aes256"])("a key of the older form, encrypted with %s", (cipher) => {
    const text = run(`rsa -traditional ${cipher} -in key -out out -passout pass:${WORDS}`);
    expect(keyOf(text, WORDS).equals(leaf.privateKey)).toBe(true);
    expect(told(() => keyOf(text, "another")).says).toMatch(/^it cannot be decrypted with the passphrase given/);
    expect(told(() => keyOf(text)).says).toBe("it is encrypted and no passphrase is given");
  });

  test("a key that is encrypted as nobody does any more", () => {
    const cipher = "pkcs8 -topk8 -v1 PBE-MD5-DES -provider legacy -provider default";
    let text;
    try {
      text = run(`${cipher} -in key -out out -passout pass:${WORDS}`);
    } catch {
      return console.log("forms: skipped, this OpenSSL has no legacy provider");
    }
    expect(told(() => keyOf(text, WORDS))).toMatchObject({
      says: expect.stringMatching(/^it is encrypted in a way that this Node.js does not have \(ERR_OSSL_/) as string,
      advice: expect.stringContaining("openssl pkcs8 -topk8 -v2 aes-256-cbc") as string,
    });
  });

  test("a key behind the parameters of its curve", () => {
    expect(keyOf(run("ecparam -name prime256v1 -genkey -out out")).asymmetricKeyType).toBe("ec");
  });

  test("a curve that is written out", () => {
    writeFileSync(join(folder, "ec"), run("ecparam -name prime256v1 -param_enc explicit -genkey -out out"));
    const text = run("req -x509 -key ec -subj /CN=x -days 2 -addext basicConstraints=CA:FALSE -out out");
    expect(told(() => chainOf(text)).says).toBe("it writes its curve out and does not name it");
  });

  test("a key for RSA-PSS alone, and its certificate", () => {
    writeFileSync(join(folder, "pss"), run("genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out out"));
    expect(told(() => keyOf(readFileSync(join(folder, "pss"), "utf8"))).says).toBe(
      "it is a key of kind rsa-pss of 2048 bits",
    );
    const text = run("req -x509 -key pss -subj /CN=x -days 2 -addext basicConstraints=CA:FALSE -out out");
    expect(told(() => chainOf(text)).says).toBe("it is for a key of kind rsa-pss of 2048 bits");
  });

  test("a certificate that signs itself, as `openssl req -x509` makes it unless told otherwise", () => {
    const text = run("req -x509 -key key -subj /CN=x -days 2 -out out");
    expect(told(() => chainOf(text)).says).toBe('"CN=x" is the certificate of a certificate authority');
    const own = run("req -x509 -key key -subj /CN=x -days 2 -addext basicConstraints=CA:FALSE -out out");
    expect(chainOf(own).leaf.checkPrivateKey(createPrivateKey(leaf.key))).toBe(true);
  });
});
