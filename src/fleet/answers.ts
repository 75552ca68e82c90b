/** Reads what AWS answered member by member: what is not there, or of another kind than today, is undefined. */
import type { Answer } from "./aws-api.js";

/** An own member that is a text. */
export function textIn(answer: unknown, name: string): string | undefined {
  const value = memberOf(answer, name);
  return typeof value === "string" ? value : undefined;
}

/** An own member that is a number. */
export function numberIn(answer: unknown, name: string): number | undefined {
  const value = memberOf(answer, name);
  return typeof value === "number" ? value : undefined;
}

/** An own member that is an object. */
export function objectIn(answer: unknown, name: string): Answer | undefined {
  const value = memberOf(answer, name);
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Answer) : undefined;
}

/** An own member that is a list; an empty one where there is none. */
export function listIn(answer: unknown, name: string): readonly unknown[] {
  const value = memberOf(answer, name);
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

/** Tags as AWS lists them. */
export function tagsIn(answer: unknown): ReadonlyMap<string, string> {
  return new Map(
    listIn(answer, "Tags").flatMap((tag): [string, string][] => {
      const key = textIn(tag, "Key");
      return key === undefined ? [] : [[key, textIn(tag, "Value") ?? ""]];
    }),
  );
}

function memberOf(answer: unknown, name: string): unknown {
  if (typeof answer !== "object" || answer === null || !Object.hasOwn(answer, name)) return undefined;
  return (answer as Answer)[name];
}
