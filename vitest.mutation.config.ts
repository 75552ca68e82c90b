import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

process.env["MUTATION_KEYS"] ??= mkdtempSync(join(tmpdir(), "imds-guard-mutation-keys-"));

/** The suites that a mutant has to get past: the unit tests of the mutated rooms, with short property runs. */
export default defineConfig({
  test: {
    env: { IMDS_GUARD_PROBE: "off", PROPERTY_MS: "100", MUTATION_KEYS: process.env["MUTATION_KEYS"] },
    setupFiles: ["test/support/remembered-keys.ts"],
    // Thousands of mutated documents against each mutant would take days.
    exclude: ["test/attest/mutations.test.ts"],
    include: (process.env["MUTATION_TESTS"] ?? "test/attest").split(",").map((folder) => `${folder}/**/*.test.ts`),
  },
});
