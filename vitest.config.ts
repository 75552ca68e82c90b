import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Whole hosts on a shared machine: one more try in CI, where nobody is there to look at the load. */
const AGAIN = process.env["CI"] ? 1 : 0;

/** The suites, quickest first; `npm test` runs the first two, `.ci/run` all of them. */
export default defineConfig({
  test: {
    // .ci/run keeps the figures of every run.
    ...(process.env["VITEST_REPORT"] && {
      reporters: ["default", ["json", { outputFile: process.env["VITEST_REPORT"] }]],
    }),
    // Most tests wait for sockets, so that none of the cores has to be kept for the runner itself.
    maxWorkers: availableParallelism(),
    // Nothing in a test may probe the real link-local address in the background.
    env: { IMDS_GUARD_PROBE: "off" },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          testTimeout: 30_000,
          include: ["test/**/*.test.ts"],
          exclude: ["test/{binary,cli,conformance,e2e,interop,package,promises}/**"],
        },
      },
      // Each numbered promise of SECURITY.md, by whoever tries to break it.
      {
        extends: true,
        test: { name: "promises", retry: AGAIN, include: ["test/promises/**/*.test.ts"], testTimeout: 120_000 },
      },
      { extends: true, test: { name: "package", include: ["test/package/**/*.test.ts"], testTimeout: 120_000 } },
      {
        extends: true,
        test: { name: "conformance", include: ["test/conformance/**/*.test.ts"], testTimeout: 120_000 },
      },
      // Real peers: installed from their registries into a temporary folder, skipped where that cannot be.
      {
        extends: true,
        test: {
          name: "interop",
          include: ["test/interop/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: "cli",
          retry: AGAIN,
          include: ["test/cli/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          maxConcurrency: 2,
        },
      },
      // The single executable, by the same scripts as the program.
      {
        extends: true,
        test: {
          name: "binary",
          retry: AGAIN,
          include: ["test/binary/**/*.test.ts"],
          env: { RIG_BINARY: fileURLToPath(new URL("dist-binary/imds-guard", import.meta.url)) },
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          retry: AGAIN,
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
