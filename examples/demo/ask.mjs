// @ts-check
/**
 * Asks one credential chain once, or the guard where it is, and prints what came of it as JSON: the child process of
 * the demo.
 */

/** @type {{ chain: "stock" | "guarded", init?: Record<string, any>, whereAmI?: boolean, lingerMs?: number }} */
const { chain, init = {}, whereAmI = false, lingerMs = 0 } = JSON.parse(process.argv[2] ?? '{"chain":"guarded"}');

/** @type {any[]} */
const events = [];
void answer();

async function answer() {
  const began = performance.now();
  /** @type {Record<string, unknown>} */
  let outcome;
  try {
    if (whereAmI) {
      const { createGuard } = await import("imds-guard");
      const { host, decision } = await createGuard({ probe: "off", log: "off" }).whereAmI();
      outcome = { verdict: host.verdict, reason: host.reason, decision: decision.kind };
    } else {
      outcome = await credentials();
    }
  } catch (error) {
    const { code, message, advice } = /** @type {any} */ (error);
    outcome = { code, message, advice };
  }
  const ms = performance.now() - began;
  // The probe runs in the background and holds nobody up; the demo waits for it only to show what it found.
  if (lingerMs > 0)
    await new Promise((resolve) => {
      setTimeout(resolve, lingerMs);
    });
  process.stdout.write(JSON.stringify({ ...outcome, ms, events }));
}

async function credentials() {
  // This line is the whole change in a program that moves to the guard.
  const { fromNodeProviderChain } =
    chain === "stock" ? await import("@aws-sdk/credential-providers") : await import("imds-guard");
  const guard = {
    log: "off",
    ...init["guard"],
    onEvent: (/** @type {any} */ event) => {
      events.push(event);
    },
  };
  const provider = fromNodeProviderChain(chain === "stock" ? init : { ...init, guard });
  const { accessKeyId, expiration } = await provider();
  return { accessKeyId, expiration };
}
