/** The form of evidence-words.ts in a bundle, where its sentences would be more than what they explain. */
import type { Finding } from "./evidence-words.js";

export const wordsFor = (finding: Finding): string => finding;
