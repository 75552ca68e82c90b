// @ts-check
/** Where attacks take place: machines, those who attack there, and victims in processes of their own or shared. */
import { createMachine, hostKindOf } from "../support/machine.mjs";
import { GENUINE } from "./catalogue.mjs";
import { startOf } from "./entries.mjs";
import { cellOf } from "./judge.mjs";

/**
 * @typedef {import("./catalogue.mjs").Attack} Attack
 * @typedef {import("./entries.mjs").Entry} Entry
 * @typedef {import("./judge.mjs").Cell} Cell
 * @typedef {Awaited<ReturnType<typeof createMachine>>} Machine
 * @typedef {Awaited<ReturnType<Machine["open"]>>} Client
 *
 * @typedef {object} Assignment Attacks on one host through entry points that share a program.
 * @property {string} host
 * @property {readonly Entry[]} entries
 * @property {readonly Attack[]} attacks
 * @property {boolean} [alone] every attack in a process of its own, and asked twice: the second time nothing is loaded
 * any more
 */

const GIVE_UP_MS = 6_000;
const GIVE_UP_BYTES = 256 * 2 ** 20;
const LIFETIME_MS = 1_500_000;
/** `second` credentials of a switch live two seconds, and are renewed at half of that. */
const PAUSE_MS = 1_200;

/**
 * @param {Assignment} assignment @param {{ env: Record<string, string>, leaky: string, onCell: (cell: Cell) => void }}
 * surroundings
 */
export async function carryOut({ host, entries, attacks, alone = false }, { env, leaky, onCell }) {
  const machine = await createMachine({ host, lifetimeMs: LIFETIME_MS });
  const { ec2 } = hostKindOf(host);
  /** @type {import("../support/machine.mjs").Network} */
  let network = "self";
  /** @type {Client | undefined} */
  let shared;
  const [first] = entries;
  if (first === undefined) return;
  const isExec = first.program === "exec";
  /** Code is loaded and compiled before anything is measured. @param {Attack} attack */
  const open = async (attack) => {
    const { program, execArgv, env: own } = startOf(first);
    const client = await machine.open(program, {
      execArgv,
      env: { ...env, ...own, ...(attack.profile === "leaky" && { AWS_CONFIG_FILE: leaky }), ...attack.env },
    });
    if (isExec) return client;
    if (attack.serve.kind === "behaviour") await machine.serve({ kind: "behaviour", name: "flawless" });
    await client.ask({ entries: entries.map(({ asks }) => asks), giveUpMs: GIVE_UP_MS }, 60_000);
    return client;
  };
  try {
    for (const attack of attacks) {
      if ((attack.network ?? "self") !== network) await machine.setNetwork((network = attack.network ?? "self"));
      // What a victim remembers of one attack must not answer for the next.
      const own =
        alone ||
        attack.env !== undefined ||
        attack.profile !== undefined ||
        attack.afterGenuine === true ||
        (attack.refreshes !== undefined && !first.together) ||
        (isExec && ec2);
      // Nothing is asked off EC2, so nothing can change between two who ask.
      for (const asked of ec2 ? entries.map((entry) => [entry]) : [entries]) {
        const client = own ? await open(attack) : (shared ??= await open(attack));
        const order = {
          entries: asked.map(({ asks }) => asks),
          giveUpMs: GIVE_UP_MS,
          giveUpBytes: GIVE_UP_BYTES,
          ...(attack.refreshes !== undefined && {
            refreshes: attack.refreshes,
            ...(!first.together && { pauseMs: PAUSE_MS }),
          }),
          ...((attack.afterGenuine === true || (isExec && !own)) && { keep: true }),
        };
        if (attack.afterGenuine === true) {
          await machine.serve(GENUINE);
          await client.ask(order, 60_000);
        }
        const attackNow = () =>
          network === "self" || network === "neighbour" ? machine.serve(attack.serve) : undefined;
        await attackNow();
        if (alone) {
          await client.ask(order, 60_000);
          await attackNow();
        }
        const { reply, sent } = await client.ask(order, 120_000);
        const seen = attack.serve.kind === "behaviour" ? await machine.seen() : undefined;
        const met =
          !ec2 ||
          attack.silent === true ||
          attack.afterGenuine === true ||
          seen === undefined ||
          Number(seen.connections) > 0;
        for (const [index, entry] of asked.entries()) {
          const told = Array.isArray(reply) ? reply[index] : undefined;
          onCell({
            ...cellOf(attack, host, entry, told, met),
            ...(!ec2 && attack.env === undefined && { connections: sent.connections, datagrams: sent.datagrams }),
          });
        }
        const ended = !Array.isArray(reply) || reply.some(({ gaveUp }) => gaveUp !== undefined);
        if (own || ended) await client.close();
        if (ended && client === shared) shared = undefined;
      }
    }
  } finally {
    await machine.close();
  }
}
