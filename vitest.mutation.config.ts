import { defineConfig } from "vitest/config";

/** The suites that a mutant has to get past: the unit tests of the mutated rooms, with short property runs. */
export default defineConfig({
  test: {
    env: { IMDS_GUARD_PROBE: "off", MUTATIONS: "300" },
    include: (process.env["MUTATION_TESTS"] ?? "test/attest").split(",").map((folder) => `${folder}/**/*.test.ts`),
  },
});
