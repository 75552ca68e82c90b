// @ts-check
/**
 * An instance, its genuine metadata service at the real address, and an application that asks all the time; in one
 * process, inside a machine.
 */
import { advance } from "./clock.mjs";
import { createSigner } from "../support/identity-signer.mjs";
import { startImdsServer } from "../support/imds-server.mjs";
import { createGuard } from "imds-guard";

/**
 * @typedef {import("../support/imds-server.mjs").ImdsServer} ImdsServer
 *
 * @typedef {object} Report What a scenario comes to.
 * @property {number} calls
 * @property {number} failed calls that failed although credentials were held that had not ended
 * @property {number} failedWithout calls that failed where nothing valid was held
 * @property {number} stale calls that were given ended credentials although the service was there
 * @property {number} refreshes
 * @property {number} requests
 * @property {number} perRefresh requests for each time that a renewal was due
 * @property {number} atMostPerRefresh
 * @property {number} left timers and sockets that are still there at the end
 * @property {number} growth MiB of heap and buffers since the first credentials
 * @property {number} unhandled
 * @property {readonly string[]} codes of errors that reached the application
 * @property {string} [note]
 * @property {readonly string[]} missed further goals of the scenario's own that were missed
 */

const ACCOUNT = "111122223333";
const REGION = "eu-central-1";
const ADDRESS = { host: "169.254.169.254", port: 80 };
const HOUR = 3_600_000;
const signer = createSigner();

let unhandled = 0;
process.on("unhandledRejection", () => {
  unhandled += 1;
});
process.on("uncaughtException", () => {
  unhandled += 1;
});

const turn = () =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });
/** What a guard could leave behind; listening sockets and standard streams have other names. */
const LEAVINGS = ["TCPSocketWrap", "Timeout", "Immediate", "GetAddrInfoReqWrap", "UDPWrap"];
const active = () => process.getActiveResourcesInfo().filter((name) => LEAVINGS.includes(name)).length;
const live = () => {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

/** @param {{ guard?: object, life?: number, address?: { host: string, port: number } }} [options] */
export async function openStage({ guard: options = {}, life = 6 * HOUR, address = ADDRESS } = {}) {
  /** @type {Map<string, string>} */
  const signed = new Map();
  const signDocument = (/** @type {string} */ document) =>
    signed.get(document) ?? signed.set(document, signer.sign(document)).get(document) ?? "";
  const start = () =>
    startImdsServer({ account: ACCOUNT, region: REGION, expiresInMs: life, signDocument, listen: [address] });
  /** @type {ImdsServer | undefined} */
  let imds = await start();
  let requests = 0;
  /** @type {Map<string, number>} */
  const events = new Map();
  const guard = createGuard({
    certificates: { [REGION]: signer.publicKeyPem },
    attestation: "required",
    log: "off",
    probe: "off",
    timeout: 500,
    onEvent: ({ code }) => {
      events.set(code, (events.get(code) ?? 0) + 1);
    },
    ...options,
  });
  const tally = { calls: 0, failed: 0, failedWithout: 0, stale: 0, due: 0 };
  /** @type {Set<string>} */
  const codes = new Set();
  let valid = 0;
  let baseline = 0;

  const stage = {
    guard,
    events,
    /** The service as it is now. */
    imds: () => imds,
    stop: async () => {
      requests += imds?.counters.total ?? 0;
      await imds?.close();
      imds = undefined;
    },
    start: async () => {
      imds ??= await start();
    },
    /**
     * Calls at once, and whether all were served. @param {number} [count] @param {{ forceRefresh?: boolean }} [call]
     */
    ask: async (count = 1, call = {}) => {
      const held = valid > Date.now();
      const outcomes = await Promise.all(
        Array.from({ length: count }, () =>
          guard.credentials(call).then(
            ({ expiration }) => expiration.getTime(),
            (error) => {
              codes.add(String(error.code ?? error.name));
              return undefined;
            },
          ),
        ),
      );
      tally.calls += count;
      for (const expiration of outcomes) {
        if (expiration === undefined) tally[held ? "failed" : "failedWithout"] += 1;
        else if (expiration <= Date.now()) tally.stale += 1;
        else valid = expiration;
      }
      return outcomes.every((expiration) => expiration !== undefined);
    },
    /** Waits until nothing is under way any more, so that a clock can be moved. */
    settle: async () => {
      do await turn();
      while (process.getActiveResourcesInfo().includes("TCPSocketWrap"));
      await turn();
    },
    /** Moves both clocks to where a renewal is due. */
    due: (ms = life - 4 * 60_000) => {
      advance(ms);
      tally.due += 1;
    },
    /** What is measured begins here: code is loaded, the first credentials are held. */
    begin: async () => {
      for (let tries = 0; tries < 20 && !(await stage.ask()); tries += 1)
        await new Promise((resolve) => {
          setTimeout(resolve, 100);
        });
      await stage.settle();
      // The first renewals compile what later ones only run.
      for (let count = 0; count < 3; count += 1) {
        await stage.ask(1, { forceRefresh: true });
        await stage.settle();
      }
      imds?.resetCounters();
      requests = 0;
      events.clear();
      codes.clear();
      Object.assign(tally, { calls: 0, failed: 0, failedWithout: 0, stale: 0, due: 0 });
      baseline = live();
    },
    /**
     * @param {{ atMostPerRefresh: number, note?: string, missed?: readonly string[] }} judged @returns
     * {Promise<Report>}
     */
    report: async ({ atMostPerRefresh, note, missed = [] }) => {
      await stage.settle();
      const growth = (live() - baseline) / 2 ** 20;
      requests += imds?.counters.total ?? 0;
      await imds?.close();
      await guard.close();
      await turn();
      const { due, ...rest } = tally;
      return {
        ...rest,
        refreshes: events.get("imds.credentials_obtained") ?? 0,
        requests,
        perRefresh: requests / Math.max(1, due),
        atMostPerRefresh,
        left: active(),
        growth,
        unhandled,
        codes: [...codes],
        ...(note !== undefined && { note }),
        missed,
      };
    },
  };
  return stage;
}

/** A scenario prints what it came to; whatever the process still holds must not keep it. @param {Report} report */
export function print(report) {
  process.stdout.write(JSON.stringify(report));
}

/** Repeatable draws: a linear congruential generator. @param {number} seed */
export function drawing(seed) {
  let state = seed;
  return () => (state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32) / 2 ** 32;
}
