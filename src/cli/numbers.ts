/** Numbers given as options. */
import type { OptionValues } from "./command.js";
import { UsageError } from "./command.js";

/**
 * A whole number from `min` to `max`, or undefined where the option was not given.
 * @throws UsageError for anything else
 */
export function wholeNumber(value: OptionValues[string], name: string, min: number, max: number): number | undefined {
  if (value === undefined) return undefined;
  const number = typeof value === "string" && /^\d{1,12}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw new UsageError(`--${name} is ${String(value)}`, `a whole number from ${min} to ${max} is allowed`);
}

/**
 * Seconds from `min` to `max`, with a fraction if wanted, or undefined where the option was not given.
 * @throws UsageError for anything else
 */
export function seconds(value: OptionValues[string], name: string, min: number, max: number): number | undefined {
  if (value === undefined) return undefined;
  const number = typeof value === "string" && /^\d{1,9}(?:\.\d{1,3})?$/.test(value) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw new UsageError(`--${name} is ${String(value)}`, `a number of seconds from ${min} to ${max} is allowed`);
}

/** A TCP port, or undefined where the option was not given. */
export function portOf(value: OptionValues[string], name: string): number | undefined {
  return wholeNumber(value, name, 1, 65_535);
}
