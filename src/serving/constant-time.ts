/** Comparison of secrets whose duration tells nothing about where they differ. */
import { createHash, timingSafeEqual } from "node:crypto";

/** Whether two texts are equal, in a time that depends on their lengths only. */
export function equalInConstantTime(a: string, b: string): boolean {
  // Digests have one length, which the comparison requires.
  return timingSafeEqual(digest(a), digest(b));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text, "utf8").digest();
}
