/** A whole guard whose credentials STS has to name, too: whose sessions pass beside a proved document. */
import { createServer as createProxy } from "node:http";
import { createServer } from "node:https";
import type { Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createGuard } from "../../src/guard/create-guard.js";
import type { GuardOptions } from "../../src/settings/options.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import type { ImdsIdentity } from "../support/imds-server.mjs";
import { selfSignedCertificate } from "../support/tls-certificate.mjs";
import {
  ACCOUNT,
  INSTANCE,
  machine,
  NITRO,
  REGION,
  rejection,
  signer,
  startSigningImds,
  STRANGER,
  XEN,
} from "./guarded-host.js";

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

test("STS is asked through the proxy that the options name, and trusted by the certificates that they name", async () => {
  const asked: string[] = [];
  const proxy = createProxy().on("connect", (request, socket: Socket) => {
    asked.push(`${request.method} ${request.url}`);
    const through = connect(Number(new URL(origin).port), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      through.pipe(socket).pipe(through);
    });
    for (const end of [socket, through]) end.on("error", () => undefined).on("close", () => through.destroy());
  });
  await new Promise<void>((resolve) => void proxy.listen(0, "127.0.0.1", resolve));
  const stsProxy = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const imds = await startSigningImds({ roleName: ROLE });
  try {
    const codes: string[] = [];
    for (const stsCa of [cert, undefined]) {
      const { system } = machine(NITRO, { AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.url });
      const certificates = { [REGION]: signer.publicKeyPem };
      const guard = createGuard(
        { attestation: "required", certificates, verifyWithSts: "on", timeout: 2_000, log: "off", stsProxy, stsCa },
        { system },
      );
      const error = await rejection(guard.credentials());
      codes.push(/ERR_TLS_CERT_ALTNAME_INVALID|SELF_SIGNED/.exec(String(error))?.[0] ?? String(error));
      await guard.close();
    }
    expect(new Set(asked)).toEqual(new Set([`CONNECT sts.${REGION}.amazonaws.com:443`]));
    // Whose certificate is trusted is still to have the name of STS.
    expect(codes).toEqual(["ERR_TLS_CERT_ALTNAME_INVALID", "SELF_SIGNED"]);
  } finally {
    proxy.closeAllConnections();
    proxy.close();
    await imds.close();
  }
});
