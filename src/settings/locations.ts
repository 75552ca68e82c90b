/** Where the files of settings are, and whether they say anything about this package or about IMDS. */
import { join } from "node:path";
import { once } from "../base/lazy.js";
import { flagsToRead } from "../base/permission.js";
import type { System } from "../base/system.js";
import { DMI_FOLDER } from "../base/system.js";

/** Least time between two looks at files that may change while a process runs, in milliseconds. */
export const LOOK_INTERVAL_MS = 1_000;
/** The largest file of settings that is read, in bytes. */
export const MAX_CONFIG_FILE = 1024 * 1024;

/** The variable that names each file. */
export const FILE_VARIABLES = { config: "AWS_CONFIG_FILE", credentials: "AWS_SHARED_CREDENTIALS_FILE" } as const;

/** Which of the two files: in `config` a profile is `[profile name]`, in `credentials` it is `[name]`. */
export type FileKind = keyof typeof FILE_VARIABLES;

/** Both; what the second says wins, as in the SDK. */
export const FILE_KINDS = ["config", "credentials"] as const satisfies readonly FileKind[];

/** The settings of the whole machine, which can only tighten. */
export const MACHINE_FILE = "/etc/imds-guard/config";

/** Where the files are, as the SDK's providers take it in their `init`. */
export interface ConfigFileLocations {
  readonly filepath?: string | undefined;
  readonly configFilepath?: string | undefined;
}

/** A file, and whether somebody named it: by an option or a variable, as opposed to the default place. */
export interface Location {
  readonly path: string;
  readonly named: boolean;
}

/** Where a file is: as given, as its variable says, else in `~/.aws`. */
export function locate(kind: FileKind, system: Pick<System, "env">, explicitPath?: string): string {
  return locationOf(kind, system, explicitPath).path;
}

/** As {@link locate}, with whether the place is one that somebody named. */
export function locationOf(kind: FileKind, system: Pick<System, "env">, explicitPath?: string): Location {
  const path = explicitPath ?? system.env[FILE_VARIABLES[kind]];
  if (path === undefined || path === "") return { path: join(home(system), ".aws", kind), named: false };
  return { path: path.startsWith("~/") ? join(home(system), path.slice(2)) : path, named: true };
}

/** The home directory as the SDK's loader finds it, so that both read the same files. */
function home({ env }: Pick<System, "env">): string {
  if (env["HOME"]) return env["HOME"];
  if (env["USERPROFILE"]) return env["USERPROFILE"];
  // Loaded where nothing else tells: a preload must not delay the program.
  return env["HOMEPATH"]
    ? `${env["HOMEDRIVE"] ?? "C:"}${env["HOMEPATH"]}`
    : process.getBuiltinModule("node:os").homedir();
}

/**
 * How to start Node.js so that it may read the files of settings, and those by which a Linux host is told, all at once:
 * for errors under the permission model of Node.js.
 */
export function adviceToAllow(system: Pick<System, "env" | "platform">): string {
  const files = [MACHINE_FILE, ...FILE_KINDS.map((kind) => locate(kind, system))];
  const flags = flagsToRead([...files, ...(system.platform === "linux" ? [`${DMI_FOLDER}/*`] : [])]);
  return `Start Node.js with ${flags}, so that it may read its settings and tell where it runs.`;
}

/** What a file speaks of, in whatever profile, well-formed or not. */
export interface Mentions {
  /** Settings of this package. */
  readonly guard: boolean;
  /** Keys of AWS's that decide about IMDS. */
  readonly imds: boolean;
}

const GUARD = /imds[-_]?guard/i;
const IMDS = /ec2_metadata/i;
const VISIBLE = /^[\t\n\v\f\r -~]*$/;
// As text: a literal with classes of Unicode is compiled as soon as the file is read.
const invisible = once(
  () => new RegExp("(?![\\t\\n\\v\\f\\r])[\\p{Cc}\\p{Cf}\\p{Default_Ignorable_Code_Point}]", "gu"),
);

/**
 * What a file speaks of. A file in another encoding, or with NULs or invisible characters in it, is no file of which
 * nothing needs to be known: the words are looked for in its bytes as UTF-8, UTF-16 and Latin-1.
 */
export function mentions(bytes: Buffer): Mentions {
  const plain = bytes.toString("latin1");
  // Nothing to decode and nothing to strip, as in nearly every file.
  if (/^[\n\r\t -~]*$/.test(plain)) return { guard: GUARD.test(plain), imds: IMDS.test(plain) };
  const even = bytes.subarray(0, bytes.length & ~1);
  const texts = [
    plain,
    bytes.toString("utf8"),
    bytes.toString("utf16le"),
    Buffer.from(even).swap16().toString("utf16le"),
  ].map(withoutInvisible);
  return { guard: texts.some((text) => GUARD.test(text)), imds: texts.some((text) => IMDS.test(text)) };
}

/** Whether a file speaks of this package. */
export function mentionsGuard(bytes: Buffer): boolean {
  return mentions(bytes).guard;
}

/** Whether the name of a key is meant to be one of this package, however it is misspelled. */
export function namesGuard(key: string): boolean {
  return GUARD.test(withoutInvisible(key));
}

/** A text without the characters that nobody sees, but for white space. */
export function withoutInvisible(text: string): string {
  return VISIBLE.test(text) ? text : text.replace(invisible(), "");
}
