/** The file through which a daemon hands its token to programs of the same user. */
import { closeSync, constants, fchmodSync, fstatSync, lstatSync, openSync, unlinkSync, writeSync } from "node:fs";
import { resolve } from "node:path";

/** A token file that this process made. */
export interface TokenFile {
  readonly path: string;
  /** Removes the file if it is still the one that was made. Never throws. */
  remove(): void;
}

/** Modes that a token file may have: its owner reads it, the group may, and nobody else. */
export const TOKEN_MODES = ["0600", "0640", "0400", "0440"] as const;

/**
 * Creates `path` with `mode` (default 0600; its group is that of the process) and writes `token`. A file, link or pipe
 * that is there already is left alone.
 * @throws the system's error: `EEXIST` where something is there, `ENOENT` where the directory is not
 */
export function createTokenFile(
  path: string,
  token: string,
  mode: (typeof TOKEN_MODES)[number] = TOKEN_MODES[0],
): TokenFile {
  const file = resolve(path);
  const { O_WRONLY, O_CREAT, O_EXCL } = constants;
  const fd = openSync(file, O_WRONLY | O_CREAT | O_EXCL | (constants.O_NOFOLLOW ?? 0), 0o600);
  const { dev, ino } = fstatSync(fd);
  const remove = (): void => {
    try {
      const found = lstatSync(file);
      if (found.dev === dev && found.ino === ino) unlinkSync(file);
    } catch {
      // Gone already, or in a directory that may no longer be written: nothing is left to be done at the end.
    }
  };
  try {
    writeSync(fd, token);
    // Not left to the umask, and by the descriptor: a path can be made to lead elsewhere meanwhile.
    fchmodSync(fd, Number.parseInt(mode, 8));
  } catch (error) {
    remove();
    throw error;
  } finally {
    closeSync(fd);
  }
  return { path: file, remove };
}
