// @ts-check
/** A stand-in for the genuine instance metadata service, as its documentation and captures describe it on the wire. */
import { randomBytes } from "node:crypto";
import { createServer, STATUS_CODES } from "node:http";
import { accessKeyIdFor } from "./access-keys.mjs";

export { accessKeyIdFor, accountOf } from "./access-keys.mjs";

/**
 * @typedef {object} ImdsIdentity What this service says about its instance.
 * @property {string} account twelve digits
 * @property {string} instanceId
 * @property {string} region
 * @property {string | undefined} roleName undefined: no instance profile, so the whole `iam/` directory is missing
 * @property {string} accessKeyId
 * @property {string} secretAccessKey
 * @property {string} sessionToken
 * @property {number} expiresInMs from the time of the request to `Expiration`; may be negative
 * @property {number} delayMs before every answer
 * @property {"required" | "optional"} httpTokens "optional" also answers IMDSv1
 * @property {"enabled" | "disabled"} httpEndpoint "disabled" answers 403 to everything
 * @property {string} code the `Code` of the credentials document
 * @property {((document: string) => string) | undefined} signDocument makes the body of `rsa2048`; without it that path
 * is 404
 * @property {Readonly<Record<string, string>>} tags the instance's own; none unless their access is enabled
 * @property {string | undefined} document the identity document, when it shall not be made from the fields above
 */

/**
 * @typedef {object} Fault The next `times` matching requests end like this instead of being answered.
 * @property {RegExp} path
 * @property {string} [method]
 * @property {number} times
 * @property {number | "reset" | "hang" | "empty" | "cut"} outcome a status code, or what happens to the connection;
 * "cut" is half an answer
 */

/**
 * @typedef {object} ImdsCounters
 * @property {number} total
 * @property {number} connections
 * @property {Record<string, number>} byRequest `"PUT /latest/api/token"` -> how often
 * @property {Record<string, number>} byHeader lower-case header name -> how often
 * @property {number} withoutToken GET requests that carried no token: IMDSv1
 */

/**
 * @typedef {object} ImdsServer
 * @property {readonly { host: string, port: number }[]} endpoints
 * @property {string} url of the first endpoint, without a final slash
 * @property {ImdsIdentity} identity the current one
 * @property {ImdsCounters} counters
 * @property {(change: Partial<ImdsIdentity>) => void} set changes what is said from the next request on
 * @property {(fault: Fault) => void} fail
 * @property {() => void} calm no more faults
 * @property {() => void} forgetTokens every token becomes invalid, as after a restart
 * @property {() => void} resetCounters
 * @property {() => Promise<void>} close
 */

const TOKEN_HEADER = "x-aws-ec2-metadata-token";
const TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds";
const MAX_TTL = 21_600;
const VERSIONS = ["1.0", "2016-09-02", "2021-03-23", "2024-04-11", "latest"];

/** @returns {ImdsIdentity} */
function defaultIdentity() {
  const account = "111122223333";
  return {
    account,
    instanceId: "i-0a1b2c3d4e5f60718",
    region: "eu-central-1",
    roleName: "app-server",
    accessKeyId: accessKeyIdFor(account, "genuine"),
    secretAccessKey: "genuineSecretAccessKeyForTestsOnly000000",
    sessionToken: `IQoJb3JpZ2luX2VjEGenuine${"A".repeat(300)}==`,
    expiresInMs: 6 * 3_600_000,
    delayMs: 0,
    httpTokens: "required",
    httpEndpoint: "enabled",
    code: "Success",
    signDocument: undefined,
    tags: {},
    document: undefined,
  };
}

/**
 * Starts the service. An `account` given without `accessKeyId` gets a key id that encodes it.
 *
 * @param {Partial<ImdsIdentity> & { listen?: readonly { host: string, port?: number }[] }} [options]
 * @returns {Promise<ImdsServer>}
 */
export async function startImdsServer(options = {}) {
  const { listen = [{ host: "127.0.0.1" }], ...given } = options;
  const identity = { ...defaultIdentity(), ...given };
  if (given.account !== undefined && given.accessKeyId === undefined) {
    identity.accessKeyId = accessKeyIdFor(given.account, "genuine");
  }
  /** @type {Map<string, number>} token -> when it expires */
  const tokens = new Map();
  /** @type {Fault[]} */
  const faults = [];
  const counters = noCounters();

  /** @type {import("node:http").RequestListener} */
  const handle = (request, response) => {
    count(counters, request);
    // The service reads no request body; leaving it unread would hold the connection.
    request.resume();
    const fault = takeFault(faults, request);
    const answer = () => {
      if (fault !== undefined) fail(fault.outcome, request, response);
      else respond(identity, tokens, request, response);
    };
    if (identity.delayMs > 0) setTimeout(answer, identity.delayMs);
    else answer();
  };

  /** @type {import("node:http").Server[]} */
  const servers = [];
  /** @type {{ host: string, port: number }[]} */
  const endpoints = [];
  for (const { host, port = 0 } of listen) {
    const server = createServer({ keepAlive: false }, handle);
    server.on("connection", () => {
      counters.connections += 1;
    });
    await /** @type {Promise<void>} */ (
      new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, resolve);
      })
    );
    servers.push(server);
    const address = /** @type {import("node:net").AddressInfo} */ (server.address());
    endpoints.push({ host, port: address.port });
  }
  const first = /** @type {{ host: string, port: number }} */ (endpoints[0]);

  return {
    endpoints,
    url: `http://${first.host.includes(":") ? `[${first.host}]` : first.host}:${first.port}`,
    identity,
    counters,
    set: (change) => {
      Object.assign(identity, change);
    },
    fail: (fault) => {
      faults.push({ ...fault });
    },
    calm: () => {
      faults.length = 0;
    },
    forgetTokens: () => {
      tokens.clear();
    },
    resetCounters: () => {
      Object.assign(counters, noCounters());
    },
    close: async () => {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise((resolve) => {
          server.close(resolve);
        });
      }
    },
  };
}

/** @returns {ImdsCounters} */
function noCounters() {
  return { total: 0, connections: 0, byRequest: {}, byHeader: {}, withoutToken: 0 };
}

/** @param {ImdsCounters} counters @param {import("node:http").IncomingMessage} request */
function count(counters, request) {
  const key = `${request.method} ${request.url}`;
  counters.total += 1;
  counters.byRequest[key] = (counters.byRequest[key] ?? 0) + 1;
  for (const name of Object.keys(request.headers)) counters.byHeader[name] = (counters.byHeader[name] ?? 0) + 1;
  if (request.method === "GET" && request.headers[TOKEN_HEADER] === undefined) counters.withoutToken += 1;
}

/** @param {Fault[]} faults @param {import("node:http").IncomingMessage} request */
function takeFault(faults, request) {
  const fault = faults.find(
    ({ path, method, times }) =>
      times > 0 && path.test(request.url ?? "") && (method === undefined || method === request.method),
  );
  if (fault !== undefined) fault.times -= 1;
  return fault;
}

/**
 * @param {Fault["outcome"]} outcome
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 */
function fail(outcome, request, response) {
  if (outcome === "hang") return;
  if (outcome === "reset") request.socket.resetAndDestroy();
  else if (outcome === "empty") request.socket.end();
  else if (outcome === "cut")
    request.socket.end(
      'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 400\r\nConnection: close\r\n\r\n{\n  "Code" : "Succ',
    );
  else send(request, response, outcome, errorPage(outcome), { "Content-Type": "text/html" });
}

/**
 * @param {ImdsIdentity} identity
 * @param {Map<string, number>} tokens
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 */
function respond(identity, tokens, request, response) {
  const path = request.url ?? "";
  const refuse = (/** @type {number} */ status, headers = {}) =>
    send(request, response, status, errorPage(status), { "Content-Type": "text/html", ...headers });

  if (identity.httpEndpoint === "disabled") return refuse(403);
  const tokenPath = /^\/([^/]+)\/api\/token$/.exec(path);
  if (request.method === "PUT") {
    if (tokenPath === null) return refuse(405, { Allow: "OPTIONS, GET, HEAD" });
    // A proxy that forwards anything must not be able to hand out tokens; dated versions have no token either.
    if (request.headers["x-forwarded-for"] !== undefined || tokenPath[1] !== "latest") return refuse(403);
    const ttl = String(request.headers[TTL_HEADER] ?? "");
    if (!/^[1-9]\d{0,4}$/.test(ttl) || Number(ttl) > MAX_TTL) return refuse(400);
    const token = `AQAEA${randomBytes(40).toString("base64url").slice(0, 49)}==`;
    // Whoever runs for months must not collect what ended long ago.
    for (const [old, until] of tokens) if (until <= Date.now()) tokens.delete(old);
    tokens.set(token, Date.now() + Number(ttl) * 1000);
    return send(request, response, 200, token, { [TTL_HEADER]: ttl });
  }
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, { Allow: "OPTIONS, GET, HEAD" });
  if (tokenPath !== null) return send(request, response, 405, "", { Allow: "OPTIONS, PUT" });

  const token = request.headers[TOKEN_HEADER];
  const validUntil = typeof token === "string" ? tokens.get(token) : undefined;
  const remaining = validUntil === undefined ? 0 : Math.ceil((validUntil - Date.now()) / 1000);
  const v1 = token === undefined && identity.httpTokens === "optional";
  if (remaining <= 0 && !v1) return refuse(401);

  const body = lookUp(identity, path);
  if (body === undefined) return refuse(404);
  const lastModified = new Date(Date.now() - 3_600_000).toUTCString();
  return send(request, response, 200, body, {
    "Last-Modified": lastModified,
    "Accept-Ranges": "none",
    ...(v1 ? {} : { [TTL_HEADER]: String(remaining) }),
  });
}

/**
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 * @param {number} status
 * @param {string} body
 * @param {Record<string, string>} headers
 */
function send(request, response, status, body, headers) {
  response.writeHead(status, {
    "Content-Type": "text/plain",
    "Content-Length": Buffer.byteLength(body),
    Connection: "close",
    Server: "EC2ws",
    ...headers,
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

/** @param {number} status */
function errorPage(status) {
  const title = `${status} - ${STATUS_CODES[status] ?? "Error"}`;
  return (
    '<?xml version="1.0" encoding="iso-8859-1"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"\n' +
    '\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n' +
    ` <head>\n  <title>${title}</title>\n </head>\n <body>\n  <h1>${title}</h1>\n </body>\n</html>\n`
  );
}

/** @param {ImdsIdentity} identity @param {string} path @returns {string | undefined} */
function lookUp(identity, path) {
  const [version = "", ...rest] = path.replace(/^\//, "").split("/");
  if (version === "") return VERSIONS.join("\n");
  if (!VERSIONS.includes(version)) return undefined;
  const wanted = rest.join("/");
  const values = contentOf(identity);
  const exact = values[wanted.replace(/\/$/, "")];
  if (exact !== undefined) return exact();
  const prefix = wanted === "" || wanted.endsWith("/") ? wanted : `${wanted}/`;
  const names = Object.keys(values)
    .filter((key) => key.startsWith(prefix))
    .map((key) => {
      const [name = "", deeper] = key.slice(prefix.length).split("/");
      return deeper === undefined ? name : `${name}/`;
    });
  return names.length === 0 ? undefined : [...new Set(names)].join("\n");
}

/** @param {ImdsIdentity} identity @returns {Record<string, () => string>} */
function contentOf(identity) {
  const { roleName, signDocument } = identity;
  const document = () => identity.document ?? identityDocument(identity);
  return {
    "dynamic/instance-identity/document": document,
    ...(signDocument === undefined ? {} : { "dynamic/instance-identity/rsa2048": () => signDocument(document()) }),
    "meta-data/ami-id": () => "ami-0123456789abcdef0",
    ...(roleName === undefined
      ? {}
      : {
          "meta-data/iam/info": () => profileInfo(identity, roleName),
          [`meta-data/iam/security-credentials/${roleName}`]: () => credentialsDocument(identity),
        }),
    "meta-data/hostname": () => `ip-10-0-0-10.${identity.region}.compute.internal`,
    "meta-data/instance-id": () => identity.instanceId,
    "meta-data/placement/availability-zone": () => `${identity.region}a`,
    "meta-data/placement/region": () => identity.region,
    "meta-data/services/domain": () => "amazonaws.com",
    "meta-data/services/partition": () => "aws",
    ...Object.fromEntries(
      Object.entries(identity.tags).map(([name, value]) => [`meta-data/tags/instance/${name}`, () => value]),
    ),
  };
}

/**
 * The text of an identity document in the layout that AWS uses. @param {{ account: string, instanceId: string, region:
 * string }} identity
 */
export function identityDocument({ account, instanceId, region }) {
  const fields = {
    accountId: account,
    architecture: "x86_64",
    availabilityZone: `${region}a`,
    billingProducts: null,
    devpayProductCodes: null,
    marketplaceProductCodes: null,
    imageId: "ami-0123456789abcdef0",
    instanceId,
    instanceType: "t3.micro",
    kernelId: null,
    pendingTime: "2026-11-20T08:00:00Z",
    privateIp: "10.0.0.10",
    ramdiskId: null,
    region,
    version: "2017-09-30",
  };
  const lines = Object.entries(fields).map(([key, value]) => `  "${key}" : ${JSON.stringify(value)}`);
  return `{\n${lines.join(",\n")}\n}`;
}

/** @param {ImdsIdentity} identity */
function credentialsDocument({ accessKeyId, secretAccessKey, sessionToken, expiresInMs, code }) {
  const fields = {
    Code: code,
    LastUpdated: stamp(Date.now() - 60_000),
    Type: "AWS-HMAC",
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    Token: sessionToken,
    Expiration: stamp(Date.now() + expiresInMs),
  };
  return pretty(fields);
}

/** The body of `iam/info`. @param {{ account: string }} identity @param {string} roleName */
export function profileInfo({ account }, roleName) {
  const profileId = accessKeyIdFor(account, "profile").replace(/^ASIA/, "AIPA");
  return pretty({
    Code: "Success",
    LastUpdated: stamp(Date.now() - 60_000),
    InstanceProfileArn: `arn:aws:iam::${account}:instance-profile/${roleName}`,
    InstanceProfileId: `${profileId}A`,
  });
}

/** @param {Record<string, string>} fields */
function pretty(fields) {
  const lines = Object.entries(fields).map(([key, value]) => `  ${JSON.stringify(key)} : ${JSON.stringify(value)}`);
  return `{\n${lines.join(",\n")}\n}`;
}

/** @param {number} time */
function stamp(time) {
  return new Date(time).toISOString().replace(/\.\d{3}Z$/, "Z");
}
