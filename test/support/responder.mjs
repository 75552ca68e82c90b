// @ts-check
/** Whoever answers at the metadata address of a machine: an impersonator, the genuine service, or nobody. */
import { execFileSync } from "node:child_process";
import { createSigner } from "./identity-signer.mjs";
import { behaviourOf } from "./behaviours.mjs";
import { startImdsServer } from "./imds-server.mjs";
import { startImpersonator } from "./impersonator.mjs";

const ADDRESSES = ["169.254.169.254", "fd00:ec2::254"];
const PORT = 80;

/** @type {import("./impersonator.mjs").Impersonator | undefined} */
let impersonator;
/** @type {import("./imds-server.mjs").ImdsServer | undefined} */
let genuine;

/**
 * Listens on the addresses that this network has; IPv6 may be off. @template T @param {(listen: { host: string, port:
 * number }[]) => Promise<T>} start @returns {Promise<T>}
 */
async function onAddresses(start) {
  const [v4, v6] = ADDRESSES.map((host) => ({ host, port: PORT }));
  const both = [v4, v6].filter((endpoint) => endpoint !== undefined);
  try {
    return await start(both);
  } catch (error) {
    if (!["EADDRNOTAVAIL", "EAFNOSUPPORT"].includes(/** @type {any} */ (error).code)) throw error;
    return start(both.slice(0, 1));
  }
}

/**
 * As the real service, which has its document signed and does not sign it for each request. @param {(document: string)
 * => string} sign
 */
function signedOnce(sign) {
  /** @type {Map<string, string>} */
  const signed = new Map();
  return (/** @type {string} */ document) => {
    const body = signed.get(document) ?? sign(document);
    signed.set(document, body);
    return body;
  };
}

/** @param {import("./machine.mjs").Serve} serve */
async function play(serve) {
  await genuine?.close();
  genuine = undefined;
  if (serve.kind !== "behaviour") {
    await impersonator?.close();
    impersonator = undefined;
  }
  if (serve.kind === "behaviour") {
    impersonator ??= await onAddresses(startImpersonator);
    const behaviour = behaviourOf(serve.name);
    impersonator.play({ ...behaviour, persona: { ...behaviour.persona, ...serve.persona } });
  } else if (serve.kind === "genuine") {
    const { privateKeyPem } = serve;
    // What is undefined does not travel between processes; null does.
    const identity = Object.fromEntries(
      Object.entries(serve.identity ?? {}).map(([name, value]) => [name, value ?? undefined]),
    );
    const signDocument = privateKeyPem === undefined ? undefined : signedOnce(createSigner({ privateKeyPem }).sign);
    genuine = await onAddresses((listen) => startImdsServer({ ...identity, signDocument, listen }));
  }
}

/** @type {Record<string, (message: any) => unknown>} */
const commands = {
  hello: () => true,
  address: ({ commands: list }) => {
    for (const args of list) {
      try {
        execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
      } catch (error) {
        if (args[0] !== "-6") throw error;
      }
    }
  },
  serve: ({ serve }) => play(serve),
  seen: () => impersonator?.seen() ?? genuine?.counters,
};

process.on("message", (/** @type {any} */ message) => {
  Promise.resolve()
    .then(() => commands[message.what]?.(message))
    .then((value) => {
      process.send?.({ value: value ?? null });
    })
    .catch((error) => {
      process.send?.({ error: String(error?.stack ?? error) });
    });
});
process.on("disconnect", () => {
  process.exit(0);
});
