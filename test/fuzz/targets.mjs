// @ts-check
/** Every parser that reads what an attacker or an operator's file can hold. */
import { ADDRESSES } from "./targets/addresses.mjs";
import { ATTESTATION } from "./targets/attestation.mjs";
import { CERTIFICATES } from "./targets/certificates.mjs";
import { GATEWAY } from "./targets/gateway.mjs";
import { HOST } from "./targets/host.mjs";
import { IMDS } from "./targets/imds.mjs";
import { LOGS } from "./targets/logs.mjs";
import { NETWORK } from "./targets/network.mjs";
import { RULES_AND_NETWORKS } from "./targets/rules.mjs";
import { SETTINGS } from "./targets/settings.mjs";

/**
 * @typedef {(name: string) => Promise<any>} Load the module `src/<name>.ts`
 *
 * @typedef {object} Target
 * @property {string} name
 * @property {string} sentence what is read, and what has to hold
 * @property {readonly string[]} sources whose blocks count: `folder/module`, or `folder/module#function,function` for a
 * part of it
 * @property {readonly string[]} [also] other modules that the target loads itself
 * @property {readonly (string | Uint8Array)[]} [words] of the format, besides the texts in the sources
 * @property {number} maxBytes
 * @property {() => Buffer[]} seeds
 * @property {(load: Load) => Promise<import("./explore.mjs").Run>} open
 */

/** @type {readonly Target[]} */
export const TARGETS = [
  ...ATTESTATION,
  ...IMDS,
  ...NETWORK,
  ...ADDRESSES,
  ...SETTINGS,
  ...CERTIFICATES,
  ...GATEWAY,
  ...HOST,
  ...LOGS,
  ...RULES_AND_NETWORKS,
];
