// @ts-check
/** What the gateway's daemon adds to what the service itself takes, how much it carries, and what it asks the service. */
import { number, oursAtLeast, oursAtMost } from "../figures.mjs";
import { genuine, inTurns, SIGNED } from "../packages.mjs";
import { withPlace } from "../place.mjs";

const PROCESSES = 3;
const CALLERS = 1_000;

/** @param {import("../figures.mjs").Extent} extent @returns {Promise<import("../figures.mjs").Section[]>} */
export async function gateway({ short }) {
  return withPlace({ host: "ec2-nitro", network: "self" }, async (place) => {
    // It asks the address itself, and there is none of it on loopback.
    if (!place.isolated || process.platform !== "linux") return [];
    await place.serve(genuine(0));
    const kept = {
      direct: /** @type {number[]} */ ([]),
      metadata: /** @type {number[]} */ ([]),
      added: /** @type {number[]} */ ([]),
      byTable: /** @type {number[]} */ ([]),
      metadataKept: /** @type {number[]} */ ([]),
      credentials: /** @type {number[]} */ ([]),
      rate: /** @type {number[]} */ ([]),
      perCore: /** @type {number[]} */ ([]),
      memory: /** @type {number[]} */ ([]),
      crowdMs: /** @type {number[]} */ ([]),
      exchanges: /** @type {number[]} */ ([]),
    };
    let owners = "";
    await inTurns(short ? 1 : PROCESSES, [
      async () => {
        const before = await place.seen();
        const answer = await place.run("gateway.mjs", {
          ...SIGNED,
          samples: short ? 50 : 300,
          seconds: short ? 1 : 4,
          callers: CALLERS,
        });
        const { byRequest } = await place.seen();
        const path = "GET /latest/meta-data/iam/security-credentials/app-server";
        kept.exchanges.push((byRequest[path] ?? 0) - (before.byRequest[path] ?? 0));
        kept.direct.push(...answer.direct);
        kept.byTable.push(...answer.metadataByTable);
        owners = answer.owners;
        kept.metadata.push(...answer.metadata);
        kept.added.push(middle(answer.metadata) - middle(answer.direct));
        kept.metadataKept.push(...answer.metadataKept);
        kept.credentials.push(...answer.credentials);
        kept.rate.push(answer.rate);
        kept.perCore.push(answer.perCore);
        kept.memory.push(answer.memory);
        kept.crowdMs.push(answer.crowdMs);
      },
    ]);
    return [
      {
        title: "The gateway: answers from memory, beside the service itself (no delay of its own)",
        rows: [
          { what: "GET of metadata, new connection", unit: "ms", ours: kept.metadata, stock: kept.direct },
          {
            what: "of that, added by the gateway",
            unit: "ms",
            ours: kept.added,
            goals: [oursAtMost(0.5)],
            note: `owners of connections by ${owners}`,
          },
          {
            what: "the same GET without a socket of sock_diag",
            unit: "ms",
            ours: kept.byTable,
            note: "the kernel's table is read, which grows with the memory of the host and its connections",
          },
          { what: "GET of metadata, kept connection", unit: "ms", ours: kept.metadataKept },
          {
            what: "GET of credentials, kept connection",
            unit: "ms",
            ours: kept.credentials,
            goals: [oursAtMost(1)],
          },
          { what: "requests a second, 32 connections", unit: "requests/s", ours: kept.rate },
          {
            what: "requests a second of its processor time",
            unit: "requests/s",
            ours: kept.perCore,
            goals: [oursAtLeast(2_000)],
          },
          {
            what: `${number(CALLERS)} programs at once: requests for credentials that the service sees`,
            unit: "requests",
            ours: kept.exchanges,
            goals: [oursAtMost(1)],
          },
          { what: "the same: all answered", unit: "ms", ours: kept.crowdMs },
          { what: "peak memory of the daemon", unit: "MiB", ours: kept.memory, goals: [oursAtMost(80)] },
        ],
      },
    ];
  });
}

/** @param {readonly number[]} samples */
function middle(samples) {
  return samples.toSorted((one, other) => one - other)[samples.length >> 1] ?? Number.NaN;
}
