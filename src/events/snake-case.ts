/** Field names in the form that log schemas use. */

/** The fields that have a value, with names in snake case behind `prefix`. */
export function snakeCased(fields: object, prefix = ""): Record<string, string> {
  const entries = Object.entries(fields as Record<string, string | undefined>).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return Object.fromEntries(
    entries.map(([key, value]) => [prefix + key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]),
  );
}
