/** One record of a log as the rules see it: which log it is of, its fields by their Sigma names, and its text. */

/** Which log a record is of, in the words of the Sigma taxonomy. */
export interface RecordSource {
  readonly category?: string;
  readonly product?: string;
  readonly service?: string;
}

/** Fields by name. */
export type Fields = Readonly<Record<string, unknown>>;

/** One record. */
export interface LogRecord {
  readonly source: RecordSource;
  /**
   * Fields by name. A dot in a name may stand for nesting. Values are those of the log: a reader renames and splits but
   * never composes a value.
   */
  readonly fields: Fields;
  /** The whole record as it was logged, without what it was wrapped in. */
  readonly text: string;
  /** Milliseconds since the epoch, where the record tells. */
  readonly time?: number | undefined;
  /** What the wrappers said: `host`, `app`, `pod`, `container`, `stream`. */
  readonly envelope?: Readonly<Record<string, string>> | undefined;
}

/** The value of a field: the field of exactly that name, or else what the dots in the name lead to. */
export function fieldOf(fields: Fields, name: string): unknown {
  if (Object.hasOwn(fields, name)) return fields[name];
  if (!name.includes(".")) return undefined;
  let value: unknown = fields;
  for (const part of partsOf(name)) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/** Dotted names that are remembered: rules of somebody's own may ask for any. */
const MOST_NAMES = 4_096;
const PARTS = new Map<string, readonly string[]>();

function partsOf(name: string): readonly string[] {
  let parts = PARTS.get(name);
  if (parts === undefined) {
    parts = name.split(".");
    if (PARTS.size < MOST_NAMES) PARTS.set(name, parts);
  }
  return parts;
}

/** Whether a field says something: it is neither absent nor empty nor `-`. */
export function saysSomething(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "" && value !== "-";
}

/** The first of the named fields that says something. */
export function firstOf(fields: Fields, names: readonly string[]): unknown {
  for (const name of names) {
    const value = fieldOf(fields, name);
    if (saysSomething(value)) return value;
  }
  return undefined;
}

/** As an object, or an empty one. */
export function object(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** As a list, or an empty one. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Whether a value is a text. */
export function isText(value: unknown): value is string {
  return typeof value === "string";
}

/**
 * Text for comparison without regard to case. Only ASCII letters are folded: letters such as the Kelvin sign fold to
 * ASCII ones otherwise, and a search of the raw bytes could not find them.
 */
export function foldCase(text: string): string {
  // eslint-disable-next-line no-control-regex -- the range is what ASCII is
  return /[^\0-\x7f]/.test(text) ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text.toLowerCase();
}
