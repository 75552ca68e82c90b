/** The flags that a process needs under Node's permission model. */
import { afterEach, expect, test } from "vitest";
import { flagsToRead } from "../../src/base/permission.js";

const holder = process as { permission?: unknown };
const present = Object.getOwnPropertyDescriptor(process, "permission");
afterEach(() => {
  Reflect.deleteProperty(process, "permission");
  if (present !== undefined) Object.defineProperty(process, "permission", present);
});

test("each path that cannot be read gets one, quoted for a shell; a folder is asked for by a file in it", () => {
  const asked: unknown[] = [];
  holder.permission = {
    has: (scope: string, path: string) => {
      asked.push([scope, path]);
      return path === "/sys/any";
    },
  };
  expect(flagsToRead(["/sys/*", "/proc/*", "/etc/a b"])).toBe("--allow-fs-read='/proc/*' --allow-fs-read='/etc/a b'");
  expect(asked).toEqual([
    ["fs.read", "/sys/any"],
    ["fs.read", "/proc/any"],
    ["fs.read", "/etc/a b"],
  ]);
  expect(flagsToRead([])).toBe("");
  flagsToRead(["/a*b", "/*/*"]);
  expect(asked.slice(-2)).toEqual([
    ["fs.read", "/a*b"],
    ["fs.read", "/*/any"],
  ]);
});

test("all of them where there is nobody to ask", () => {
  holder.permission = undefined;
  expect(flagsToRead(["/sys/*"])).toBe("--allow-fs-read='/sys/*'");
});
