// @ts-check
/** Access key ids that encode an account the way AWS's do, and the way back. */
import { createHash } from "node:crypto";

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/**
 * An access key id of the current format: bit 0 of its 80 bits set, bits 1 to 40 the account, the rest from `seed`.
 *
 * @param {string} account twelve digits
 * @param {string} [seed] distinguishes several keys of one account
 * @param {"ASIA" | "AKIA"} [prefix]
 * @returns {string}
 */
export function accessKeyIdFor(account, seed = "0", prefix = "ASIA") {
  const tail = createHash("sha256").update(seed).digest().readBigUInt64BE() & ((1n << 39n) - 1n);
  let bits = (1n << 79n) | (BigInt(account) << 39n) | tail;
  let text = "";
  for (let index = 0; index < 16; index += 1) {
    text = BASE32.charAt(Number(bits & 31n)) + text;
    bits >>= 5n;
  }
  return prefix + text;
}

/**
 * The account that an access key id encodes; undefined for the old format and for anything that is no key id.
 *
 * @param {string | undefined} accessKeyId
 * @returns {string | undefined}
 */
export function accountOf(accessKeyId) {
  if (accessKeyId === undefined || !/^A[A-Z]{3}[Q-Z2-7][A-Z2-7]{15}$/.test(accessKeyId)) return undefined;
  let bits = 0n;
  for (const char of accessKeyId.slice(4)) bits = (bits << 5n) | BigInt(BASE32.indexOf(char));
  const account = (bits >> 39n) & ((1n << 40n) - 1n);
  return account > 999_999_999_999n ? undefined : account.toString().padStart(12, "0");
}
