/** Events as JSON lines in a file that is rotated by size. */
import { lstatSync, renameSync } from "node:fs";
import { resolve } from "node:path";
import type { GuardEvent } from "../events/catalogue.js";
import { fileSink } from "../events/file-sink.js";
import type { Output } from "./output.js";

/** Where and how. */
export interface FileOutputOptions {
  readonly path: string;
  readonly encode: (event: GuardEvent) => object;
  /** Bytes at which the file becomes `<path>.1`. */
  readonly maxBytes: number;
  /** How many earlier files stay: `<path>.1` is the newest. */
  readonly keep: number;
  /** Told the system's code when writing or renaming begins to fail. */
  readonly onFailure?: ((code: string) => void) | undefined;
}

/**
 * Appends, and flushes findings to the device. A disk that is full, a directory that is not there yet and a file that
 * somebody else rotates cost nothing but time, up to the bound of the sink.
 */
export function fileOutput(options: FileOutputOptions): Output {
  const { maxBytes, keep, onFailure } = options;
  const path = resolve(options.path);
  let written = 0;
  let dropped = 0;
  const sink = fileSink(path, { encode: options.encode, onFailure, every: true, onDropped: () => (dropped += 1) });
  const retry = (): void => sink.flush();

  function rotate(): void {
    try {
      const { size, isFile } = sizeOf(path);
      if (!isFile || size < maxBytes) return;
      for (let n = keep; n > 1; n -= 1) renameIfThere(`${path}.${n - 1}`, `${path}.${n}`);
      if (keep > 0) renameSync(path, `${path}.1`);
    } catch (error) {
      // The file then grows past its bound, which is better than to lose what goes into it.
      onFailure?.((error as NodeJS.ErrnoException).code ?? "EUNKNOWN");
    }
  }

  return {
    name: "file",
    write(event) {
      rotate();
      written += 1;
      sink.write(event);
    },
    retry,
    status: () => ({ delivered: written - dropped - sink.waiting, waiting: sink.waiting, dropped }),
    close: () => sink.close(),
  };
}

function sizeOf(path: string): { size: number; isFile: boolean } {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return { size: found?.size ?? 0, isFile: found?.isFile() === true };
}

function renameIfThere(from: string, to: string): void {
  if (sizeOf(from).isFile) renameSync(from, to);
}
