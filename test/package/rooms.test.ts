/** The plan of the house: who may import whom, and what no file may do. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize, relative, resolve, sep } from "node:path";
import { describe, expect, test } from "vitest";

const SRC = resolve(import.meta.dirname, "../../src");

/**
 * Rooms from the ground up. A file imports from lower levels and from its own room. Files directly in `src` belong to
 * the ground floor unless they know a room that stands on it: those join the rooms.
 */
const LEVELS: Readonly<Record<string, number>> = {
  events: 0,
  settings: 0,
  host: 1,
  imds: 1,
  attest: 1,
  network: 1,
  detection: 1,
  firewall: 1,
  monitor: 2,
  provider: 3,
  preload: 4,
  serving: 4,
  cli: 5,
};
const JOINERS = 2;
const FACE = 6;

interface SourceFile {
  readonly path: string;
  readonly room: string;
  readonly text: string;
  readonly imports: readonly string[];
  /** Those that are loaded with the file, and not on demand. */
  readonly eager: readonly string[];
}

const files: readonly SourceFile[] = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => {
    const text = readFileSync(join(SRC, path), "utf8");
    const targets = (pattern: RegExp): string[] =>
      [...text.matchAll(pattern)].map(([, specifier = ""]) =>
        normalize(join(dirname(path), specifier))
          .replaceAll(sep, "/")
          .replace(/\.js$/, ".ts"),
      );
    const eager = targets(/(?:\bfrom\s+|^import\s+)"(\.{1,2}\/[^"]+)"/gm);
    const imports = [...eager, ...targets(/\b(?:import|require)\s*\(\s*"(\.{1,2}\/[^"]+\.js)"/gm)];
    return {
      path: path.replaceAll(sep, "/"),
      room: dirname(path) === "." ? "" : (path.split(sep)[0] ?? ""),
      text,
      imports,
      eager,
    };
  });
const byPath = new Map(files.map((file) => [file.path, file]));

function levelOf({ path, room, imports }: SourceFile): number {
  if (path === "index.ts") return FACE;
  if (room !== "") return LEVELS[room] ?? Number.NaN;
  const known = imports.map((target) => byPath.get(target)?.room ?? "");
  return known.some((other) => other !== "" && LEVELS[other] !== 0) ? JOINERS : 0;
}

describe("the rooms of src", () => {
  test("are known, and none has a single file", () => {
    const rooms = [...new Set(files.map(({ room }) => room))].filter((room) => room !== "");
    expect(rooms.filter((room) => !(room in LEVELS))).toEqual([]);
    expect(rooms.filter((room) => files.filter((file) => file.room === room).length === 1)).toEqual([]);
  });

  test("import downward only, and nothing that is not there", () => {
    const wrong = files.flatMap((file) =>
      file.imports.flatMap((target) => {
        const other = byPath.get(target);
        if (other === undefined) return [`${file.path} -> ${target}: no such file`];
        const [from, to] = [levelOf(file), levelOf(other)];
        const allowed = to < from || (to === from && (file.room === other.room || from === 0));
        return allowed ? [] : [`${file.path} -> ${other.path}`];
      }),
    );
    expect(wrong).toEqual([]);
  });

  test("have no cycles", () => {
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
      if (trail.includes(path) || done.has(path)) return;
      for (const target of byPath.get(path)?.eager ?? []) visit(target, [...trail, path]);
      done.add(path);
    };
    for (const { path } of files) visit(path, []);
    expect(cycles).toEqual([]);
  });
});

describe("every file of src", () => {
  const offending = (offends: (file: SourceFile) => boolean): string[] => files.filter(offends).map(({ path }) => path);

  test("says in its first comment what it is for", () => {
    expect(offending(({ text }) => !/^(#![^\n]*\n)?(\/\/ Generated [^\n]*\n)?\/\*\*\s/.test(text))).toEqual([]);
  });

  test("exports by name only, and never everything", () => {
    expect(offending(({ text }) => /^export (\*|default\b)/m.test(text))).toEqual([]);
  });

  test("has a name of its own", () => {
    expect(
      offending(
        ({ path }) =>
          /^(utils?|helpers?|common|misc|index)\.ts$/.test(basename(path)) &&
          !["index.ts", "firewall/index.ts"].includes(path),
      ),
    ).toEqual([]);
  });

  test("is plain ASCII", () => {
    // eslint-disable-next-line no-control-regex
    expect(offending(({ text }) => /[^\x00-\x7f]/.test(text))).toEqual([]);
  });

  test("is found by the walk", () => {
    expect(files.length).toBeGreaterThan(50);
    expect(relative(process.cwd(), SRC)).toBe("src");
  });
});
