/** Lists that may be longer than memory: written to files of a folder of their own, and read again line by line. */
import { closeSync, createReadStream, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** One list. */
export interface Spool<T> {
  readonly push: (item: T) => void;
  /** Every item from the first on. What is pushed meanwhile may or may not come. */
  readonly items: () => AsyncIterable<T>;
}

/** A folder for lists. */
export interface SpoolFolder {
  readonly open: <T>(name: string) => Spool<T>;
  /** Removes the folder with all lists. */
  readonly remove: () => void;
}

const FLUSH_CHARS = 256 * 1024;

/** Makes a folder that only this user can read. It is removed at the end of the process at the latest. */
export function createSpoolFolder(): SpoolFolder {
  const folder = mkdtempSync(join(tmpdir(), "imds-guard-fleet-"));
  const descriptors: number[] = [];
  const remove = (): void => {
    process.removeListener("exit", remove);
    for (const descriptor of descriptors.splice(0)) closeSync(descriptor);
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", remove);
  return {
    open: <T>(name: string): Spool<T> => {
      const path = join(folder, `${name}.jsonl`);
      const descriptor = openSync(path, "wx", 0o600);
      descriptors.push(descriptor);
      let waiting = "";
      const flush = (): void => {
        // A write may be a part of what was given.
        for (let bytes = Buffer.from(waiting); bytes.length > 0;)
          bytes = bytes.subarray(writeSync(descriptor, bytes, 0, bytes.length));
        waiting = "";
      };
      return {
        push(item) {
          waiting += `${JSON.stringify(item)}\n`;
          if (waiting.length >= FLUSH_CHARS) flush();
        },
        async *items() {
          flush();
          for await (const line of createInterface({ input: createReadStream(path, "utf8"), crlfDelay: Infinity }))
            yield JSON.parse(line) as T;
        },
      };
    },
    remove,
  };
}
