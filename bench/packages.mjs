// @ts-check
/** The two packages that are compared, and the throw-away identity that stands in for AWS's. */
import { createSigner } from "../test/support/identity-signer.mjs";

/** Our package as an application sees it, by self-reference to the build. */
export const OURS = "imds-guard";
export const STOCK = "@aws-sdk/credential-providers";

const REGION = "eu-central-1";
const SIGNER = createSigner();

/** Guard options under which the genuine stand-in is attested in full. */
export const ATTESTED = { attestation: "required", certificates: { [REGION]: SIGNER.publicKeyPem } };
export const UNATTESTED = { attestation: "off" };

/** The genuine service. @param {number} delayMs before every answer @returns {import("./place.mjs").Serve} */
export function genuine(delayMs) {
  return { kind: "genuine", privateKeyPem: SIGNER.privateKeyPem, identity: { region: REGION, delayMs } };
}

/** The key and a document signed with it. */
export const SIGNED = { region: REGION, publicKeyPem: SIGNER.publicKeyPem, sign: SIGNER.sign };

/**
 * Runs every task once, then once more, and so on, so that whatever else this machine does falls on all alike. @param
 * {number} rounds @param {readonly (() => Promise<void>)[]} tasks
 */
export async function inTurns(rounds, tasks) {
  for (let round = 0; round < rounds; round += 1) for (const task of tasks) await task();
}
