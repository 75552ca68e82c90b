// @ts-check
/**
 * What no program of Node.js does without: CreateSession by node:crypto and node:http alone, without settings, checks
 * or a clock. Its arguments: folder of certificate and key, URL of the service, the three ARNs.
 */
const begun = performance.now();
const [{ readFileSync }, { createHash, createPrivateKey, sign, X509Certificate }, { request }] = await Promise.all([
  import("node:fs"),
  import("node:crypto"),
  import("node:http"),
]);
const loaded = performance.now() - begun;
const [, , folder = "", url = "", profileArn = "", roleArn = "", trustAnchorArn = ""] = process.argv;
const sha256 = (/** @type {string} */ text) => createHash("sha256").update(text).digest("hex");
const { host, hostname, port } = new URL(url);
const certificate = new X509Certificate(readFileSync(`${folder}/tls.crt`));
const key = createPrivateKey(readFileSync(`${folder}/tls.key`));
const time = new Date().toISOString().replace(/[-:]|\.\d{3}/g, "");
const query = new URLSearchParams({ profileArn, roleArn, trustAnchorArn }).toString();
const body = '{"durationSeconds":3600}';
/** @type {Record<string, string>} */
const headers = {
  "content-type": "application/json",
  host,
  "x-amz-date": time,
  "x-amz-x509": certificate.raw.toString("base64"),
};
const names = Object.keys(headers).join(";");
const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}`);
const canonical = ["POST", "/sessions", query, ...lines, "", names, sha256(body)].join("\n");
const scope = `${time.slice(0, 8)}/eu-central-1/rolesanywhere/aws4_request`;
const signature = sign("sha256", Buffer.from(["AWS4-X509-RSA-SHA256", time, scope, sha256(canonical)].join("\n")), key);
headers["authorization"] =
  `AWS4-X509-RSA-SHA256 Credential=${BigInt(`0x${certificate.serialNumber}`)}/${scope}, SignedHeaders=${names}, Signature=${signature.toString("hex")}`;
await new Promise((resolve, reject) => {
  const options = { hostname, port, method: "POST", path: `/sessions?${query}`, headers, agent: false };
  request(options, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (piece) => (text += piece));
    response.on("end", () => (response.statusCode === 201 ? resolve(JSON.parse(text)) : reject(new Error(text))));
  })
    .on("error", reject)
    .end(body);
});
process.stdout.write(JSON.stringify({ ms: performance.now() - begun, loaded }));
