/** Whole EC2 hosts on which somebody else takes the place of the service: shown documents, and swaps in mid-life. */
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { createSigner } from "../support/identity-signer.mjs";
import { identityDocument } from "../support/imds-server.mjs";
import { ATTACKER_ACCOUNT } from "../support/impersonator.mjs";
import { canUnshare } from "../support/machine.mjs";
import type { Client, Machine } from "./rig.js";
import { inLanes, withMachine } from "./rig.js";

const able = canUnshare();
if (!able.ok) console.log(`e2e (attestation): skipped, no machines can be made here: ${able.reason}`);

const CLIENT = fileURLToPath(new URL("./mid-life-client.mjs", import.meta.url));
const VICTIM = "111122223333";
const INSTANCE = "i-0a1b2c3d4e5f60718";
const OTHER_INSTANCE = "i-0fedcba9876543210";
const REGION = "eu-central-1";
const OTHER_REGION = "us-east-1";
/** Two regions, two keys, as with AWS. */
const AWS = createSigner();
const AWS_ELSEWHERE = createSigner();
const certificates = { [REGION]: AWS.publicKeyPem, [OTHER_REGION]: AWS_ELSEWHERE.publicKeyPem };
const GUARD = { probe: "off", log: "off", timeout: 15_000, certificates };
const KEY = accessKeyIdFor(VICTIM, "genuine");

const genuine = {
  kind: "genuine",
  privateKeyPem: AWS.privateKeyPem,
  identity: { account: VICTIM, region: REGION, instanceId: INSTANCE },
} as const;
const document = (fields: Partial<Parameters<typeof identityDocument>[0]> = {}): string =>
  identityDocument({ account: VICTIM, instanceId: INSTANCE, region: REGION, ...fields } as never);

/** What the attacker says; its keys are of its own account unless told. */
function attacker(name: string, persona: Readonly<Record<string, unknown>> = {}) {
  return { kind: "behaviour", name, persona } as const;
}

interface Reply {
  readonly key?: string;
  readonly level?: string;
  readonly unbound?: readonly string[];
  readonly code?: string;
  readonly advised?: boolean;
  readonly events: readonly string[];
}

async function ask(client: Client, guard: object = GUARD, call: object = { forceRefresh: true }): Promise<Reply> {
  const { reply, timedOut } = await client.ask({ guard, ...call }, 40_000);
  expect(timedOut, "the call hangs").toBe(false);
  return reply as Reply;
}

async function onHost<T>(host: string, work: (machine: Machine, client: Client) => Promise<T>): Promise<T> {
  return withMachine({ host }, async (machine) => work(machine, await machine.open(CLIENT)));
}

describe.skipIf(!able.ok).concurrent("attestation", () => {
  it.each([
    ["ec2-nitro", "bound", []],
    ["ec2-nitro-arm64", "bound", []],
    ["ec2-metal", "bound", []],
    ["ec2-xen-hvm", "signed", ["instance"]],
    ["ec2-xen-pv", "signed", ["instance"]],
  ] as const)("%s: the genuine service reaches level %s", async (host, level, unbound) => {
    await onHost(host, async (machine, client) => {
      await machine.serve(genuine);
      expect(await ask(client, { ...GUARD, attestation: "required" })).toMatchObject({
        key: KEY,
        level,
        unbound,
        events: ["imds.attested", "imds.credentials_obtained"],
      });
    });
  });

  /** Each is shown from the start, on Nitro. */
  const shown = [
    {
      what: "the genuine document of another instance",
      by: attacker("flawless", { rsa2048: AWS.sign(document({ instanceId: OTHER_INSTANCE })) }),
      code: "ERR_IMDS_INSTANCE_MISMATCH",
      event: "imds.instance_mismatch",
    },
    {
      what: "this instance's own document, relayed beside the attacker's keys",
      by: attacker("flawless", { rsa2048: AWS.sign(document()) }),
      code: "ERR_IMDS_ACCOUNT_MISMATCH",
      event: "imds.account_mismatch",
    },
    {
      what: "the attacker's instance and account, signed by AWS",
      by: attacker("flawless", {
        rsa2048: AWS.sign(document({ account: ATTACKER_ACCOUNT, instanceId: OTHER_INSTANCE })),
      }),
      code: "ERR_IMDS_INSTANCE_MISMATCH",
      event: "imds.instance_mismatch",
    },
    {
      what: "a document signed with another region's key",
      by: attacker("flawless", { rsa2048: AWS_ELSEWHERE.sign(document()) }),
      code: "ERR_IMDS_ATTESTATION_INVALID",
      event: "imds.attestation_failed",
    },
    {
      what: "a document signed with a stranger's key",
      by: attacker("flawless", { rsa2048: createSigner().sign(document()) }),
      code: "ERR_IMDS_ATTESTATION_INVALID",
      event: "imds.attestation_failed",
    },
    {
      what: "the document without a signature",
      by: attacker("identity-bare-json"),
      code: "ERR_IMDS_ATTESTATION_INVALID",
      event: "imds.attestation_failed",
    },
    {
      what: "no document (404)",
      by: attacker("identity-absent"),
      code: "ERR_IMDS_ATTESTATION_MISSING",
      event: "imds.attestation_failed",
    },
    {
      what: "no document (403)",
      by: attacker("identity-403"),
      code: "ERR_IMDS_ATTESTATION_MISSING",
      event: "imds.attestation_failed",
    },
    { what: "no document (hang)", by: attacker("identity-hang"), code: "ERR_IMDS_TIMEOUT", event: "imds.unavailable" },
    {
      what: "an iam/info of another account",
      by: attacker("flawless", { rsa2048: AWS.sign(document()), accessKeyId: KEY }),
      code: "ERR_IMDS_ACCOUNT_MISMATCH",
      event: "imds.account_mismatch",
    },
    {
      what: "another AccountId beside the keys",
      by: attacker("creds-account-field", { rsa2048: AWS.sign(document()), accessKeyId: KEY }),
      code: "ERR_IMDS_ACCOUNT_MISMATCH",
      event: "imds.account_mismatch",
    },
  ] as const;

  it.each(shown)("refuses $what, and says which", async ({ by, code, event }) => {
    await onHost("ec2-nitro", async (machine, client) => {
      await machine.serve(by);
      const reply = await ask(client, { ...GUARD, timeout: 3_000 });
      expect(reply).toMatchObject({ code, advised: true });
      expect(reply.key).toBeUndefined();
      expect(reply.events).toContain(event);
    });
  });

  /** Each takes over between two calls; the guard has genuine credentials by then. */
  const swaps = [
    {
      what: "relays the genuine document",
      by: attacker("flawless", { rsa2048: AWS.sign(document()) }),
      code: "ERR_IMDS_IDENTITY_CHANGED",
    },
    {
      what: "shows its own",
      by: attacker("flawless", {
        rsa2048: AWS.sign(document({ account: ATTACKER_ACCOUNT, instanceId: OTHER_INSTANCE })),
      }),
      code: "ERR_IMDS_IDENTITY_CHANGED",
    },
    { what: "shows none", by: attacker("identity-absent"), code: "ERR_IMDS_IDENTITY_CHANGED" },
    { what: "offers IMDSv1 only", by: attacker("v1-404"), code: "ERR_IMDS_IDENTITY_CHANGED" },
    { what: "redirects", by: attacker("redirect-302-credentials"), code: "ERR_IMDS_REDIRECT" },
  ] as const;

  it.each(swaps)("survives a swap in mid-life to one who $what", async ({ by, code }) => {
    await onHost("ec2-nitro", async (machine, client) => {
      await machine.serve(genuine);
      expect(await ask(client)).toMatchObject({ key: KEY, level: "bound" });

      await machine.serve(by);
      const taken = await ask(client);
      expect(taken).toMatchObject({ code, advised: true });
      expect(taken.key).toBeUndefined();
      // What was held is gone, and so is every later answer of the newcomer's.
      for (let again = 0; again < 2; again += 1) expect((await ask(client, GUARD, {})).key).toBeUndefined();

      await machine.serve(genuine);
      expect(await ask(client, GUARD, {})).toMatchObject({ key: KEY, level: "bound" });
    });
  });

  it("carries genuine credentials through an outage, and not through a finding", async () => {
    await onHost("ec2-nitro", async (machine, client) => {
      await machine.serve(genuine);
      expect((await ask(client)).key).toBe(KEY);
      await machine.serve({ kind: "nobody" });
      expect(await ask(client)).toMatchObject({ key: KEY, events: ["imds.unavailable"] });
      await machine.serve(attacker("flawless"));
      expect((await ask(client)).key).toBeUndefined();
      await machine.serve({ kind: "nobody" });
      expect(await ask(client)).toMatchObject({ code: "ERR_IMDS_UNREACHABLE" });
    });
  });

  it("leaks nothing to any of them when they take turns", async () => {
    const everybody = [...shown.map(({ by }) => by), ...swaps.map(({ by }) => by)];
    await inLanes(["ec2-nitro", "ec2-nitro-arm64"], 2, (host) =>
      onHost(host, async (machine, client) => {
        for (const by of everybody) {
          await machine.serve(by);
          expect((await ask(client, { ...GUARD, timeout: 1_500 })).key).toBeUndefined();
        }
        await machine.serve(genuine);
        expect((await ask(client, { ...GUARD, timeout: 1_500 })).key).toBe(KEY);
      }),
    );
  });
});
