// @ts-check
/**
 * A stand-in for IAM Roles Anywhere on loopback that verifies for real: it rebuilds the canonical request from the
 * bytes it received, checks signature, serial number, signed headers, time and chain, and only then gives credentials.
 */
import { createHash, verify, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { accessKeyIdFor } from "./access-keys.mjs";

/**
 * @typedef {object} Verdict
 * @property {boolean} ok
 * @property {string} [why]
 * @property {string} [region]
 * @property {string} [serial]
 */
/** @typedef {readonly (readonly [string, string])[]} Fields */

const FIVE_MINUTES = 300_000;

/** @param {string} text */
const encode = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
/** @param {string | Buffer} data */
const sha256 = (data) => createHash("sha256").update(data).digest("hex");

/**
 * What AWS would say of a request.
 *
 * @param {{ method: string, target: string, fields: Fields, body: Buffer }} request
 * @param {{ anchors: readonly X509Certificate[], now: number | undefined }} trust without `now`, times are not looked at
 * @returns {Verdict}
 */
export function judge({ method, target, fields, body }, { anchors, now }) {
  /** @type {Map<string, string>} */
  const headers = new Map();
  for (const [name, value] of fields) headers.set(name.toLowerCase(), value.trim().replace(/ +/g, " "));
  const authorization = headers.get("authorization") ?? "";
  const match =
    /^(AWS4-X509-(?:RSA-SHA256|ECDSA-SHA256|MLDSA)) Credential=(\d+)\/(\d{8})\/([a-z0-9-]+)\/rolesanywhere\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]+)$/.exec(
      authorization,
    );
  if (!match) return { ok: false, why: "malformed Authorization" };
  const [, algorithm = "", serial = "", day = "", region = "", list = "", signature = ""] = match;
  const signed = list.split(";");
  if (signed.join(";") !== [...signed].sort().join(";")) return { ok: false, why: "signed headers are not sorted" };
  for (const name of ["host", "x-amz-date", "x-amz-x509"])
    if (!signed.includes(name)) return { ok: false, why: `${name} is not signed` };
  if (headers.has("x-amz-x509-chain") && !signed.includes("x-amz-x509-chain"))
    return { ok: false, why: "the chain is not signed" };
  if (headers.get("x-amz-x509-chain") === "") return { ok: false, why: "an empty chain" };
  const time = headers.get("x-amz-date") ?? "";
  if (!/^\d{8}T\d{6}Z$/.test(time) || !time.startsWith(day)) return { ok: false, why: "malformed X-Amz-Date" };
  const at = Date.parse(time.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (now !== undefined && Math.abs(now - at) > FIVE_MINUTES) return { ok: false, why: "Signature expired" };
  const [path = "", query = ""] = target.split("?");
  const canonicalQuery = query
    .split("&")
    .map((pair) =>
      pair
        .split("=")
        .map((part) => encode(decodeURIComponent(part.replaceAll("+", " "))))
        .join("="),
    )
    .sort()
    .join("&");
  const canonical = [
    method,
    path,
    canonicalQuery,
    ...signed.map((name) => `${name}:${headers.get(name) ?? ""}`),
    "",
    list,
    sha256(body),
  ].join("\n");
  const toSign = [algorithm, time, `${day}/${region}/rolesanywhere/aws4_request`, sha256(canonical)].join("\n");
  const leaf = new X509Certificate(Buffer.from(headers.get("x-amz-x509") ?? "", "base64"));
  if (BigInt(`0x${leaf.serialNumber}`).toString() !== serial) return { ok: false, why: "another serial number" };
  const digest = algorithm === "AWS4-X509-MLDSA" ? null : "sha256";
  if (!verify(digest, Buffer.from(toSign), leaf.publicKey, Buffer.from(signature, "hex")))
    return { ok: false, why: "Invalid signature" };
  const chain = (headers.get("x-amz-x509-chain") ?? "")
    .split(",")
    .filter((der) => der !== "")
    .map((der) => new X509Certificate(Buffer.from(der, "base64")));
  let current = leaf;
  for (const next of [...chain, undefined]) {
    const anchor = anchors.find((one) => current.checkIssued(one) && current.verify(one.publicKey));
    if (anchor !== undefined) return { ok: true, region, serial };
    if (next === undefined || !current.checkIssued(next) || !current.verify(next.publicKey)) break;
    current = next;
  }
  return { ok: false, why: "Untrusted signing certificate" };
}

/**
 * @typedef {object} Service
 * @property {string} url
 * @property {number} port
 * @property {{ target: string, fields: Fields, body: string, verdict: Verdict }[]} requests
 * @property {() => Promise<void>} close
 */

/**
 * @param {object} options
 * @param {readonly string[]} options.anchors PEM of the trust anchors
 * @param {() => number} [options.now]
 * @param {number} [options.delayMs] before each answer
 * @param {number} [options.lifeMs] of the credentials; default what was asked for
 * @param {string} [options.account] of the keys; default that of the role
 * @param {{ key: string, cert: string }} [options.tls]
 * @param {number} [options.port]
 * @param {(request: { index: number, response: import("node:http").ServerResponse, verdict: Verdict }) => boolean | void} [options.intercept]
 *   answers by itself where it returns true
 * @returns {Promise<Service>}
 */
export async function startRolesAnywhereService(options) {
  const { now = Date.now, delayMs = 0, intercept } = options;
  const anchors = options.anchors.map((text) => new X509Certificate(text));
  /** @type {Service["requests"]} */
  const requests = [];
  /** @type {import("node:http").RequestListener} */
  const listener = (request, response) => {
    /** @type {Buffer[]} */
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const { rawHeaders } = request;
      /** @type {[string, string][]} */
      const fields = [];
      for (let at = 0; at < rawHeaders.length; at += 2) fields.push([rawHeaders[at] ?? "", rawHeaders[at + 1] ?? ""]);
      const target = request.url ?? "/";
      /** @type {Verdict} */
      let verdict;
      try {
        verdict = judge({ method: request.method ?? "", target, fields, body }, { anchors, now: now() });
      } catch (error) {
        verdict = { ok: false, why: String(error) };
      }
      requests.push({ target, fields, body: body.toString(), verdict });
      response.setHeader("date", new Date(now()).toUTCString());
      setTimeout(() => {
        if (intercept?.({ index: requests.length - 1, response, verdict })) return;
        answer(response, target, body, verdict);
      }, delayMs);
    });
  };
  /** @param {import("node:http").ServerResponse} response @param {string} target @param {Buffer} body @param {Verdict} verdict */
  const answer = (response, target, body, verdict) => {
    response.setHeader("content-type", "application/json");
    if (!verdict.ok) {
      response.statusCode = 403;
      response.setHeader("x-amzn-errortype", "AccessDeniedException");
      response.end(JSON.stringify({ message: verdict.why }));
      return;
    }
    response.statusCode = 201;
    response.end(JSON.stringify(sessionFor(target, body.toString(), requests.length, now(), options)));
  };
  const server = options.tls ? createSecureServer(options.tls, listener) : createServer(listener);
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `${options.tls ? "https" : "http"}://127.0.0.1:${port}`,
    port,
    requests,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/**
 * The body of a 201.
 *
 * @param {string} target @param {string} body @param {number} index @param {number} now
 * @param {{ lifeMs?: number, account?: string }} [options]
 */
export function sessionFor(target, body, index, now, options = {}) {
  const query = new URLSearchParams(target.split("?")[1]);
  const roleArn = query.get("roleArn") ?? "";
  const { durationSeconds = 3600, roleSessionName } =
    /** @type {{ durationSeconds?: number, roleSessionName?: string }} */ (JSON.parse(body || "{}"));
  const [, partition = "aws", , , account = ""] = roleArn.split(":");
  const name = roleArn.split("/").at(-1) ?? "";
  const session = roleSessionName ?? "00ff";
  const life = options.lifeMs ?? durationSeconds * 1000;
  return {
    credentialSet: [
      {
        assumedRoleUser: {
          arn: `arn:${partition}:sts::${account}:assumed-role/${name}/${session}`,
          assumedRoleId: `AROAEXAMPLEEXAMPLEEXA:${session}`,
        },
        credentials: {
          accessKeyId: accessKeyIdFor(options.account ?? account, `roles-anywhere-${index}`),
          secretAccessKey: createHash("sha256").update(`secret-${index}`).digest("base64").slice(0, 40),
          sessionToken: createHash("sha512").update(`token-${index}`).digest("base64"),
          expiration: new Date(now + life).toISOString().replace(/\.\d{3}Z$/, "Z"),
        },
        packedPolicySize: 0,
        roleArn,
        sourceIdentity: "CN=test",
      },
    ],
    subjectArn: "arn:aws:rolesanywhere:eu-central-1:111122223333:subject/00000000-0000-0000-0000-000000000000",
  };
}
