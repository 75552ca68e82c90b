/**
 * Whole hosts, the real metadata addresses, and whoever answers there: what reaches the application, and what leaves
 * the host.
 */
import { afterAll, describe, expect, it } from "vitest";
import { accessKeyIdFor, accountOf } from "../support/access-keys.mjs";
import { BEHAVIOURS } from "../support/behaviours.mjs";
import { createSigner } from "../support/identity-signer.mjs";
import { identityDocument } from "../support/imds-server.mjs";
import { ATTACKER_ACCOUNT } from "../support/impersonator.mjs";
import { canUnshare, HOST_KINDS } from "../support/machine.mjs";
import type { Order } from "./rig.js";
import { give, inLanes, leaked, once, openClient, OURS, STOCK, withMachine } from "./rig.js";

const able = canUnshare();
if (!able.ok) console.log(`e2e: skipped, no machines can be made here: ${able.reason}`);

const ELSEWHERE = HOST_KINDS.filter(({ ec2 }) => !ec2);
const EC2 = HOST_KINDS.filter(({ ec2 }) => ec2);
const VICTIM = "111122223333";
const REGION = "eu-central-1";
/** Room above the guard's own deadline for a busy machine; a hang has none. */
const PATIENCE_MS = 30_000;
const SHORT = { timeout: 500, maxRetries: 1 };
const QUIET = { probe: "off", log: "off" };
/** Where an answer is wanted, a busy machine must not look like a false refusal. */
const PATIENT = { ...QUIET, timeout: 20_000 };
const MAX_GROWTH = 192 * 1024 * 1024;
/** A real one has a key per region; this one stands in for the region's. */
const AWS = createSigner();
const certificates = { [REGION]: AWS.publicKeyPem };
const genuine = {
  kind: "genuine",
  privateKeyPem: AWS.privateKeyPem,
  identity: { account: VICTIM, region: REGION },
} as const;

const tally = {
  stockLeaks: 0,
  behaviours: BEHAVIOURS.length,
  elsewhere: ELSEWHERE.length,
  ec2: EC2.length,
  elsewhereCases: 0,
  elsewhereLeaks: 0,
  connections: 0,
  datagrams: 0,
  ec2Cases: 0,
  ec2Leaks: 0,
  hangs: 0,
  genuineCases: 0,
  falseRefusals: 0,
  v1Requests: 0,
};

describe.skipIf(!able.ok).concurrent("impersonation", () => {
  afterAll(() => {
    console.log(
      `e2e: ${tally.behaviours} behaviours; stock chain took ${tally.stockLeaks}; guarded off EC2 (${tally.elsewhere} kinds, ${tally.elsewhereCases} calls): ` +
        `leaked ${tally.elsewhereLeaks}, connections ${tally.connections}, datagrams ${tally.datagrams}; on EC2 (${tally.ec2} kinds, ${tally.ec2Cases} calls): ` +
        `leaked ${tally.ec2Leaks}, hangs ${tally.hangs}; genuine ${tally.genuineCases}: false refusals ${tally.falseRefusals}, IMDSv1 requests ${tally.v1Requests}`,
    );
  });

  describe("the control: the stock chain", () => {
    it.each(["self", "neighbour"] as const)("falls for a flawless impersonator (%s)", async (network) => {
      await withMachine({ host: "laptop", network }, async (machine) => {
        await machine.serve({ kind: "behaviour", name: "flawless" });
        const { outcome, sent } = await once(machine, { apis: ["chain"] }, { module: STOCK });
        expect(accountOf(outcome.keys[0])).toBe(ATTACKER_ACCOUNT);
        expect(sent.connections).toBe(3);
      });
    });

    it("falls for many of the others", async () => {
      await withMachine({ host: "laptop" }, async (machine) => {
        // Without a body limit and a deadline these would only fill the memory of whoever runs the suite.
        const bearable = BEHAVIOURS.filter(({ name }) => !/endless|flood|extension|bomb/.test(name));
        const client = await openClient(machine, STOCK);
        for (const { name, refreshes } of bearable) {
          await machine.serve({ kind: "behaviour", name });
          const { outcomes } = await give(client, {
            apis: ["chain"],
            options: { timeout: 200 },
            deadlineMs: 600,
            ...(refreshes !== undefined && { refreshes }),
          });
          if (outcomes.some((outcome) => leaked(outcome, VICTIM).length > 0)) tally.stockLeaks += 1;
        }
        expect(tally.stockLeaks).toBeGreaterThan(50);
      });
    });
  });

  describe("off EC2", () => {
    it.each(ELSEWHERE)(
      "$name ($sentence): nothing of anybody reaches the application, nothing leaves the host",
      async ({ name: host }) => {
        await withMachine({ host, network: host === "laptop" ? "neighbour" : "self" }, async (machine) => {
          const client = await openClient(machine);
          const failures: string[] = [];
          for (const { name, refreshes } of BEHAVIOURS) {
            await machine.serve({ kind: "behaviour", name });
            const order: Order = {
              apis: ["chain", "instance"],
              guard: QUIET,
              ...(refreshes !== undefined && { refreshes }),
            };
            const { outcomes, connections, datagrams } = await give(client, order);
            tally.connections += connections;
            tally.datagrams += datagrams;
            if (connections + datagrams > 0)
              failures.push(`${name}: ${connections} connections, ${datagrams} datagrams`);
            for (const outcome of outcomes) {
              tally.elsewhereCases += 1;
              tally.elsewhereLeaks += leaked(outcome).length;
              const refused = outcome.code === "ERR_IMDS_NOT_EC2" || outcome.code === "ERR_IMDS_HOST_UNKNOWN";
              if (
                outcome.keys.length > 0 ||
                outcome.hung ||
                !refused ||
                !outcome.advised ||
                outcome.events.length === 0
              )
                failures.push(`${name}: ${JSON.stringify(outcome)}`);
            }
          }
          expect(failures).toEqual([]);
        });
      },
    );

    it("refuses over IPv6 as well", async () => {
      await withMachine({ host: "dell-server" }, async (machine) => {
        await machine.serve({ kind: "behaviour", name: "flawless" });
        const env = { AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: "IPv6" };
        const stock = await once(machine, { apis: ["chain"] }, { module: STOCK, env });
        expect(accountOf(stock.outcome.keys[0])).toBe(ATTACKER_ACCOUNT);
        const { outcome, sent } = await once(machine, { apis: ["chain"], guard: QUIET }, { env });
        expect(outcome).toMatchObject({ keys: [], code: "ERR_IMDS_NOT_EC2" });
        expect(sent).toEqual({ connections: 0, datagrams: 0 });
      });
    });

    it("sends one probe in the background, which names the responder", async () => {
      await withMachine({ host: "laptop", network: "neighbour" }, async (machine) => {
        await machine.serve({ kind: "behaviour", name: "flawless" });
        const client = await openClient(machine);
        const { outcomes, connections } = await give(client, {
          apis: ["chain"],
          guard: { log: "off" },
          options: { lingerMs: 1_500 },
        });
        expect(outcomes[0]).toMatchObject({
          keys: [],
          code: "ERR_IMDS_NOT_EC2",
          responder: { mac: "02:00:00:00:fe:fe", interface: "uplink" },
        });
        expect(outcomes[0]?.events).toEqual(["imds.refused_not_ec2", "imds.impersonation_detected"]);
        expect(connections).toBe(1);
        const again = await give(client, { apis: ["chain"], guard: { log: "off" }, options: { lingerMs: 500 } });
        expect(again.connections).toBe(0);
        expect(await machine.seen()).toMatchObject({ connections: 1, requests: { "PUT /latest/api/token": 1 } });
      });
    });

    it.each(["silent", "no-arp", "blackhole", "unreachable", "prohibit", "none"] as const)(
      "refuses without waiting where nobody answers (%s)",
      async (network) => {
        await withMachine({ host: "dell-server", network }, async (machine) => {
          const { outcome, sent } = await once(machine, { apis: ["chain"], guard: QUIET });
          expect(outcome).toMatchObject({ keys: [], code: "ERR_IMDS_NOT_EC2", hung: false });
          expect(sent).toEqual({ connections: 0, datagrams: 0 });
          const probing = await once(machine, { apis: ["chain"], guard: { log: "off" } });
          expect(probing.outcome).toMatchObject({
            keys: [],
            code: "ERR_IMDS_NOT_EC2",
            events: ["imds.refused_not_ec2"],
          });
          expect(probing).toMatchObject({ timedOut: false, exitCode: 0 });
        });
      },
    );
  });

  describe("on EC2", () => {
    const cases = EC2.flatMap(({ name: host }) =>
      (["off", "auto"] as const).map((attestation) => ({ host, attestation })),
    );

    it("gives no hostile answer to the application, ends in time and says why", { timeout: 600_000 }, async () => {
      const failures: string[] = [];
      await inLanes(cases, 6, async ({ host, attestation }) => {
        await withMachine({ host, lifetimeMs: 600_000 }, async (machine) => {
          const client = await openClient(machine);
          const {
            outcomes: [idle],
          } = await give(client, { apis: ["chain"], guard: { ...QUIET, mode: "deny" } });
          for (const { name, refreshes, genuineLike } of BEHAVIOURS) {
            await machine.serve({ kind: "behaviour", name });
            const { outcomes } = await give(client, {
              apis: ["guard"],
              guard: { ...QUIET, ...SHORT, attestation, certificates },
              deadlineMs: PATIENCE_MS,
              ...(refreshes !== undefined && { refreshes }),
            });
            for (const outcome of outcomes) {
              tally.ec2Cases += 1;
              const told = `${host}, attestation ${attestation}, ${name}: ${JSON.stringify({ ...outcome, message: outcome.message?.slice(0, 120) })}`;
              const takes = leaked(outcome, VICTIM).length > 0;
              if (outcome.hung) tally.hangs += 1;
              const allowed = attestation === "off" && genuineLike === true;
              if (takes && !allowed) tally.ec2Leaks += 1;
              const explained = takes || (/^ERR_IMDS_/.test(outcome.code ?? "") && outcome.advised === true);
              const bounded = outcome.peakRss - (idle?.peakRss ?? 0) < MAX_GROWTH;
              if ((takes && !allowed) || outcome.hung || !explained || !bounded || outcome.events.length === 0)
                failures.push(told);
            }
            if (refreshes !== undefined && attestation === "off") {
              const { requests } = await machine.seen();
              if ((requests["GET /latest/meta-data/iam/security-credentials/app-server"] ?? 0) < 2)
                failures.push(`${name}: was never asked again: ${JSON.stringify(requests)}`);
            }
          }
        });
      });
      expect(failures).toEqual([]);
    });

    it("holds its default deadline through every door", async () => {
      const lasting = [
        "flood-100-credentials",
        "drip-token",
        "hang-list",
        "endless-creds",
        "status-503-storm",
        "cut-hang",
        "accept-hang",
      ];
      await inLanes(lasting, 4, (name) =>
        withMachine({}, async (machine) => {
          await machine.serve({ kind: "behaviour", name });
          const client = await openClient(machine);
          const { outcomes } = await give(client, {
            apis: ["chain", "instance", "guard"],
            guard: { ...QUIET, attestation: "off" },
            deadlineMs: PATIENCE_MS,
          });
          for (const outcome of outcomes) {
            expect(outcome, name).toMatchObject({ keys: [], hung: false });
            expect(outcome.code, `${name} through ${outcome.api}`).toMatch(/^ERR_IMDS_/);
          }
        }),
      );
    });

    it.each(EC2)("$name: takes the genuine service, by IMDSv2 only", async ({ name: host }) => {
      await withMachine({ host, network: host === "ec2-nitro" ? "neighbour" : "self" }, async (machine) => {
        for (const attestation of ["off", "auto", "required"] as const) {
          await machine.serve(genuine);
          const guard = { ...PATIENT, attestation, certificates, expectedAccounts: [VICTIM] };
          const client = await openClient(machine);
          const { outcomes } = await give(client, { apis: ["chain", "instance", "guard", "sts"], guard });
          for (const outcome of outcomes) {
            tally.genuineCases += 1;
            if (outcome.keys.length === 0) tally.falseRefusals += 1;
            expect(outcome, `${host} ${attestation}: ${outcome.message}`).toMatchObject({
              keys: [accessKeyIdFor(VICTIM, "genuine")],
            });
          }
          const { withoutToken, connections, total } = await machine.seen();
          tally.v1Requests += withoutToken;
          expect(withoutToken).toBe(0);
          // One connection a request, and that the one whose peer was checked.
          expect(connections).toBe(total);
          await client.close();
        }
      });
    });

    it("takes an optional-token service by IMDSv2 all the same, and over IPv6", async () => {
      await withMachine({}, async (machine) => {
        await machine.serve({ ...genuine, identity: { ...genuine.identity, httpTokens: "optional" } });
        const { outcome } = await once(
          machine,
          { apis: ["chain"], guard: { ...PATIENT, certificates } },
          { env: { AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: "IPv6" } },
        );
        expect(outcome.keys).toEqual([accessKeyIdFor(VICTIM, "genuine")]);
        expect(await machine.seen()).toMatchObject({ withoutToken: 0 });
      });
    });

    it("tells apart whose document it is shown", async () => {
      const attackers = identityDocument({
        account: ATTACKER_ACCOUNT,
        instanceId: "i-0bad0bad0bad0bad0",
        region: REGION,
      });
      const ours = identityDocument({ account: VICTIM, instanceId: "i-0a1b2c3d4e5f60718", region: REGION });
      const forger = createSigner();
      const shown = [
        {
          host: "ec2-nitro",
          rsa2048: AWS.sign(attackers),
          code: "ERR_IMDS_INSTANCE_MISMATCH",
          event: "imds.instance_mismatch",
        },
        {
          host: "ec2-nitro",
          rsa2048: AWS.sign(ours),
          code: "ERR_IMDS_ACCOUNT_MISMATCH",
          event: "imds.account_mismatch",
        },
        {
          host: "ec2-nitro",
          rsa2048: forger.sign(ours),
          code: "ERR_IMDS_ATTESTATION_INVALID",
          event: "imds.attestation_failed",
        },
        {
          host: "ec2-xen-hvm",
          rsa2048: AWS.sign(ours),
          code: "ERR_IMDS_ACCOUNT_MISMATCH",
          event: "imds.account_mismatch",
        },
      ];
      await inLanes(shown, 2, ({ host, rsa2048, code, event }) =>
        withMachine({ host }, async (machine) => {
          await machine.serve({ kind: "behaviour", name: "flawless", persona: { rsa2048 } });
          const { outcome } = await once(machine, { apis: ["chain"], guard: { ...QUIET, certificates } });
          expect(outcome).toMatchObject({ keys: [], code });
          expect(outcome.events).toContain(event);
        }),
      );
    });

    it("takes the word of a region without a known key only where the user named that region, and says so", async () => {
      await withMachine({ host: "ec2-xen-hvm" }, async (machine) => {
        const region = "zz-nowhere-1";
        const document = identityDocument({ account: ATTACKER_ACCOUNT, instanceId: "i-0bad0bad0bad0bad0", region });
        await machine.serve({
          kind: "behaviour",
          name: "flawless",
          persona: { rsa2048: createSigner().sign(document) },
        });
        const asked = async (guard: object) =>
          (await once(machine, { apis: ["chain"], guard: { ...QUIET, ...guard } })).outcome;
        expect(await asked({})).toMatchObject({ keys: [], code: "ERR_IMDS_ATTESTATION_REGION" });
        expect(await asked({ attestation: "required", expectedRegions: [region] })).toMatchObject({
          keys: [],
          code: "ERR_IMDS_ATTESTATION_REGION",
        });
        expect(await asked({ expectedAccounts: [VICTIM] })).toMatchObject({
          keys: [],
          code: "ERR_IMDS_ACCOUNT_UNEXPECTED",
        });
        expect((await asked({ expectedRegions: [region] })).events).toContain("imds.attestation_unavailable");
      });
    });

    it("refuses an account that is not expected, whatever is proved", async () => {
      await withMachine({ host: "ec2-xen-hvm" }, async (machine) => {
        const document = identityDocument({
          account: ATTACKER_ACCOUNT,
          instanceId: "i-0bad0bad0bad0bad0",
          region: REGION,
        });
        await machine.serve({ kind: "behaviour", name: "flawless", persona: { rsa2048: AWS.sign(document) } });
        const { outcome } = await once(machine, {
          apis: ["chain"],
          guard: { ...QUIET, certificates, expectedAccounts: [VICTIM] },
        });
        expect(outcome).toMatchObject({ keys: [], code: "ERR_IMDS_ACCOUNT_UNEXPECTED" });
      });
    });
  });

  describe("settings", () => {
    it("mode allow asks off EC2, and still wants proof unless told otherwise", async () => {
      await withMachine({ host: "laptop" }, async (machine) => {
        await machine.serve(genuine);
        const taken = await once(machine, {
          apis: ["chain"],
          guard: { ...PATIENT, mode: "allow", certificates, expectedAccounts: [VICTIM] },
        });
        expect(taken.outcome.keys).toEqual([accessKeyIdFor(VICTIM, "genuine")]);
        await machine.serve({ kind: "behaviour", name: "flawless" });
        const refused = await once(machine, { apis: ["chain"], guard: { ...QUIET, mode: "allow", certificates } });
        expect(refused.outcome.keys).toEqual([]);
        expect(refused.outcome.code).toMatch(/^ERR_IMDS_ATTESTATION_/);
        expect(refused.outcome.events).toContain("imds.unattested_allowed");
        const pinned = await once(machine, {
          apis: ["chain"],
          guard: { ...QUIET, mode: "allow", attestation: "off", expectedAccounts: [VICTIM] },
        });
        expect(pinned.outcome).toMatchObject({ keys: [], code: "ERR_IMDS_ACCOUNT_UNEXPECTED" });
      });
    });

    it("asks an unidentified host's service only where document and account can be required", async () => {
      await withMachine({ host: "nothing" }, async (machine) => {
        await machine.serve(genuine);
        const refused = await once(machine, { apis: ["chain"], guard: { ...QUIET, certificates } });
        expect(refused).toMatchObject({
          outcome: { keys: [], code: "ERR_IMDS_HOST_UNKNOWN" },
          sent: { connections: 0, datagrams: 0 },
        });
        const taken = await once(machine, {
          apis: ["chain"],
          guard: { ...PATIENT, certificates, expectedAccounts: [VICTIM] },
        });
        expect(taken.outcome.keys).toEqual([accessKeyIdFor(VICTIM, "genuine")]);
      });
    });

    const endpoints = [
      "http://192.0.2.1",
      "http://169.254.169.254:8080",
      "http://[2001:db8::1]",
      "http://imds.example.com",
    ];
    it.each(endpoints)("refuses the endpoint override %s, on EC2 too", async (endpoint) => {
      await withMachine({ network: "neighbour" }, async (machine) => {
        await machine.serve({ kind: "behaviour", name: "flawless" });
        const { outcome, sent } = await once(
          machine,
          { apis: ["chain"], guard: QUIET },
          { env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint } },
        );
        expect(outcome).toMatchObject({ keys: [], code: "ERR_IMDS_ENDPOINT_OVERRIDE" });
        expect(outcome.events).toContain("imds.endpoint_override_refused");
        expect(sent).toEqual({ connections: 0, datagrams: 0 });
      });
    });

    it.each(["chain", "instance", "guard"] as const)(
      "AWS_EC2_METADATA_DISABLED closes the door called %s",
      async (api) => {
        await withMachine({}, async (machine) => {
          await machine.serve(genuine);
          const { outcome, sent } = await once(
            machine,
            { apis: [api], guard: QUIET },
            { env: { AWS_EC2_METADATA_DISABLED: "true" } },
          );
          expect(outcome).toMatchObject({ keys: [], code: "ERR_IMDS_DISABLED" });
          expect(sent).toEqual({ connections: 0, datagrams: 0 });
        });
      },
    );

    it("never goes to a proxy, on any Node.js that knows proxies", async () => {
      await withMachine({}, async (machine) => {
        await machine.serve(genuine);
        // Nothing listens on port 9: whoever obeys the proxy fails.
        const proxy = "http://127.0.0.1:9";
        const env = { NODE_USE_ENV_PROXY: "1", HTTP_PROXY: proxy, http_proxy: proxy, HTTPS_PROXY: proxy };
        const { outcome } = await once(machine, { apis: ["chain"], guard: { ...PATIENT, certificates } }, { env });
        expect(outcome.keys).toEqual([accessKeyIdFor(VICTIM, "genuine")]);
      });
    });
  });

  describe("an SDK client", () => {
    it("signs with the instance's key on EC2, and with nobody's elsewhere", async () => {
      await withMachine({}, async (machine) => {
        await machine.serve(genuine);
        const ours = await once(machine, { apis: ["sts"], guard: { ...PATIENT, certificates } });
        expect(ours.outcome.keys).toEqual([accessKeyIdFor(VICTIM, "genuine")]);
        await machine.setHost("laptop");
        await machine.serve({ kind: "behaviour", name: "flawless" });
        const stock = await once(machine, { apis: ["sts"] }, { module: STOCK });
        expect(accountOf(stock.outcome.keys[0])).toBe(ATTACKER_ACCOUNT);
        const refused = await once(machine, { apis: ["sts"], guard: QUIET }, { module: OURS });
        expect(refused.outcome).toMatchObject({ keys: [], code: "ERR_IMDS_NOT_EC2" });
      });
    });
  });
});
