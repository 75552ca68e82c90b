/** What each entry weighs: at start, with all it can come to load, and as types. Held in bytes, never in time. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { requireBuild, ROOT } from "./built.js";
import { reachable } from "./reachable.js";

beforeAll(requireBuild);

/**
 * KiB, some 7 % over what was reached when the row was last written. A row that is exceeded is a question, and not a
 * wall: what came in at the start of every program, and could it be loaded when it is needed? Then the row is raised,
 * in the commit that needs it.
 */
const CEILINGS: Readonly<Record<string, { readonly start: number; readonly all: number; readonly types?: number }>> = {
  "dist/index.js": { start: 180, all: 700, types: 64 },
  "dist/index.cjs": { start: 186, all: 720, types: 64 },
  "dist/register.js": { start: 60, all: 820 },
  "dist/register.cjs": { start: 60, all: 820 },
  "dist/firewall.js": { start: 154, all: 160, types: 21 },
  "dist/firewall.cjs": { start: 172, all: 178, types: 21 },
  "dist/credential-provider-imds.js": { start: 180, all: 450, types: 6 },
  "dist/credential-provider-imds.cjs": { start: 194, all: 480, types: 6 },
  "dist/cli.js": { start: 33, all: 1060 },
};
/** Files that a start reads: each costs more than what is in it. */
const MOST_FILES: Readonly<Record<string, number>> = {
  "dist/index.js": 1,
  "dist/index.cjs": 1,
  "dist/register.js": 2,
  "dist/register.cjs": 1,
  "dist/cli.js": 13,
};
/** KiB of everything in `dist`, both module systems and all types. */
const MOST_IN_ALL = 3_400;

function kibibytes(paths: Iterable<string>): number {
  return Math.ceil([...paths].reduce((sum, path) => sum + statSync(join(ROOT, path)).size, 0) / 1024);
}

const typesOf = (entry: string): string => entry.replace(/\.(c?)js$/, ".d.$1ts");

test.each(Object.entries(CEILINGS))("%s stays within its weight", (entry, { start, all, types }) => {
  const eager = reachable(entry, "eager");
  expect(kibibytes(eager), "KiB at start").toBeLessThanOrEqual(start);
  expect(eager.length, "files at start").toBeLessThanOrEqual(MOST_FILES[entry] ?? Infinity);
  expect(kibibytes(reachable(entry, "all")), "KiB with all that it can load").toBeLessThanOrEqual(all);
  if (types !== undefined)
    expect(kibibytes(reachable(typesOf(entry), "all")), "KiB of types").toBeLessThanOrEqual(types);
});

test("the whole of dist stays within its weight", () => {
  const files = new Set(
    Object.entries(CEILINGS).flatMap(([entry, { types }]) =>
      [entry, ...(types === undefined ? [] : [typesOf(entry)])].flatMap((path) => reachable(path, "all")),
    ),
  );
  expect(files.size).toBeGreaterThan(50);
  expect(kibibytes(files)).toBeLessThanOrEqual(MOST_IN_ALL);
});
