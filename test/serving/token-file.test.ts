/** The token file: private, never over or through something that is there, gone at the end. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTokenFile, TOKEN_MODES } from "../../src/serving/token-file.js";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "imds-guard-token-"));
  path = join(folder, "token");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("holds the token, for its owner alone, until it is removed", () => {
  const umask = process.umask(0);
  try {
    const file = createTokenFile(path, "secret");
    expect(readFileSync(path, "utf8")).toBe("secret");
    if (process.platform !== "win32") expect(statSync(path).mode & 0o777).toBe(0o600);
    file.remove();
    expect(existsSync(path)).toBe(false);
    expect(() => file.remove()).not.toThrow();
  } finally {
    process.umask(umask);
  }
});

test.each<[string, () => void]>([
  ["a file", () => writeFileSync(path, "other")],
  ["a dangling link", () => symlinkSync(join(folder, "elsewhere"), path)],
  [
    "a link to a file",
    () => (writeFileSync(join(folder, "elsewhere"), ""), symlinkSync(join(folder, "elsewhere"), path)),
  ],
])("leaves %s alone", (_what, arrange) => {
  arrange();
  expect(() => createTokenFile(path, "secret")).toThrow(expect.objectContaining({ code: "EEXIST" }));
  if (existsSync(join(folder, "elsewhere"))) expect(readFileSync(join(folder, "elsewhere"), "utf8")).toBe("");
});

test("removes nothing that took its place", () => {
  const file = createTokenFile(path, "secret");
  rmSync(path);
  writeFileSync(join(folder, "keeper"), "");
  writeFileSync(path, "another daemon's");
  file.remove();
  expect(readFileSync(path, "utf8")).toBe("another daemon's");
});

test.skipIf(process.platform === "win32").each(TOKEN_MODES)(
  "has mode %s whatever the umask, and never more",
  (mode) => {
    const umask = process.umask(0o077);
    try {
      createTokenFile(path, "secret", mode);
      expect((statSync(path).mode & 0o777).toString(8).padStart(4, "0")).toBe(mode);
      expect(statSync(path).mode & 0o007).toBe(0);
    } finally {
      process.umask(umask);
    }
  },
);
