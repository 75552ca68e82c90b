/** What this process writes to its stderr by a call of its own, as the package does. */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

/** Runs `act`, and gives the texts that were written meanwhile instead of writing them. */
export async function stderrOf(act: () => unknown): Promise<readonly string[]> {
  const lines: string[] = [];
  const { writeSync } = fs;
  const capture = (fd: number, text: string): number => {
    if (fd !== 2) return writeSync(fd, text);
    lines.push(text);
    return text.length;
  };
  fs.writeSync = capture as typeof writeSync;
  syncBuiltinESMExports();
  try {
    await act();
  } finally {
    fs.writeSync = writeSync;
    syncBuiltinESMExports();
  }
  return lines;
}
