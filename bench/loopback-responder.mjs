// @ts-check
/** The responder of a bench without namespaces: the genuine stand-in or an impersonator, on a port of loopback. */
import { behaviourOf } from "../test/support/behaviours.mjs";
import { createSigner } from "../test/support/identity-signer.mjs";
import { identityDocument, startImdsServer } from "../test/support/imds-server.mjs";
import { startImpersonator } from "../test/support/impersonator.mjs";

/** @typedef {import("../test/support/machine.mjs").Serve} Serve */

const GENUINE_DEFAULTS = { account: "111122223333", instanceId: "i-0a1b2c3d4e5f60718", region: "eu-central-1" };

/** @type {{ url: string, seen: () => unknown, close: () => Promise<void> } | undefined} */
let current;

/** @param {Serve} serve */
async function start(serve) {
  if (serve.kind === "nobody") return undefined;
  if (serve.kind === "behaviour") {
    const impersonator = await startImpersonator();
    impersonator.play(behaviourOf(serve.name));
    const { host, port } = /** @type {{ host: string, port: number }} */ (impersonator.endpoints[0]);
    return { url: `http://${host}:${port}`, seen: impersonator.seen, close: impersonator.close };
  }
  const { privateKeyPem, identity } = serve;
  // The real service does not sign for each request.
  const document = identityDocument({ ...GENUINE_DEFAULTS, ...identity });
  const signed = privateKeyPem === undefined ? undefined : createSigner({ privateKeyPem }).sign(document);
  const genuine = await startImdsServer({
    ...identity,
    document,
    ...(signed !== undefined && { signDocument: () => signed }),
  });
  return { url: genuine.url, seen: () => genuine.counters, close: genuine.close };
}

process.on("message", async (/** @type {{ serve?: Serve }} */ { serve }) => {
  if (serve === undefined) return process.send?.({ seen: current?.seen() });
  await current?.close();
  current = await start(serve);
  return process.send?.({ url: current?.url });
});
process.on("disconnect", () => {
  process.exit(0);
});
