// @ts-check
/**
 * Asks a hostile responder once for each message, and tells how far memory grew meanwhile. The stock SDK has neither
 * deadline nor cap, so the call is given up, and the process ends, after `giveUpMs` or `giveUpBytes`.
 */

/** @typedef {{ module: string, guard?: object, giveUpMs: number, giveUpBytes: number }} Order */

/** Rarely enough that looking makes no garbage to speak of; the end is looked at, too. */
const LOOK_EVERY_MS = 5;

const used = () => {
  const { heapUsed, external, rss } = process.memoryUsage();
  return { live: heapUsed + external, rss };
};

/** @param {Order} order */
async function ask({ module, guard, giveUpMs, giveUpBytes }) {
  const { fromInstanceMetadata } = await import(module);
  const provider = fromInstanceMetadata(guard === undefined ? {} : { guard });
  globalThis.gc?.();
  const before = used();
  const highWater = process.resourceUsage().maxRSS * 1024;
  const peak = { ...before };
  const began = performance.now();
  /** @type {string | undefined} */
  let bounded;
  const outcome = await new Promise((resolve) => {
    const look = setInterval(() => {
      const { live, rss } = used();
      peak.live = Math.max(peak.live, live);
      peak.rss = Math.max(peak.rss, rss);
      if (rss - before.rss > giveUpBytes) bounded = "memory";
      else if (performance.now() - began > giveUpMs) bounded = "time";
      if (bounded !== undefined) finish("none");
    }, LOOK_EVERY_MS);
    const finish = (/** @type {string} */ how) => {
      clearInterval(look);
      resolve(how);
    };
    provider().then(
      () => finish("credentials"),
      (/** @type {any} */ error) => finish(error.code ?? error.name),
    );
  });
  const ms = performance.now() - began;
  const after = used();
  const grew = (/** @type {number} */ bytes) => Math.max(0, bytes) / 2 ** 20;
  return {
    outcome,
    bounded,
    ms,
    live: grew(Math.max(peak.live, after.live) - before.live),
    rss: grew(Math.max(peak.rss, after.rss) - before.rss),
    highWater: grew(process.resourceUsage().maxRSS * 1024 - highWater),
  };
}

process.on("message", (/** @type {Order} */ order) => {
  void ask(order).then((answer) => {
    process.send?.(answer, () => {
      if (answer.bounded !== undefined) process.exit(0);
    });
  });
});
