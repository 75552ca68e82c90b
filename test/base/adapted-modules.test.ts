/** Modules that a preload adapted, and what is under the adaptations. */
import { expect, test } from "vitest";
import { noteAdapted, unadapted } from "../../src/base/adapted-modules.js";

test("a module is given as it was before it was adapted, and others as they are", () => {
  const [exports, copy] = [{ name: "original" }, { name: "copy" }];
  noteAdapted(copy, exports);
  expect(unadapted({ ...copy, default: copy })).toBe(exports);
  expect(unadapted(copy)).toBe(exports);
  for (const module of [
    { name: "other", default: exports },
    { default: undefined },
    { default: null },
    { default: "copy" },
  ])
    expect(unadapted(module)).toBe(module);
});
