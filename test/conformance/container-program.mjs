// Runs inside a network namespace of its own whose loopback owns the container addresses. Asks each case of both chains
// and prints what was asked and what came of it, as JSON.
import { writeFileSync } from "node:fs";
import { createServer as createTcpServer } from "node:net";
import { createServer } from "node:http";
import process from "node:process";

const [casesJson, ours, stock, tokenFile] = process.argv.slice(2);
const cases = JSON.parse(casesJson);
const asked = [];

const service = createServer((request, response) => {
  const { address, port, family } = request.socket.address();
  const authorization = request.headers.authorization;
  asked.push({
    url: `http://${request.headers.host}${request.url}`,
    to: `${address} ${port} ${family}`,
    ...(authorization !== undefined && { authorization }),
  });
  response.end(
    JSON.stringify({
      AccessKeyId: "ASIAQAAAAAAAAAAAAAAA",
      SecretAccessKey: "secret",
      Token: "token",
      Expiration: "2099-01-01T00:00:00Z",
    }),
  );
});
// Of TLS only the name that is asked for is read.
const tls = createTcpServer((socket) => {
  socket.on("error", () => {});
  socket.once("data", (hello) => {
    const name = cases
      .flatMap(({ env }) => Object.values(env))
      .flatMap((value) => (URL.canParse(value) ? [new URL(value).hostname] : []))
      .find((host) => hello.includes(host));
    asked.push({ url: `https://${name}` });
    socket.destroy();
  });
});

const ports = new Set([80]);
for (const { env } of cases) {
  for (const value of Object.values(env))
    if (URL.canParse(value) && new URL(value).protocol === "http:") ports.add(Number(new URL(value).port || 80));
}
await Promise.all(
  [...ports].map(
    (port) =>
      new Promise((resolve) => {
        const listener = port === 80 ? service : createServer(service.listeners("request")[0]);
        listener.listen(port, "::", resolve);
      }),
  ),
);
await new Promise((resolve) => tls.listen(443, "::", resolve));

const base = { ...process.env };
async function run(module, { env, token_file: file }) {
  asked.length = 0;
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, base, env);
  const text = typeof file === "string" ? file : file?.content;
  if (env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE !== undefined && text !== undefined) {
    writeFileSync(tokenFile, text);
    process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = tokenFile;
  }
  const { fromNodeProviderChain } = await import(module);
  const outcome = await fromNodeProviderChain({ maxRetries: 0, timeout: 500 })().then(
    ({ accessKeyId }) => ({ got: accessKeyId }),
    (error) => ({ error: error.name }),
  );
  // What is asked again by a retry is said once.
  return { asked: [...new Set(asked.map((one) => JSON.stringify(one)))].map((one) => JSON.parse(one)), ...outcome };
}

const results = [];
for (const given of cases) results.push({ ours: await run(ours, given), stock: await run(stock, given) });
process.stdout.write(JSON.stringify(results));
process.exit(0);
