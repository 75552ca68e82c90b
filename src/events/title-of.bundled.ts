/** The form of title-of.ts in a bundle, where the titles would be five thousand bytes and each event has a message. */
import type { EventCode } from "./weights.js";

export const titleOf = (code: EventCode): string => code;
