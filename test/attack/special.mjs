// @ts-check
/** Three runs beside the matrix: genuine hosts, the probe off EC2, and the stock SDK. */
import { createMachine, hostKindOf } from "../support/machine.mjs";
import { GENUINE } from "./catalogue.mjs";
import { startOf } from "./entries.mjs";
import { cellOf } from "./judge.mjs";

/**
 * @typedef {import("./catalogue.mjs").Attack} Attack
 * @typedef {import("./entries.mjs").Entry} Entry
 * @typedef {{ env: Record<string, string>, leaky: string, onCell: (cell: import("./judge.mjs").Cell) => void }}
 * Surroundings
 */

/** On a busy machine a late answer must not look like a refusal. */
const PATIENT = { IMDS_GUARD_TIMEOUT: "20000" };
const PROOFS = ["auto", "required"];
const STOCK_GIVES_UP = { giveUpMs: 1_000, giveUpBytes: 64 * 2 ** 20 };
/** The probe waits 200 ms for an answer. */
const LINGER_MS = 700;
/** What the secret-free probe finds: a responder that hands out tokens. */
const DETECTIONS = ["imds.impersonation_detected", "imds.unverified_responder"];

/**
 * The genuine service through every door, with and without demanded proof. @param {string} host @param {readonly
 * Entry[]} entries @param {Surroundings} surroundings
 */
export async function genuineHost(host, entries, { env, onCell }) {
  const machine = await createMachine({ host, lifetimeMs: 900_000 });
  try {
    for (const attestation of PROOFS) {
      for (const entry of entries) {
        await machine.serve(GENUINE);
        const { program, execArgv, env: own } = startOf(entry);
        const client = await machine.open(program, {
          execArgv,
          env: { ...env, ...own, ...PATIENT, IMDS_GUARD_ATTESTATION: attestation },
        });
        const { reply } = await client.ask({ entries: [entry.asks], giveUpMs: 30_000 }, 90_000);
        await client.close();
        const cell = cellOf(
          { kind: "genuine", name: `genuine, attestation ${attestation}`, refreshes: 40 },
          host,
          entry,
          reply?.[0],
          true,
        );
        // The first of a process loads all code; how much that is, the bench says.
        onCell({ ...cell, growth: 0 });
      }
    }
  } finally {
    await machine.close();
  }
}

/**
 * One process for each: the probe is sent once in the life of one. @param {readonly Attack[]} attacks @param {Entry}
 * entry @param {Surroundings} surroundings
 */
export async function probed(attacks, entry, { env, onCell }) {
  const machine = await createMachine({ host: "laptop", network: "neighbour", lifetimeMs: 900_000 });
  const { ec2 } = hostKindOf("laptop");
  try {
    for (const attack of attacks) {
      await machine.serve(attack.serve);
      const { program, execArgv, env: own } = startOf(entry);
      const client = await machine.open(program, { execArgv, env: { ...env, ...own, IMDS_GUARD_PROBE: "on" } });
      const { reply } = await client.ask({ entries: [entry.asks], giveUpMs: 6_000, lingerMs: LINGER_MS }, 60_000);
      await client.close();
      const cell = cellOf(attack, "laptop", { ...entry, name: "probe" }, reply?.[0], !ec2);
      onCell({
        ...cell,
        growth: 0,
        undetected: attack.handsOutTokens === true && !cell.events.some((code) => DETECTIONS.includes(code)),
      });
    }
  } finally {
    await machine.close();
  }
}

/**
 * The stock SDK, which does not look at the host, against the same attacks. A door of its own for profiles is tried
 * where the attack is a matter of configuration.
 *
 * @param {readonly Attack[]} attacks @param {Surroundings} surroundings
 */
export async function stock(attacks, { env, leaky, onCell }) {
  const machine = await createMachine({ host: "laptop", lifetimeMs: 900_000 });
  /** @type {import("../support/machine.mjs").Network} */
  let network = "self";
  /** @type {Awaited<ReturnType<typeof machine.open>> | undefined} */
  let shared;
  const { program, execArgv } = startOf({ program: "ask" });
  const open = (/** @type {Attack} */ attack) =>
    machine.open(program, {
      execArgv,
      env: { ...env, ...(attack.profile === "leaky" && { AWS_CONFIG_FILE: leaky }), ...attack.env },
    });
  try {
    for (const attack of attacks) {
      if ((attack.network ?? "self") !== network) await machine.setNetwork((network = attack.network ?? "self"));
      for (const asks of attack.kind === "configuration" ? ["stock-chain", "stock-ini"] : ["stock-chain"]) {
        const own = attack.env !== undefined || attack.profile !== undefined || attack.afterGenuine === true;
        const client = own ? await open(attack) : (shared ??= await open(attack));
        const order = {
          entries: [asks],
          ...STOCK_GIVES_UP,
          ...(attack.refreshes !== undefined && { refreshes: attack.refreshes }),
          ...(attack.afterGenuine === true && { keep: true }),
        };
        if (attack.afterGenuine === true) {
          await machine.serve(GENUINE);
          await client.ask(order, 60_000);
        }
        if (network === "self" || network === "neighbour") await machine.serve(attack.serve);
        const { reply } = await client.ask(order, 60_000);
        const told = reply?.[0];
        // It promises no deadline, so only what was given up counts as hanging.
        const cell = cellOf(
          attack,
          "laptop",
          { name: "stock", sentence: "", program: "ask", asks, together: true, gives: "key" },
          told && { ...told, ms: told.gaveUp === undefined ? 0 : told.ms },
          true,
        );
        onCell({ ...cell, ms: told?.ms ?? Number.NaN, entry: asks });
        if (own || told?.gaveUp !== undefined || told === undefined) {
          await client.close();
          if (client === shared) shared = undefined;
        }
      }
    }
  } finally {
    await machine.close();
  }
}
