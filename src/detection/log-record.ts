/** One record of a log as the rules see it: which log it is of, its fields by their Sigma names, and its text. */

/** Which log a record is of, in the words of the Sigma taxonomy. */
export interface RecordSource {
  readonly category?: string;
  readonly product?: string;
  readonly service?: string;
}

/** One record. */
export interface LogRecord {
  readonly source: RecordSource;
  /**
   * Fields by name. A dot in a name may stand for nesting. Values are those of the log: a reader renames and splits but
   * never composes a value, so that each string stands somewhere in `text` but for escapes and case.
   */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The whole record as it was logged. */
  readonly text: string;
  /** Milliseconds since the epoch, where the record tells. */
  readonly time?: number | undefined;
}

/** The value of a field: the field of exactly that name, or else what the dots in the name lead to. */
export function fieldOf(fields: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(fields, name)) return fields[name];
  if (!name.includes(".")) return undefined;
  let value: unknown = fields;
  for (const part of name.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/**
 * Text for comparison without regard to case. Only ASCII letters are folded: letters such as the Kelvin sign fold to
 * ASCII ones otherwise, and a search of the raw bytes could not find them.
 */
export function foldCase(text: string): string {
  // eslint-disable-next-line no-control-regex -- the range is what ASCII is
  return /[^\0-\x7f]/.test(text) ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text.toLowerCase();
}
