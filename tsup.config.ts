import { defineConfig } from "tsup";

export default defineConfig({
  entry: { index: "src/index.ts" },
  format: ["esm", "cjs"],
  dts: true,
  splitting: true,
  clean: true,
  target: "node20.19",
  platform: "node",
  sourcemap: false,
  treeshake: false,
});
