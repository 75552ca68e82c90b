/** Session tokens of the gateway: each is good for the user that asked for it, and for as long as it said. */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

const NONCE_BYTES = 8;
const MAC_BYTES = 24;
const TOKEN = /^[A-Za-z0-9_-]{54}==$/;

/** Makes and checks tokens. Nothing is remembered for one: it carries its end, and whom it is for, under a MAC. */
export interface TokenMint {
  /** A token of 56 characters, as the service's. `holder` names who may use it. */
  issue(holder: string, ttlSeconds: number): string;
  /** Seconds that are left, or undefined for a token that is not good, or not good for this holder. */
  secondsLeft(token: string, holder: string): number | undefined;
}

/** `now` in milliseconds on a clock that never jumps. */
export function createTokenMint(now: () => number): TokenMint {
  const key = randomBytes(32);
  const macOf = (body: Buffer, holder: string): Buffer =>
    createHmac("sha256", key).update(body).update(holder).digest().subarray(0, MAC_BYTES);
  return {
    issue(holder, ttlSeconds) {
      const body = Buffer.alloc(NONCE_BYTES + 8);
      randomBytes(NONCE_BYTES).copy(body);
      body.writeBigUInt64BE(BigInt(Math.floor(now()) + ttlSeconds * 1_000), NONCE_BYTES);
      return `${Buffer.concat([body, macOf(body, holder)]).toString("base64url")}==`;
    },
    secondsLeft(token, holder) {
      if (!TOKEN.test(token)) return undefined;
      const bytes = Buffer.from(token, "base64url");
      const body = bytes.subarray(0, NONCE_BYTES + 8);
      const mac = bytes.subarray(NONCE_BYTES + 8);
      if (mac.length !== MAC_BYTES || !timingSafeEqual(mac, macOf(body, holder))) return undefined;
      const left = Number(body.readBigUInt64BE(NONCE_BYTES)) - now();
      return left > 0 ? Math.ceil(left / 1_000) : undefined;
    },
  };
}
