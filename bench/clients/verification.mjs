// @ts-check
/** Time to verify one signed identity document: the first in the process, and after that. */
import { order, report } from "./order.mjs";

/**
 * @type {{ identity: string, keys: string, trusted: string, region: string, body: string, publicKeyPem: string,
 * count: number }}
 */
const { identity, keys, trusted, region, body, publicKeyPem, count } = order();

const { attestDocument } = await import(identity);
const [{ createKeyRing }, { parseTrustedKeys }] = await Promise.all([import(keys), import(trusted)]);
const keyRing = createKeyRing(new Map([[region, parseTrustedKeys(region, publicKeyPem)]]));
const bytes = Buffer.from(body);

const samples = [];
for (let done = 0; done <= count; done += 1) {
  const began = performance.now();
  attestDocument(bytes, keyRing);
  samples.push(performance.now() - began);
}
const [first, ...warm] = samples;
report({ first, warm });
