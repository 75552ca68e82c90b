/** Asks IMDS as programs with a client of their own do, and prints what each was told. */
import { execFile } from "node:child_process";
import http from "node:http";
import net from "node:net";
import { createRequire } from "node:module";
import { promisify } from "node:util";

const IMDS = "169.254.169.254";
const TTL = { "x-aws-ec2-metadata-token-ttl-seconds": "60" };

/** One request by node:http; its status and body, or the code of its error. */
const ask = (method, path, headers = {}, options = {}) =>
  new Promise((resolve) => {
    http
      .request({ host: IMDS, path, method, headers, ...options }, (response) => {
        let body = "";
        response.on("data", (chunk) => (body += chunk));
        response.on("end", () => resolve({ status: response.statusCode, body }));
      })
      .on("error", (error) => resolve({ code: error.code, cause: error.cause?.code }))
      .end();
  });
const tokenOf = async (options) => (await ask("PUT", "/latest/api/token", TTL, options)).body ?? "none";
const withToken = async (path, headers = {}, options = {}) =>
  ask("GET", path, { "x-aws-ec2-metadata-token": await tokenOf(options), ...headers }, options);
const ROLES = "/latest/meta-data/iam/security-credentials/";

const steps = {
  token: async () => (await ask("PUT", "/latest/api/token", TTL)).status,
  region: () => withToken("/latest/meta-data/placement/region"),
  document: async () => JSON.parse((await withToken("/latest/dynamic/instance-identity/document")).body).region,
  role: () => withToken(ROLES),
  credentials: async () => {
    const { body: role, status } = await withToken(ROLES);
    if (status !== 200) return { status };
    const { status: found, body } = await withToken(`${ROLES}${role}`);
    return found === 200 ? JSON.parse(body).AccessKeyId.slice(0, 4) : { status: found };
  },
  otherRole: () => withToken(`${ROLES}another`),
  missing: () => withToken("/latest/meta-data/tags/instance/none"),
  userData: () => withToken("/latest/user-data"),
  identityCredentials: () => withToken("/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance"),
  doubled: () => withToken("//latest//user-data"),
  withoutToken: () => ask("GET", "/latest/meta-data/"),
  forgedToken: () => ask("GET", "/latest/meta-data/", { "x-aws-ec2-metadata-token": "abc.".padEnd(47, "A") }),
  longTtl: () => ask("PUT", "/latest/api/token", { "x-aws-ec2-metadata-token-ttl-seconds": "21601" }),
  noTtl: () => ask("PUT", "/latest/api/token"),
  forwarded: () => ask("PUT", "/latest/api/token", { ...TTL, "x-forwarded-for": "198.51.100.7" }),
  via: () => withToken("/latest/meta-data/", { via: "1.1 proxy" }),
  named: () => ask("PUT", "/latest/api/token", { ...TTL, host: "rebound.example" }),
  post: () => ask("POST", "/latest/api/token", TTL),
  otherPort: () => ask("GET", "/", {}, { port: 8080 }),
  v6: () => withToken("/latest/meta-data/placement/region", {}, { host: "fd00:ec2::254" }),
  mapped: () => ask("GET", "/latest/meta-data/", {}, { host: "::ffff:169.254.169.254" }),
  keepAlive: async () => {
    const agent = new http.Agent({ keepAlive: true });
    const { body, status } = await withToken("/latest/meta-data/placement/region", {}, { agent });
    agent.destroy();
    return { status, body };
  },
  fetch: async () => {
    try {
      const token = await (await fetch(`http://${IMDS}/latest/api/token`, { method: "PUT", headers: TTL })).text();
      const url = `http://${IMDS}/latest/meta-data/placement/region`;
      const response = await fetch(url, { headers: { "x-aws-ec2-metadata-token": token } });
      return { status: response.status, body: await response.text() };
    } catch (error) {
      return { code: error.cause?.code };
    }
  },
  /** A proxy of a library's makes an agent of its own; that one dials elsewhere. */
  proxyAgent: () => {
    class ProxyAgent extends http.Agent {
      createConnection(options, done) {
        return net.connect({ port: 9, host: "127.0.0.1" }, done);
      }
    }
    return ask("PUT", "/latest/api/token", TTL, { agent: new ProxyAgent() });
  },
  /** Every other connection to the responder, from this process or another, is closed before it says a word. */
  stranger: async () => {
    await tokenOf();
    const { stdout } = await promisify(execFile)("sh", ["-c", "cat /proc/self/net/tcp"]);
    const ports = stdout
      .split("\n")
      .flatMap((line) => /^\s*\d+: 0100007F:([0-9A-F]{4}) 00000000:0000 0A/.exec(line)?.[1] ?? [])
      .map((port) => Number.parseInt(port, 16));
    const results = [];
    for (const port of ports) {
      const { stdout: said } = await promisify(execFile)(process.execPath, [
        "-e",
        `const s = require("net").connect(${port}, "127.0.0.1"); let n = 0; s.on("data", (c) => (n += c.length)).on("error", () => {}).on("close", () => console.log(n)); s.write("PUT /latest/api/token HTTP/1.1\\r\\nHost: ${IMDS}\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 60\\r\\n\\r\\n");`,
      ]);
      results.push(Number(said));
    }
    return { listening: ports.length > 0, bytes: results.reduce((sum, count) => sum + count, 0) };
  },
  /** The AWS SDK's own code, taken from its package as a bundler takes it. */
  bundledSdk: async () => {
    const require = createRequire(import.meta.url);
    const { readFileSync } = await import("node:fs");
    const path = require.resolve("@smithy/credential-provider-imds").replace(/dist-es.*/, "dist-cjs/index.js");
    const module = { exports: {} };
    new Function("require", "exports", "module", readFileSync(path, "utf8"))(
      createRequire(path),
      module.exports,
      module,
    );
    try {
      const { accessKeyId } = await module.exports.fromInstanceMetadata()();
      return accessKeyId.slice(0, 4);
    } catch (error) {
      return { code: error.code ?? error.name };
    }
  },
};

const out = {};
for (const name of process.argv.slice(2)) out[name] = await steps[name]();
process.stdout.write(JSON.stringify(out));
