/** The file through which a daemon hands its token to programs of the same user. */
import { closeSync, constants, fstatSync, lstatSync, openSync, unlinkSync, writeSync } from "node:fs";
import { resolve } from "node:path";

/** A token file that this process made. */
export interface TokenFile {
  readonly path: string;
  /** Removes the file if it is still the one that was made. Never throws. */
  remove(): void;
}

/**
 * Creates `path` with mode 0600 and writes `token`. A file, link or pipe that is there already is left alone.
 * @throws the system's error: `EEXIST` where something is there, `ENOENT` where the directory is not
 */
export function createTokenFile(path: string, token: string): TokenFile {
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
  } catch (error) {
    remove();
    throw error;
  } finally {
    closeSync(fd);
  }
  return { path: file, remove };
}
