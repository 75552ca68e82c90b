/** The page about the architecture says what the imports say. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const PAGE = resolve(ROOT, "docs/architecture.md");

test("docs/architecture.md equals a fresh generation", () => {
  const { status, stderr } = spawnSync(process.execPath, ["scripts/generate-architecture.mjs", "--check"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});

test("its links lead somewhere", () => {
  const links = [...readFileSync(PAGE, "utf8").matchAll(/\]\(([^)#]+)\)/g)].map(([, link = ""]) => link);
  expect(links.length).toBeGreaterThan(1);
  expect(links.filter((link) => !existsSync(resolve(PAGE, "..", link)))).toEqual([]);
});

test("its picture knows every room in its table", () => {
  const text = readFileSync(PAGE, "utf8");
  const drawn = [...text.matchAll(/^ {4}\w+\["([^"]+)"\]$/gm)].map(([, name]) => name);
  const told = [...text.matchAll(/^\| ([a-z. -]+) \| /gm)].map(([, name]) => name).filter((name) => name !== "room");
  expect(drawn.toSorted()).toEqual(told.toSorted());
});
