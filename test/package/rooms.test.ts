/** The plan of the house: who may import whom, and what no file may do. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize, relative, resolve, sep } from "node:path";
import { describe, expect, test } from "vitest";

const SRC = resolve(import.meta.dirname, "../../src");

/** Rooms from the ground up. A file imports from lower floors and from its own room; `import type` and `import()` count. */
const FLOORS: readonly (readonly string[])[] = [
  ["base"],
  ["aws", "events"],
  ["settings", "host", "imds", "attest", "network", "roles-anywhere"],
  ["guard", "firewall", "monitor", "detection"],
  ["sdk"],
  ["preload", "serving", "gateway", "fleet"],
  ["cli"],
];
const FLOOR_OF = new Map(FLOORS.flatMap((rooms, floor) => rooms.map((room) => [room, floor] as const)));
const FACE = "index.ts";
const MOST_ROOMS = 20;
const MOST_FLOORS = 7;

interface SourceFile {
  readonly path: string;
  readonly room: string;
  readonly text: string;
  readonly imports: readonly string[];
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
    const imports = [
      ...targets(/(?:\bfrom\s+|^import\s+)"(\.{1,2}\/[^"]+)"/gm),
      ...targets(/\b(?:import|require)\s*\(\s*"(\.{1,2}\/[^"]+\.js)"/gm),
    ];
    return {
      path: path.replaceAll(sep, "/"),
      room: dirname(path) === "." ? "" : (path.split(sep)[0] ?? ""),
      text,
      imports,
    };
  });
const byPath = new Map(files.map((file) => [file.path, file]));

const floorOf = ({ path, room }: SourceFile): number =>
  path === FACE ? FLOORS.length : (FLOOR_OF.get(room) ?? Number.NaN);

describe("the rooms of src", () => {
  const rooms = [...new Set(files.map(({ room }) => room))].filter((room) => room !== "");

  test("are folders beside index.ts, known, and none has a single file", () => {
    expect(files.filter(({ room }) => room === "").map(({ path }) => path)).toEqual([FACE]);
    expect(rooms.filter((room) => !FLOOR_OF.has(room))).toEqual([]);
    expect(rooms.filter((room) => files.filter((file) => file.room === room).length === 1)).toEqual([]);
    expect(rooms.length).toBeLessThanOrEqual(MOST_ROOMS);
    expect(FLOORS.length).toBeLessThanOrEqual(MOST_FLOORS);
  });

  test("import downward only, and nothing that is not there", () => {
    const wrong = files.flatMap((file) =>
      file.imports.flatMap((target) => {
        const other = byPath.get(target);
        if (other === undefined) return [`${file.path} -> ${target}: no such file`];
        const allowed = file.room === other.room || floorOf(other) < floorOf(file);
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
      for (const target of byPath.get(path)?.imports ?? []) visit(target, [...trail, path]);
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
