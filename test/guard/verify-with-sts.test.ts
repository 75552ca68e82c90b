/** A whole guard whose credentials STS has to name, too: whose sessions pass beside a proved document. */
import { createServer } from "node:https";
import type { Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createGuard } from "../../src/guard/create-guard.js";
import type { GuardOptions } from "../../src/settings/options.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import type { ImdsIdentity } from "../support/imds-server.mjs";
import { selfSignedCertificate } from "../support/tls-certificate.mjs";
import { ACCOUNT, INSTANCE, machine, NITRO, REGION, signer, startSigningImds, STRANGER, XEN } from "./guarded-host.js";

const ROLE = "app-server";
const OTHER_INSTANCE = "i-0ffffffffffffffff";
const { key, cert } = selfSignedCertificate();
let server: Server;
let origin: string;
/** What STS says of whoever asks. */
let caller: { account: string; name: string };
let asked = 0;

beforeAll(async () => {
  server = createServer({ key, cert }, (request, response) => {
    asked += 1;
    request.resume();
    const arn = `arn:aws:sts::${caller.account}:${caller.name}`;
    response.end(`<R><Arn>${arn}</Arn><Account>${caller.account}</Account></R>`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

/** What comes of one call: the account of the key that was handed out, or the code of the error. */
async function outcome(
  identity: Partial<ImdsIdentity>,
  options: GuardOptions,
  files: Readonly<Record<string, string>>,
): Promise<unknown> {
  const imds = await startSigningImds({ roleName: ROLE, ...identity });
  const { system } = machine(files, { AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.url });
  const guard = createGuard(
    {
      attestation: "required",
      certificates: { [REGION]: signer.publicKeyPem },
      verifyWithSts: "on",
      timeout: 2_000,
      log: "off",
      ...options,
    },
    { system, sts: { origin, ca: cert } },
  );
  try {
    return await guard.credentials().then(
      ({ accessKeyId }) => (accessKeyId === accessKeyIdFor(STRANGER) ? STRANGER : ACCOUNT),
      (error: { code: string }) => error.code,
    );
  } finally {
    await guard.close();
    await imds.close();
  }
}

describe.each([
  ["on Nitro", NITRO],
  ["on Xen, where the document alone names the instance", XEN],
])("%s", (_, files) => {
  const both = { expectedAccounts: [ACCOUNT, STRANGER] };
  const foreign = { accessKeyId: accessKeyIdFor(STRANGER) };

  test.each([
    // The key, what STS says of it, what comes of it.
    ["the instance's own session", {}, {}, ACCOUNT, `assumed-role/${ROLE}/${INSTANCE}`, ACCOUNT],
    ["the same, where both accounts are expected", {}, both, ACCOUNT, `assumed-role/${ROLE}/${INSTANCE}`, ACCOUNT],
    [
      "another session of the instance's account",
      {},
      both,
      ACCOUNT,
      `assumed-role/${ROLE}/pod`,
      "ERR_IMDS_STS_MISMATCH",
    ],
    [
      "another instance of the account",
      {},
      both,
      ACCOUNT,
      `assumed-role/${ROLE}/${OTHER_INSTANCE}`,
      "ERR_IMDS_STS_MISMATCH",
    ],
    ["a user of the account", {}, both, ACCOUNT, `user/${ROLE}`, "ERR_IMDS_STS_MISMATCH"],
    ["a role of another expected account", foreign, both, STRANGER, `assumed-role/${ROLE}/kiam-pod`, STRANGER],
    [
      "the same, in a session with this instance's id",
      foreign,
      both,
      STRANGER,
      `assumed-role/${ROLE}/${INSTANCE}`,
      STRANGER,
    ],
    [
      "the session of another account's instance",
      foreign,
      both,
      STRANGER,
      `assumed-role/${ROLE}/${OTHER_INSTANCE}`,
      "ERR_IMDS_STS_MISMATCH",
    ],
    ["another role than was offered", foreign, both, STRANGER, "assumed-role/admin/kiam-pod", "ERR_IMDS_STS_MISMATCH"],
    [
      "a key of that account which STS does not know for one",
      foreign,
      both,
      ACCOUNT,
      `assumed-role/${ROLE}/${INSTANCE}`,
      "ERR_IMDS_STS_MISMATCH",
    ],
  ] as const)("%s", async (__, identity, options, account, name, expected) => {
    caller = { account, name };
    expect(await outcome(identity, options, files)).toBe(expected);
  });

  test("a key of an account that is not expected is refused before STS hears of it", async () => {
    caller = { account: STRANGER, name: `assumed-role/${ROLE}/kiam-pod` };
    asked = 0;
    expect(await outcome(foreign, { expectedAccounts: [ACCOUNT] }, files)).toBe("ERR_IMDS_ACCOUNT_MISMATCH");
    expect(asked).toBe(0);
  });
});
