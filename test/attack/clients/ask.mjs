// @ts-check
/**
 * A victim: asks through the entry points it is told, and tells what reached the application and at what cost. Orders
 * come over IPC, from the thread that started this one, as lines on stdin (`--lines`), or as the last argument (`--once`).
 */
import { subscribe } from "node:diagnostics_channel";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { parentPort } from "node:worker_threads";

/**
 * @typedef {object} Order
 * @property {readonly string[]} entries
 * @property {number} [refreshes]
 * @property {number} [pauseMs] between two refreshes, for entry points that cannot be told to ask anew
 * @property {number} giveUpMs
 * @property {number} [giveUpBytes]
 * @property {boolean} [keep] the same providers as in the last order that said so
 * @property {number} [lingerMs] afterwards, for what happens in the background
 *
 * @typedef {object} Told
 * @property {string} entry
 * @property {readonly string[]} values what reached the application, in order: access key ids, a region, an instance id
 * @property {"time" | "memory"} [gaveUp]
 * @property {string} [code] of the last error
 * @property {readonly string[]} events codes, in order
 * @property {readonly string[]} earlier codes of all that this process has told before: a guard tells of a refusal once
 * @property {number} ms
 * @property {number} growth of heap and buffers, in bytes
 * @property {number} unhandled rejections and exceptions that nobody caught
 */

const OURS = process.env["ATTACK_OURS"] ?? "imds-guard";
const STOCK = "@aws-sdk/credential-providers";
const LOOK_EVERY_MS = 5;

/** @type {string[]} */
let events = [];
/** @type {Set<string>} */
const earlier = new Set();
let unhandled = 0;
subscribe("imds-guard:event", (event) => {
  events.push(/** @type {any} */ (event).code);
});
process.on("unhandledRejection", () => {
  unhandled += 1;
});
process.on("uncaughtException", () => {
  unhandled += 1;
});

const require = createRequire(import.meta.url);
/** What surrounds the application once our modules are there. @template T @param {T} loaded @returns {T} */
const surrounded = (loaded) => {
  const after = process.env["ATTACK_AFTER"];
  if (after !== undefined) require(after);
  return loaded;
};
const load = async (/** @type {string} */ name) => surrounded(await import(name));
/** Chain and guard of two copies of the package. @param {any} copy @param {any} other */
const ofTwoCopies = (copy, other) => keyOf(copy.fromNodeProviderChain({ guard: other.createGuard() }));

/** @param {(options?: object) => Promise<{ accessKeyId: string }>} provider */
const keyOf = (provider) => async () => (await provider({ forceRefresh: true })).accessKeyId;
/** Nobody but the one who asks decides what a role is assumed with. @param {any} source */
const leafOnly = async (source) => source;

/** @type {Record<string, () => Promise<() => Promise<string>>>} */
const ENTRIES = {
  chain: async () => keyOf((await load(OURS)).fromNodeProviderChain({})),
  instance: async () => keyOf((await load(OURS)).fromInstanceMetadata({})),
  ini: async () => keyOf((await load(OURS)).fromIni({ profile: "leaf", roleAssumer: leafOnly })),
  region: async () => (await load(OURS)).fromGuardedRegion({}),
  metadata: async () => {
    const service = new (await load(OURS)).MetadataService({});
    return () => service.request("/latest/meta-data/instance-id");
  },
  "stock-chain": async () => keyOf((await load(STOCK)).fromNodeProviderChain({ timeout: 200 })),
  "stock-ini": async () => keyOf((await load(STOCK)).fromIni({ profile: "leaf", roleAssumer: leafOnly })),
  "imported-and-required": async () => ofTwoCopies(require(OURS), await load(OURS)),
  "installed-twice": async () => ofTwoCopies(await load(OURS), await import(process.env["ATTACK_SECOND_COPY"] ?? "")),
  inlined: async () => ofTwoCopies(require(process.env["ATTACK_INLINED"] ?? ""), await load(OURS)),
};

/** @type {Map<string, () => Promise<string>>} */
const kept = new Map();

const live = () => {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

/** @param {string} entry @param {Order} order @returns {Promise<Told>} */
async function ask(
  entry,
  { refreshes = 1, pauseMs = 0, giveUpMs, giveUpBytes = Infinity, keep = false, lingerMs = 0 },
) {
  const provider = (keep ? kept.get(entry) : undefined) ?? (await ENTRIES[entry]?.());
  if (provider === undefined) throw new RangeError(`no entry point is called ${entry}`);
  if (keep) kept.set(entry, provider);
  globalThis.gc?.();
  for (const told of events) earlier.add(told);
  events = [];
  const before = { live: live(), unhandled };
  let peak = before.live;
  const began = performance.now();
  /** @type {string[]} */
  const values = [];
  /** @type {string | undefined} */
  let code;
  /** @type {Told["gaveUp"]} */
  let gaveUp;
  const work = async () => {
    try {
      for (let count = 0; count < refreshes; count += 1) {
        if (count > 0 && pauseMs > 0)
          await new Promise((resolve) => {
            setTimeout(resolve, pauseMs);
          });
        values.push(await provider());
      }
    } catch (error) {
      const { code: own, name } = /** @type {any} */ (error);
      code = String(own ?? name);
    }
  };
  const allowed = giveUpMs + (refreshes - 1) * (giveUpMs + pauseMs);
  await new Promise((resolve) => {
    const look = setInterval(() => {
      peak = Math.max(peak, live());
      if (peak - before.live > giveUpBytes) gaveUp = "memory";
      else if (performance.now() - began > allowed) gaveUp = "time";
      if (gaveUp !== undefined) finish();
    }, LOOK_EVERY_MS);
    const finish = () => {
      clearInterval(look);
      resolve(undefined);
    };
    void work().then(finish);
  });
  const ms = performance.now() - began - (refreshes - 1) * pauseMs;
  peak = Math.max(peak, live());
  if (lingerMs > 0)
    await new Promise((resolve) => {
      setTimeout(resolve, lingerMs);
    });
  // A rejection that nobody handles is told in a later turn.
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  return {
    entry,
    values,
    ...(gaveUp !== undefined && { gaveUp }),
    ...(code !== undefined && { code }),
    events,
    earlier: [...earlier],
    ms,
    growth: peak - before.live,
    unhandled: unhandled - before.unhandled,
  };
}

/** @param {Order} order */
async function carryOut(order) {
  const told = [];
  for (const entry of order.entries) told.push(await ask(entry, order));
  return told;
}

const [how, given] = process.argv.slice(2);
if (how === "--once") {
  process.stdout.write(JSON.stringify(await carryOut(JSON.parse(given ?? "{}"))));
} else if (how === "--lines") {
  createInterface({ input: process.stdin }).on("line", (line) => {
    void carryOut(JSON.parse(line)).then((told) => {
      process.stdout.write(`${JSON.stringify(told)}\n`);
    });
  });
} else if (parentPort !== null) {
  const port = parentPort;
  port.on("message", (/** @type {Order} */ order) => {
    void carryOut(order).then((told) => {
      port.postMessage(told);
    });
  });
} else {
  process.on("message", (/** @type {Order} */ order) => {
    void carryOut(order).then((told) => {
      // What was given up goes on in the background, so nothing can be measured here any more.
      process.send?.(told, () => {
        if (told.some(({ gaveUp }) => gaveUp !== undefined)) process.exit(0);
      });
    });
  });
  process.on("disconnect", () => {
    process.exit(0);
  });
}
