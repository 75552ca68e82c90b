/**
 * Mutated messages: whatever is done to a signed message, it is refused by a rule or still says what was signed.
 * `MUTATIONS` sets how many are tried (default 100,000).
 */
import { createPublicKey } from "node:crypto";
import { expect, test } from "vitest";
import { attestDocument } from "../../src/attest/identity-document.js";
import { createKeyRing } from "../../src/attest/key-ring.js";
import { ImdsImpersonationError } from "../../src/base/errors.js";
import { algorithm, buildMessage, createSigner, documentText, OID } from "../support/identity-signer.mjs";
import { fc } from "../support/properties.js";

const runs = Number(process.env["MUTATIONS"] ?? 100_000);

const signer = createSigner();
const ring = createKeyRing(new Map([["us-west-2", [createPublicKey(signer.publicKeyPem)]]]));
const text = documentText();
const wanted = JSON.stringify(attestDocument(Buffer.from(signer.sign(text)), ring));
const messages = [
  buildMessage(text, signer.privateKey),
  buildMessage(text, signer.privateKey, { digestAlgorithm: algorithm(OID.sha256) }),
  buildMessage(text, signer.privateKey, { primitive: true }),
  buildMessage(text, signer.privateKey, { definite: true }),
];

type Mutation = readonly [kind: number, at: number, to: number, value: number];
const fraction = fc.nat(0xffff);
const mutation: fc.Arbitrary<Mutation> = fc.tuple(fc.nat(6), fraction, fraction, fc.nat(0xff));

function mutate(bytes: Buffer, [kind, from, until, value]: Mutation): Buffer {
  const at = Math.floor((from / 0x10000) * bytes.length);
  const to = Math.min(bytes.length, at + 1 + (until % 64));
  const [before, piece, after] = [bytes.subarray(0, at), bytes.subarray(at, to), bytes.subarray(to)];
  switch (kind) {
    case 0: {
      // one bit
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ (1 << (value & 7));
      return copy;
    }
    case 1: {
      // one byte
      const copy = Buffer.from(bytes);
      copy[at] = value;
      return copy;
    }
    case 2: // a byte more
      return Buffer.concat([before, Buffer.from([value]), bytes.subarray(at)]);
    case 3: // a piece less
      return Buffer.concat([before, after]);
    case 4: // a piece twice
      return Buffer.concat([before, piece, piece, after]);
    case 5: {
      // a piece moved
      const rest = Buffer.concat([before, after]);
      const where = Math.floor((until / 0x10000) * rest.length);
      return Buffer.concat([rest.subarray(0, where), piece, rest.subarray(where)]);
    }
    default: // cut short
      return before;
  }
}

// Building the trace of every refusal would take most of the time.
Error.stackTraceLimit = 0;

test(`${runs} mutated messages are refused or unchanged in content`, { timeout: 30_000 + runs }, () => {
  let unchanged = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...messages),
      fc.array(mutation, { minLength: 1, maxLength: 3 }),
      (message, mutations) => {
        const body = Buffer.from(mutations.reduce(mutate, message).toString("base64"));
        try {
          if (JSON.stringify(attestDocument(body, ring)) !== wanted) throw new Error("other content was attested");
          unchanged += 1;
        } catch (error) {
          if (!(error instanceof ImdsImpersonationError)) throw error;
        }
      },
    ),
    { numRuns: runs },
  );
  // Some always survive (unsigned names of the signer, say), or the messages were never good.
  expect(unchanged).toBeGreaterThan(0);
  expect(unchanged).toBeLessThan(runs / 2);
});
