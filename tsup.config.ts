import { defineConfig } from "tsup";

/** What programs import, and so has types. */
const LIBRARY = { index: "src/index.ts", firewall: "src/firewall/index.ts", register: "src/preload/register.ts", "credential-provider-imds": "src/provider/imds-package.ts" };

export default defineConfig({
  entry: { ...LIBRARY, cli: "src/cli/main.ts" },
  format: ["esm", "cjs"],
  dts: { entry: LIBRARY },
  splitting: true,
  clean: true,
  target: "node20.19",
  platform: "node",
  silent: true,
  sourcemap: false,
  treeshake: false,
  // `import.meta.url` means something in the CommonJS files too.
  shims: true,
  // The container provider of the SDK: as an alias of this very package it could not be imported by name.
  noExternal: ["@smithy/credential-provider-imds"],
  // The program is one file to run and nothing to require.
  esbuildOptions(options, { format }) {
    // Both formats share the object, so it is replaced and not changed.
    if (format === "cjs") options.entryPoints = Object.fromEntries(Object.entries(options.entryPoints as Record<string, string>).filter(([name]) => name !== "cli"));
  },
});
