// @ts-check
/** The unit tests over instrumented sources, each test once for every mutant that it reaches. Started by run.mjs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const folder = String(process.env["MUTATION_FOLDER"]);
const sources = new Map(Object.entries(JSON.parse(readFileSync(join(folder, "sources.json"), "utf8"))));

export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  plugins: [{ name: "mutants", enforce: "pre", load: (id) => sources.get(id) }],
  test: {
    env: { IMDS_GUARD_PROBE: "off", PROPERTY_MS: "300", MUTATION_KEYS: join(folder, "keys") },
    setupFiles: ["test/support/remembered-keys.ts"],
    include: ["test/**/*.test.ts"],
    runner: fileURLToPath(new URL("runner.mjs", import.meta.url)),
    pool: "forks",
    maxWorkers: 1,
    testTimeout: 30_000,
    dangerouslyIgnoreUnhandledErrors: true,
    onConsoleLog: () => false,
    reporters: [["default", { summary: false }]],
  },
});
