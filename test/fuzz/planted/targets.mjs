// @ts-check
/** Targets with bugs that are known. */

/** @type {readonly import("../targets.mjs").Target[]} */
export const TARGETS = [
  {
    name: "planted",
    sentence: "throws behind four bytes",
    sources: ["magic"],
    maxBytes: 64,
    seeds: () => [Buffer.from("seed")],
    open: async (load) => (await load("magic")).parsePlanted,
  },
  {
    name: "endless",
    sentence: "never ends behind four bytes",
    sources: ["magic"],
    maxBytes: 64,
    seeds: () => [Buffer.from("seed")],
    open: async (load) => (await load("magic")).parseEndless,
  },
  {
    name: "bursting",
    sentence: "throws in a callback that nobody waits for",
    sources: ["magic"],
    maxBytes: 64,
    seeds: () => [Buffer.from("seed")],
    open: async () => (input) =>
      new Promise((resolve) =>
        setImmediate(() => {
          if (input.length > 20) throw new Error("too long");
          resolve("short");
        }),
      ),
  },
];
