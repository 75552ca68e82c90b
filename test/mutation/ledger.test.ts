/** The ledger is read while others write it. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { entriesOf, note } from "./ledger.mjs";

const folder = mkdtempSync(join(tmpdir(), "imds-guard-ledger-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a line that is not complete yet is left for the next time", () => {
  const path = join(folder, "ledger.jsonl");
  writeFileSync(path, "");
  expect(entriesOf(path)).toEqual([]);
  note(path, { caught: "1", by: "a\nb" });
  note(path, { reached: ["1", "2"] });
  appendFileSync(path, '{"loaded":["1","2');
  expect(entriesOf(path)).toEqual([{ caught: "1", by: "a\nb" }, { reached: ["1", "2"] }]);
  appendFileSync(path, '"]}\n');
  expect(entriesOf(path).at(-1)).toEqual({ loaded: ["1", "2"] });
});
