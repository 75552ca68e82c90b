import { readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { defineConfig } from "tsup";
import type { Options } from "tsup";

/** What programs import besides the main entry, and so has types. */
const LIBRARY = { firewall: "src/firewall/index.ts", "credential-provider-imds": "src/sdk/imds-package.ts" };
/** What every start of a program waits for. */
const STARTED = { index: "src/index.ts", register: "src/preload/register.ts" };

const SOURCE = resolve("src");
const ALL: Options = {
  format: ["esm", "cjs"],
  target: "node20.19",
  platform: "node",
  silent: true,
  sourcemap: false,
  treeshake: false,
};

/** The file that a module becomes which is loaded by `import()`: `network/dns` -> `lazy-network-dns`. */
function lazyName(path: string): string {
  return `lazy-${relative(SOURCE, path)
    .replace(/\.[jt]s$/, "")
    .split(sep)
    .join("-")}`;
}

/**
 * The modules that `file`, or what it imports, loads by `import()` or, where they have to be there at once, by
 * `require()`.
 */
function lazyModules(file: string, seen = new Set<string>()): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  const text = readFileSync(file, "utf8");
  const targets = (pattern: RegExp): string[] =>
    [...text.matchAll(pattern)].map(([, path = ""]) => join(dirname(file), `${path}.ts`));
  const eager = targets(/^(?:import|export)\s(?!type\s)[^;]*?from\s+"(\.[^"]+)\.js"/gm);
  const lazy = targets(/(?<!typeof )\b(?:import|require)\("(\.[^"]+)\.js"\)/g);
  return [...lazy, ...[...eager, ...lazy].flatMap((target) => lazyModules(target, seen))];
}

/** `entries`, and each module that they load when it is needed. */
function withLazy(entries: Readonly<Record<string, string>>): Record<string, string> {
  return {
    ...entries,
    ...Object.fromEntries(
      Object.values(entries)
        .flatMap((file) => lazyModules(resolve(file)))
        .map((path) => [lazyName(path), path]),
    ),
  };
}

/** By format. A preload is `require`d, and so is that of `--import`. */
const FILES = {
  cjs: withLazy(STARTED),
  esm: { ...withLazy({ index: STARTED.index }), register: "src/preload/import.ts" },
};

/**
 * The main entry and the preload are one file each, and so is each module that it loads when it is needed, with all
 * that this needs. Shared code could be split off into files of its own, but every file costs `import "imds-guard"` a
 * millisecond, whatever is in it. Copies of a module know each other's errors and sockets by registered symbols.
 */
const main: Options = {
  ...ALL,
  entry: FILES.cjs,
  dts: { entry: STARTED },
  splitting: false,
  esbuildPlugins: [
    {
      name: "lazy-files",
      setup(build) {
        const extension = build.initialOptions.format === "cjs" ? ".cjs" : ".js";
        // What `import` asks for is the file of `require`, too: there is one preload.
        build.onResolve({ filter: /^\.\/register\.js$/ }, () => ({ path: "./register.cjs", external: true }));
        build.onResolve({ filter: /^\./ }, ({ kind, path, resolveDir }) =>
          (kind === "dynamic-import" || kind === "require-call") && resolveDir.startsWith(SOURCE)
            ? { path: `./${lazyName(join(resolveDir, path))}${extension}`, external: true }
            : undefined,
        );
      },
    },
  ],
  esbuildOptions(options, { format }) {
    // Both formats share the object, so it is replaced and not changed.
    options.entryPoints = FILES[format === "cjs" ? "cjs" : "esm"];
    if (format !== "cjs") return;
    // import() would go through the loader of ECMAScript modules, which reads and scans what require() has loaded.
    options.supported = { "dynamic-import": false };
    options.define = { ...options.define, "import.meta.url": "importMeta.url" };
    // Bundled into an ECMAScript module, there is no __filename: then it is part of the program.
    options.banner = {
      js: '"use strict"; const importMeta = { get url() { return require("node:url").pathToFileURL(typeof __filename === "string" ? __filename : process.argv[1]).href; } };',
    };
  },
};

const others: Options = {
  ...ALL,
  entry: { ...LIBRARY, cli: "src/cli/main.ts" },
  dts: { entry: LIBRARY },
  splitting: true,
  // `import.meta.url` means something in the CommonJS files too.
  shims: true,
  // The container provider of the SDK: as an alias of this very package it could not be imported by name.
  noExternal: ["@smithy/credential-provider-imds"],
  // The program is one file to run and nothing to require.
  esbuildOptions(options, { format }) {
    // Both formats share the object, so it is replaced and not changed.
    if (format === "cjs")
      options.entryPoints = Object.fromEntries(
        Object.entries(options.entryPoints as Record<string, string>).filter(([name]) => name !== "cli"),
      );
  },
};

export default defineConfig([main, others]);
