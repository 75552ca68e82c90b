/** Where the shared config and credentials files are, and whether they say anything about this package. */
import { join } from "node:path";
import type { System } from "../base/system.js";

/** The largest shared config file that is read, in bytes. */
export const MAX_CONFIG_FILE = 1024 * 1024;

/** The variable that names each file. */
export const FILE_VARIABLES = { config: "AWS_CONFIG_FILE", credentials: "AWS_SHARED_CREDENTIALS_FILE" } as const;

/** Which of the two files: in `config` a profile is `[profile name]`, in `credentials` it is `[name]`. */
export type FileKind = keyof typeof FILE_VARIABLES;

/** Both; what the second says wins, as in the SDK. */
export const FILE_KINDS = ["config", "credentials"] as const satisfies readonly FileKind[];

/** Where a file is: as given, as its variable says, else in `~/.aws`. */
export function locate(kind: FileKind, system: System, given?: string): string {
  const path = given ?? system.env[FILE_VARIABLES[kind]];
  if (path === undefined || path === "") return join(home(system), ".aws", kind);
  return path.startsWith("~/") ? join(home(system), path.slice(2)) : path;
}

/** The home directory as the SDK's loader finds it, so that both read the same files. */
function home(system: System): string {
  const { HOME, USERPROFILE, HOMEPATH, HOMEDRIVE = "C:" } = system.env;
  if (HOME) return HOME;
  if (USERPROFILE) return USERPROFILE;
  // Loaded where nothing else tells: a preload must not delay the program.
  return HOMEPATH ? `${HOMEDRIVE}${HOMEPATH}` : process.getBuiltinModule("node:os").homedir();
}

/** Whether a file speaks of this package, in whatever profile, well-formed or not. */
export function mentionsGuard(bytes: Buffer): boolean {
  return /imds_guard_/i.test(bytes.toString("latin1"));
}
