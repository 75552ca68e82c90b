/** What each entry weighs: at start, with all it can come to load, and as types. Held in bytes, never in time. */
import { readFileSync, statSync } from "node:fs";
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
  "dist/index.js": { start: 41, all: 445, types: 73 },
  "dist/index.cjs": { start: 41, all: 445, types: 73 },
  "dist/register.js": { start: 76, all: 445, types: 1 },
  "dist/register.cjs": { start: 76, all: 445, types: 1 },
  "dist/firewall.js": { start: 254, all: 445, types: 73 },
  "dist/firewall.cjs": { start: 254, all: 445, types: 73 },
  "dist/credential-provider-imds.js": { start: 233, all: 450, types: 7 },
  "dist/credential-provider-imds.cjs": { start: 233, all: 450, types: 7 },
  "dist/extras.js": { start: 1, all: 1, types: 1 },
  "dist/extras.cjs": { start: 1, all: 1, types: 1 },
  "dist/esm/index.js": { start: 262, all: 262 },
  "dist/esm/register.js": { start: 262, all: 262 },
  "dist/esm/firewall.js": { start: 98, all: 98 },
  "dist/esm/credential-provider-imds.js": { start: 205, all: 205 },
  "dist/esm/extras.js": { start: 180, all: 180 },
  "dist/cli.cjs": { start: 45, all: 1600 },
};
/** Files that a start reads: each costs more than what is in it. */
const MOST_FILES: Readonly<Record<string, number>> = {
  "dist/index.js": 3,
  "dist/index.cjs": 2,
  "dist/register.js": 4,
  "dist/register.cjs": 3,
  "dist/cli.cjs": 4,
};
/** KiB of everything in `dist`, for Node.js, for bundlers, and all types. */
const MOST_IN_ALL = 2000;

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

test.each(["dist/index.cjs", "dist/register.cjs", "dist/cli.cjs"])(
  "%s starts without what is slow to compile",
  (entry) => {
    for (const path of reachable(entry, "eager")) {
      const code = readFileSync(join(ROOT, path), "utf8");
      // V8 builds the sets of such a literal when it reads the file, whether or not it is ever used.
      expect(code, path).not.toMatch(/\/[^/\n]*(?<!\\)\\p\{/);
      // A property with a getter for each name took a fifth of the time of a start.
      expect(code.match(/defineProperty\(exports/g)?.length ?? 0, path).toBeLessThanOrEqual(1);
    }
  },
);

test("the whole of dist stays within its weight", () => {
  const files = new Set(
    Object.entries(CEILINGS).flatMap(([entry, { types }]) =>
      [entry, ...(types === undefined ? [] : [typesOf(entry)])].flatMap((path) => reachable(path, "all")),
    ),
  );
  expect(files.size).toBeGreaterThan(35);
  expect(kibibytes(files)).toBeLessThanOrEqual(MOST_IN_ALL);
});
