/** Reads the cases of peer SDKs, where they are there. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const PLACE = "../../../shared/peer-cases/";

/** The cases of one suite, or none with a line that says so. */
export function readCases(suite: string, file: string): readonly unknown[] {
  const path = fileURLToPath(new URL(PLACE + file, import.meta.url));
  if (!existsSync(path)) {
    console.log(`conformance/${suite}: skipped, ../shared/peer-cases/${file} is not there`);
    return [];
  }
  return (JSON.parse(readFileSync(path, "utf8")) as { tests: unknown[] }).tests;
}
