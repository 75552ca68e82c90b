/** The public keys that may sign identity documents: those of AWS, by region, and those the user adds. */
import type { KeyObject } from "node:crypto";
import { AWS_PUBLIC_KEYS } from "./aws-public-keys.js";
import type { TrustedKeys } from "./trusted-keys.js";
import { requireTrustedKeys } from "./trusted-keys.js";

/** Looks up the keys of a region. */
export interface KeyRing {
  /** The keys whose signature counts in `region`: that of AWS first, then the user's. Empty when there is none. */
  readonly keysFor: (region: string) => readonly KeyObject[];
}

/**
 * A key ring of the published AWS keys and of `extra`, which are added and never replace any.
 *
 * @throws ImdsGuardSettingsError `ERR_IMDS_GUARD_SETTING` when an extra key is not a public RSA key of 2048 to 8192
 * bits
 */
export function createKeyRing(extra: TrustedKeys = new Map()): KeyRing {
  const added = new Map(Array.from(extra, ([region, keys]) => [region, requireTrustedKeys(region, keys)] as const));
  const cache = new Map<string, readonly KeyObject[]>();
  return {
    keysFor(region) {
      const known = cache.get(region);
      if (known !== undefined) return known;
      const published = AWS_PUBLIC_KEYS.get(region);
      const keys = [
        ...(published === undefined ? [] : [publishedKey(region, published)]),
        ...(added.get(region) ?? []),
      ];
      // Names without a key are chosen by whoever answers, so they are not remembered.
      if (keys.length > 0) cache.set(region, Object.freeze(keys));
      return keys;
    },
  };
}

const publishedKeys = new Map<string, KeyObject>();

/** The published key of a region, read once for all key rings. */
function publishedKey(region: string, spki: string): KeyObject {
  const known = publishedKeys.get(region);
  if (known !== undefined) return known;
  const key = process
    .getBuiltinModule("node:crypto")
    .createPublicKey({ key: Buffer.from(spki, "base64"), format: "der", type: "spki" });
  publishedKeys.set(region, key);
  return key;
}
