// @ts-check
/** A program with one guard that lives on: each message asks it once more, and the reply tells what came of it. */
import { createGuard } from "imds-guard";

/** @type {string[]} */
let events = [];
/** @type {ReturnType<typeof createGuard> | undefined} */
let guard;

/** @param {any} message */
async function ask({ guard: options, ...call }) {
  guard ??= createGuard({ ...options, onEvent: (event) => void events.push(event.code) });
  events = [];
  try {
    const { accessKeyId } = await guard.credentials(call);
    return {
      key: accessKeyId,
      level: guard.attestation()?.level,
      unbound: guard.attestation()?.unbound.map(({ what }) => what),
      events,
    };
  } catch (error) {
    const { code, advice } = /** @type {any} */ (error);
    return { code, advised: typeof advice === "string" && advice !== "", events };
  }
}

process.on("message", (/** @type {any} */ message) => void ask(message).then((reply) => process.send?.(reply)));
process.on("disconnect", () => process.exit(0));
