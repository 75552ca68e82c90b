/**
 * The mutants that are put into a source are what the source does when none is switched, and something else when one
 * is.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, expect, test } from "vitest";
import { instrument } from "./instrument.mjs";

const folder = mkdtempSync(join(tmpdir(), "imds-guard-instrument-"));
const switches = ((globalThis as { __stryker__?: { activeMutant?: string | undefined } }).__stryker__ ??= {});
afterEach(() => {
  switches.activeMutant = undefined;
});
afterAll(() => rmSync(folder, { recursive: true }));

/** No types, so that it can be run as it is made. */
const SOURCE = `export function between(a) {
  return a > 1 && a < 5;
}
`;

test("every mutant of a source is behind its own switch", async () => {
  const path = join(folder, "between.ts");
  writeFileSync(path, SOURCE);
  const { sources, mutants } = await instrument([path]);
  expect(Object.keys(sources)).toEqual([path]);
  expect(new Set(mutants.map(({ id }) => id)).size).toBe(mutants.length);
  expect(mutants.map(({ replacement }) => replacement)).toEqual(
    expect.arrayContaining(["{}", "true", "false", "a >= 1", "a <= 1", "a <= 5", "a >= 5", "a > 1 || a < 5"]),
  );

  writeFileSync(join(folder, "between.mjs"), sources[path] ?? "");
  const { between } = (await import(pathToFileURL(join(folder, "between.mjs")).href)) as {
    between: (a: number) => boolean;
  };
  const answers = (): unknown[] => [0, 1, 2, 4, 5, 6].map((a) => between(a));
  expect(answers()).toEqual([false, false, true, true, false, false]);
  for (const { id, replacement } of mutants) {
    switches.activeMutant = id;
    expect(answers(), replacement).not.toEqual([false, false, true, true, false, false]);
  }
});

test("a mutant says where it stands, in lines and columns from 0", async () => {
  const path = join(folder, "place.ts");
  writeFileSync(path, "// Types stay.\nexport const older = (a: number): boolean => a > 1;\n");
  const { sources, mutants } = await instrument([path]);
  expect(mutants).toContainEqual({
    id: expect.any(String),
    fileName: path,
    mutatorName: "EqualityOperator",
    replacement: "a >= 1",
    was: "a > 1",
    location: { start: { line: 1, column: 45 }, end: { line: 1, column: 50 } },
  });
  expect(sources[path]).toContain("(a: number): boolean");
});

test("a source that is not there is an error", async () => {
  await expect(instrument([join(folder, "nowhere.ts")])).rejects.toMatchObject({ code: "ENOENT" });
});

test("a mutant says what stood there, over several lines, too", async () => {
  const path = join(folder, "was.ts");
  writeFileSync(path, "export function f() {\n  g();\n}\n");
  const { mutants } = await instrument([path]);
  expect(mutants.find(({ mutatorName }) => mutatorName === "BlockStatement")?.was).toBe("{\n  g();\n}");
});
