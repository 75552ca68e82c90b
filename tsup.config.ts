import { defineConfig } from "tsup";

export default defineConfig({
  entry: { index: "src/index.ts", firewall: "src/firewall/index.ts", register: "src/firewall/register.ts", "credential-provider-imds": "src/provider/imds-package.ts" },
  format: ["esm", "cjs"],
  dts: true,
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
});
