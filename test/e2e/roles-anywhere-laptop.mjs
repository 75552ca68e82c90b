// @ts-check
/**
 * Runs on a laptop of a test's making: a service for Roles Anywhere and one for STS on loopback, and programs that get
 * credentials by a profile. Prints whose key each signed with.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromNodeProviderChain } from "imds-guard";
import { accountOf } from "../support/access-keys.mjs";
import { issue } from "../support/certificates.mjs";
import { startRolesAnywhereService } from "../support/roles-anywhere-service.mjs";

const ACCOUNT = "111122223333";
const folder = mkdtempSync(join(tmpdir(), "imds-guard-laptop-"));
const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const root = issue({ name: "Root", ca: true });
const leaf = issue({ name: "app", issuer: root });
const service = await startRolesAnywhereService({ anchors: [root.cert] });
/** @type {string[]} */
const signed = [];
const sts = createServer((request, response) => {
  const key = /Credential=([A-Z0-9]+)/.exec(request.headers.authorization ?? "")?.[1];
  signed.push(accountOf(key) ?? "nobody");
  response.setHeader("content-type", "text/xml");
  response.end(
    `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:sts::${ACCOUNT}:assumed-role/app/x</Arn><UserId>AROAX:x</UserId><Account>${ACCOUNT}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>`,
  );
});
await new Promise((resolve) => sts.listen(0, "127.0.0.1", () => resolve(undefined)));
const { port } = /** @type {import("node:net").AddressInfo} */ (sts.address());

writeFileSync(join(folder, "tls.crt"), leaf.cert);
writeFileSync(join(folder, "tls.key"), leaf.key, { mode: 0o600 });
writeFileSync(
  join(folder, "config"),
  `[profile premises]
region = eu-central-1
imds_guard_roles_anywhere_certificate = ${folder}/tls.crt
imds_guard_roles_anywhere_private_key = ${folder}/tls.key
imds_guard_roles_anywhere_trust_anchor_arn = arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:trust-anchor/6f0e2c1a
imds_guard_roles_anywhere_profile_arn = arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:profile/9a2b4c6d
imds_guard_roles_anywhere_role_arn = arn:aws:iam::${ACCOUNT}:role/app
imds_guard_roles_anywhere_endpoint = ${service.url}
`,
);
const env = { ...process.env, AWS_CONFIG_FILE: join(folder, "config"), IMDS_GUARD_PROBE: "off" };
Object.assign(process.env, env);

/** @param {string[]} program @returns {Promise<string>} */
const run = (...program) =>
  new Promise((resolve) =>
    execFile(
      process.execPath,
      [here("../../dist/cli.js"), "exec", "--profile", "premises", "--", ...program],
      { env, timeout: 60_000 },
      (error, stdout, stderr) => resolve(error ? `${error.code}: ${stderr}` : stdout),
    ),
  );

const { accessKeyId } = await fromNodeProviderChain({ profile: "premises" })();
const outcome = {
  chain: accountOf(accessKeyId),
  cli: process.env["WITH_CLI"]
    ? await run("aws", "sts", "get-caller-identity", "--endpoint-url", `http://127.0.0.1:${port}`)
    : undefined,
  boto3: process.env["WITH_BOTO3"] ? await run("python3", here("../interop/clients/client.py")) : undefined,
  signed,
};
sts.close();
await service.close();
rmSync(folder, { recursive: true });
process.stdout.write(JSON.stringify(outcome));
process.exit();
