/**
 * fast-check with one seed for the whole suite: a red run is about the change, not about the draw, and repeats as it
 * was. `PROPERTY_SEED=random` (the nightly script) draws a new one, which a failure prints; a number repeats that run.
 * `PROPERTY_MS` ends each property after that time, and with its first failure (mutation runs, which need to know that
 * it fails and not why), and makes texts for searches shorter.
 */
import fc from "fast-check";

const wanted = process.env["PROPERTY_SEED"] ?? "20250821";
if (wanted !== "random" && !/^-?\d{1,10}$/.test(wanted))
  throw new TypeError(`PROPERTY_SEED is ${JSON.stringify(wanted)}: a whole number or "random"`);

const limit = process.env["PROPERTY_MS"];

fc.configureGlobal({
  ...fc.readConfigureGlobal(),
  ...(limit !== undefined && { interruptAfterTimeLimit: Number(limit), endOnFailure: true }),
  ...(wanted !== "random" && { seed: Number(wanted) }),
});

/**
 * How many times a piece is repeated for a text over which a quadratic search would not end in the time of a test. In a
 * mutation run, where some searches are quadratic, it ends late instead.
 */
export const MANY = limit === undefined ? 200_000 : 20_000;

export { fc };
