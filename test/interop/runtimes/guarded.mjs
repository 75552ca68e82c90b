/** What a program under Bun or Deno gets from this package: each named step, and what became of it. */
import http from "node:http";
import net from "node:net";
import { createGuard, fromNodeProviderChain } from "imds-guard";
import { assertNotMetadataUrl, installFirewall } from "imds-guard/firewall";

const { steps: wanted, certificates } = JSON.parse(process.argv[2] ?? "{}");
const guard = createGuard({ certificates, log: "off", probe: "off", timeout: 2_000, maxRetries: 0 });

const steps = {
  verdict: async () => (await guard.whereAmI()).host.verdict,
  credentials: async () => (await guard.credentials()).accessKeyId,
  refreshed: async () => (await guard.credentials({ forceRefresh: true })).accessKeyId,
  attestation: async () => guard.attestation()?.level,
  chain: async () => (await fromNodeProviderChain({ guard })()).accessKeyId,
  region: () => guard.region(),
  metadata: () => guard.metadata("/latest/meta-data/instance-id"),
  url: async () => assertNotMetadataUrl("http://2852039166/").href,
  firewall: async () => installFirewall(),
  firewallOfGuard: () => guard.installFirewall(),
  fetch: async () => (await fetch("http://169.254.169.254/latest/")).status,
  http: () =>
    new Promise((resolve, reject) => {
      http
        .get("http://169.254.169.254/latest/", (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        })
        .on("error", reject);
    }),
  net: () =>
    new Promise((resolve, reject) => {
      net
        .connect(80, "169.254.169.254", () => {
          resolve("connected");
        })
        .on("error", reject);
    }),
};

const outcome = {};
for (const name of wanted) {
  try {
    outcome[name] = { value: await steps[name]() };
  } catch (error) {
    outcome[name] = { code: error.code ?? error.cause?.code ?? error.name };
  }
}
console.log(JSON.stringify(outcome));
process.exit(0);
