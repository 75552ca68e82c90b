/** What an entry of the table of formats is made of. */
import type { Fields, LogRecord, RecordSource } from "./log-record.js";

/** A record, or what makes it: no rule looks at most lines, and it is enough to know what they are. */
export type Made = LogRecord | (() => LogRecord);

/** What a reader makes of something: records, nothing that rules look at, a broken record of its format, or not its format. */
export type Reading = readonly Made[] | "other" | "malformed" | undefined;

/** One format. */
export interface LogFormat {
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** Which logs its records are of. A service that is left out can be any. */
  readonly sources: readonly RecordSource[];
  /** How a record is recognised, for people. */
  readonly recognised: string;
  /** Whether the format tells everything there is in its objects: nothing further in them is looked at. */
  readonly whole?: boolean;
  /** Whether it would read lines of formats that are tried before it, too. */
  readonly broad?: boolean;
  /** Matches the first character, of ASCII, of each line that `open` reads. */
  readonly begins?: RegExp | undefined;
  /**
   * Texts, as they stand, and expressions that each line has which `open` reads: most lines have none and are told apart by
   * it. An expression looks neither at the ends of a line nor behind or ahead.
   */
  readonly holds?: readonly (string | RegExp)[] | undefined;
  /**
   * Of each object that `json` reads without being told, the name of one field at least is of these: most objects have none
   * and are told apart by it.
   */
  readonly names?: ((name: string) => boolean) | undefined;
  /** Reads an object of JSON. `named` is whether the user said that it is of this format. */
  readonly json?: (fields: Fields, text: string, named?: boolean) => Reading;
  /**
   * A reader of lines for one source: it may keep what a header said. `named` is whether the user said that the lines are
   * of this format.
   */
  readonly open?: (now: () => number, columns?: readonly string[], named?: boolean) => (line: string) => Reading;
  /** Texts, in lower case, that mark the lines which the reader has to see although no rule looks for them. */
  readonly headers?: readonly string[];
}

/** A record of a source of logs. */
export function recordOf(source: RecordSource, fields: Fields, text: string, time: number | undefined): LogRecord {
  const known: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    // The one name whose assignment would not make a property.
    if (value !== undefined && name !== "__proto__") known[name] = value;
  }
  return { source, fields: known, text, time };
}

/**
 * What a firewall saw: the connection, and the request where it tells one. `asked` are the fields of the request besides
 * its ends.
 */
export function firewallRecords(
  fields: Fields,
  asked: Fields,
  text: string,
  time: number | undefined,
): readonly LogRecord[] {
  const connection = recordOf(FIREWALL, fields, text, time);
  if (asked["c-uri"] === undefined) return [connection];
  return [recordOf(PROXY, { ...fields, ...asked }, text, time), connection];
}

export const FIREWALL: RecordSource = { category: "firewall" };
export const WEBSERVER: RecordSource = { category: "webserver" };
export const PROXY: RecordSource = { category: "proxy" };
export const DNS: RecordSource = { category: "dns" };
export const NETWORK: RecordSource = { category: "network", service: "connection" };

/** Sysmon's categories by the operating system that an image's path tells. */
export function hostSource(
  category: "process_creation" | "network_connection",
  image: unknown,
  os?: unknown,
): RecordSource {
  const osName = typeof os === "string" ? os.toLowerCase() : "";
  const windows = typeof image === "string" ? /\\|\.exe$/i.test(image) : osName.includes("windows");
  return { category, product: windows ? "windows" : /mac|darwin/.test(osName) ? "macos" : "linux" };
}

export const HOST_SOURCES: readonly RecordSource[] = ["process_creation", "network_connection"].flatMap((category) =>
  ["linux", "windows", "macos"].map((product) => ({ category, product })),
);
