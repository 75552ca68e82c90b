/**
 * Builds the programs of this folder in one form: node build.mjs FORM. Prints `{ warnings, note? }`. The bundlers are
 * those that are installed beside it.
 */
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const here = import.meta.dirname;
const bin = (name) => join(here, "../node_modules/.bin", name);
const [form = ""] = process.argv.slice(2);
const out = join(here, "../out", form.replace(/\W+/g, "-"));
mkdirSync(out, { recursive: true });

/** Entries that need no top-level await, which CommonJS has not. */
const ENTRIES = ["index", "firewall", "register", "imds-package"];
const inputs = (names) => Object.fromEntries(names.map((name) => [name, join(here, `${name}.mjs`)]));
const BANNER = "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);";

async function esbuild({ format, minify = false, entries = ENTRIES, ...more }) {
  const { build } = await import("esbuild");
  const { warnings } = await build({
    entryPoints: inputs(entries),
    bundle: true,
    platform: "node",
    target: "node20",
    format,
    minify,
    outdir: out,
    outExtension: { ".js": format === "cjs" ? ".cjs" : ".mjs" },
    logLevel: "silent",
    ...(format === "esm" && { banner: { js: BANNER } }),
    ...more,
  });
  return { warnings: warnings.map(({ text, location }) => `${location?.file ?? ""} ${text}`) };
}

/** @param {string} packer "webpack", or what has its interface @param {object} [more] settings */
async function webpack(modules, packer = "webpack", more = {}) {
  const { default: pack } = await import(packer);
  const compiler = pack({
    mode: "production",
    target: modules ? ["node20", "es2022"] : "node20",
    context: here,
    entry: inputs(modules ? [...ENTRIES, "await"] : ENTRIES),
    performance: false,
    ...(modules
      ? {
          experiments: { outputModule: true },
          output: { path: out, filename: "[name].mjs", module: true, chunkFormat: "module" },
        }
      : { output: { path: out, filename: "[name].cjs" } }),
    ...more,
  });
  const stats = await promisify(compiler.run.bind(compiler))();
  const { errors = [], warnings = [] } = stats.toJson({ all: false, errors: true, warnings: true });
  if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join("\n"));
  return { warnings: warnings.map(({ message, moduleName }) => `${moduleName ?? ""} ${message}`) };
}

async function rollup(format) {
  const [{ rollup: bundle }, { default: resolve }, { default: commonjs }, { default: json }] = await Promise.all([
    import("rollup"),
    import("@rollup/plugin-node-resolve"),
    import("@rollup/plugin-commonjs"),
    import("@rollup/plugin-json"),
  ]);
  const warnings = [];
  const built = await bundle({
    input: inputs(format === "esm" ? [...ENTRIES, "await"] : ENTRIES),
    plugins: [resolve({ preferBuiltins: true, exportConditions: ["node"] }), commonjs(), json()],
    onwarn: ({ message, ids, id, code }) => {
      // Of the SDK's own packages, which has them without us, too.
      const of = [id, ...(ids ?? [])].join(" ");
      if (of === "" || of.includes("imds-guard") || code === "UNRESOLVED_IMPORT") warnings.push(message);
    },
  });
  await writeAs(format, built);
  return { warnings };
}

async function writeAs(format, built) {
  const extension = format === "esm" ? "mjs" : "cjs";
  await built.write({
    dir: out,
    format,
    entryFileNames: `[name].${extension}`,
    chunkFileNames: `[name]-[hash].${extension}`,
  });
}

async function rolldown(format) {
  const { rolldown: bundle } = await import("rolldown");
  const warnings = [];
  const built = await bundle({
    input: inputs(format === "esm" ? [...ENTRIES, "await"] : ENTRIES),
    platform: "node",
    onLog: (level, { message }) => void (level === "warn" && warnings.push(message)),
  });
  await writeAs(format, built);
  return { warnings };
}

/** A folder for each program, whose index file is then loaded by its name. */
async function ncc() {
  const warnings = [];
  for (const name of [...ENTRIES, "await"]) {
    const { stdout, stderr } = await run(bin("ncc"), ["build", `${name}.mjs`, "-o", join(out, name)], { cwd: here });
    warnings.push(...`${stdout}\n${stderr}`.split("\n").filter((line) => /warn|critical dependency/i.test(line)));
    writeFileSync(join(out, `${name}.mjs`), `import "./${name}/index.mjs";\n`);
  }
  return { warnings };
}

async function vite() {
  const { build, createLogger } = await import("vite");
  const warnings = [];
  const logger = createLogger("silent");
  logger.warn = logger.warnOnce = (text) => warnings.push(text);
  await build({
    root: here,
    configFile: false,
    customLogger: logger,
    ssr: { noExternal: true, target: "node" },
    build: {
      ssr: true,
      outDir: out,
      emptyOutDir: true,
      rollupOptions: {
        input: inputs([...ENTRIES, "await"]),
        output: { entryFileNames: "[name].mjs", chunkFileNames: "[name]-[hash].mjs" },
      },
    },
  });
  return { warnings };
}

async function tsup(format) {
  const names = format === "esm" ? [...ENTRIES, "await"] : ENTRIES;
  const config = join(out, "tsup.config.mjs");
  const extension = format === "esm" ? ".mjs" : ".cjs";
  writeFileSync(
    config,
    `export default ${JSON.stringify({
      entry: inputs(names),
      format,
      platform: "node",
      target: "node20",
      outDir: out,
      splitting: false,
      clean: false,
      shims: format === "esm",
    }).replace(/}$/, "")}, noExternal: [/.*/], outExtension: () => ({ js: ${JSON.stringify(extension)} }) };`,
  );
  const { stdout, stderr } = await run(bin("tsup"), ["--config", config], {
    cwd: here,
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { warnings: `${stdout}\n${stderr}`.split("\n").filter((line) => /warn/i.test(line)) };
}

async function bun() {
  const platforms = join(here, "../node_modules/@oven");
  const binaries = readdirSync(platforms).map((name) => join(platforms, name, "bin/bun"));
  const runs = await Promise.all(
    binaries.map((path) =>
      run(path, ["--version"]).then(
        () => true,
        () => false,
      ),
    ),
  );
  const { stdout, stderr } = await run(
    binaries[runs.indexOf(true)],
    [
      "build",
      ...[...ENTRIES, "await"].map((name) => join(here, `${name}.mjs`)),
      "--target=node",
      `--outdir=${out}`,
      "--entry-naming=[name].mjs",
    ],
    { cwd: here },
  );
  return { warnings: `${stdout}\n${stderr}`.split("\n").filter((line) => /warn/i.test(line)) };
}

/** Reads no `exports` of packages. */
async function parcel() {
  const { Parcel } = await import("@parcel/core");
  const warnings = [];
  const bundler = new Parcel({
    entries: Object.values(inputs(ENTRIES)),
    defaultConfig: "@parcel/config-default",
    shouldDisableCache: true,
    targets: {
      programs: {
        distDir: out,
        context: "node",
        engines: { node: ">=20" },
        includeNodeModules: true,
        outputFormat: "commonjs",
        optimize: false,
        sourceMap: false,
      },
    },
  });
  await bundler.run();
  for (const name of ENTRIES) writeFileSync(join(out, `${name}.cjs`), `require("./${name}.js");\n`);
  return { warnings };
}

/** A server that leaves packages beside its bundle and copies of each what it traces. */
async function nitro() {
  const { createNitro, prepare, build } = await import("nitropack");
  const warnings = [];
  const server = await createNitro({
    rootDir: join(here, "nitro-app"),
    dev: false,
    preset: "node-listener",
    compatibilityDate: "2026-11-30",
    logLevel: 1,
    output: { dir: join(out, "server") },
    rollupConfig: {
      onwarn: ({ code, message, id, ids }) => {
        // Nitro's own modules wait for each other. The folder of the installation may have the package's name in its own.
        const ours = [id ?? "", ...(ids ?? [])].some((path) => /[\\/]node_modules[\\/]imds-guard[\\/]/.test(path));
        if (ours || message.includes("imds-guard")) warnings.push(`${code} ${message}`);
      },
    },
  });
  await prepare(server);
  await build(server);
  await server.close();
  return { warnings };
}

async function next(bundler) {
  const { stdout, stderr } = await run(bin("next"), ["build", ...(bundler === "webpack" ? ["--webpack"] : [])], {
    cwd: join(here, "next-app"),
    env: {
      ...process.env,
      NEXT_TELEMETRY_DISABLED: "1",
      DIST_DIR: `.next-${bundler}`,
      CI: "1",
      NO_COLOR: "1",
      NODE_ENV: "production",
    },
  });
  return {
    warnings: `${stdout}\n${stderr}`
      .split("\n")
      .filter(
        (line) =>
          /warn|critical dependency|can't resolve|⚠/i.test(line) && !/lockfile|telemetry|no build cache/i.test(line),
      ),
  };
}

async function typescript(compiler, module, resolution, file) {
  copyFileSync(join(here, "types.txt"), join(here, file));
  const { stdout } = await run(
    process.execPath,
    [
      join(here, "../node_modules", compiler, "bin/tsc"),
      "--noEmit",
      "--strict",
      "--exactOptionalPropertyTypes",
      "--skipLibCheck",
      "false",
      "--target",
      "es2023",
      "--types",
      "node",
      "--module",
      module,
      "--moduleResolution",
      resolution,
      file,
    ],
    { cwd: here },
  ).catch((error) => error);
  return { warnings: stdout.split("\n").filter((line) => /error TS/.test(line)) };
}

async function size() {
  const options = { format: "esm", minify: true, mainFields: ["module", "main"], splitting: false };
  const result = await esbuild({ ...options, entries: ["size"] });
  const bytes = readdirSync(out).reduce((sum, name) => sum + statSync(join(out, name)).size, 0);
  return { ...result, bytes };
}

const FORMS = {
  "esbuild, CommonJS": () => esbuild({ format: "cjs" }),
  "esbuild, CommonJS, minified": () => esbuild({ format: "cjs", minify: true }),
  "esbuild, ES module": () => esbuild({ format: "esm", entries: [...ENTRIES, "await"] }),
  "esbuild, ES module, minified": () =>
    esbuild({ format: "esm", minify: true, mainFields: ["module", "main"], entries: [...ENTRIES, "await"] }),
  "esbuild, ES module, split": () => esbuild({ format: "esm", splitting: true, entries: [...ENTRIES, "await"] }),
  "webpack, CommonJS": () => webpack(false),
  "webpack, ES module": () => webpack(true),
  "webpack, conditions of Node.js": () =>
    webpack(false, "webpack", { resolve: { conditionNames: ["node", "import", "require", "default"] } }),
  "Rspack, CommonJS": () => webpack(false, "@rspack/core"),
  "Rspack, ES module": () => webpack(true, "@rspack/core"),
  "ncc, ES module": ncc,
  "rollup, CommonJS": () => rollup("cjs"),
  "rollup, ES module": () => rollup("esm"),
  "Rolldown, CommonJS": () => rolldown("cjs"),
  "Rolldown, ES module": () => rolldown("esm"),
  "Vite, SSR": vite,
  "tsup, CommonJS": () => tsup("cjs"),
  "tsup, ES module": () => tsup("esm"),
  "Bun's bundler": bun,
  Parcel: parcel,
  Nitro: nitro,
  "Next, webpack": () => next("webpack"),
  "Next, Turbopack": () => next("turbopack"),
  "TypeScript, nodenext": () => typescript("typescript", "nodenext", "nodenext", "types.mts"),
  "TypeScript, node16": () => typescript("typescript", "node16", "node16", "types.mts"),
  "TypeScript, bundler": () => typescript("typescript", "esnext", "bundler", "types.ts"),
  "TypeScript, node10": () => typescript("typescript5", "commonjs", "node10", "types.ts"),
  size,
};

const result = await FORMS[form]();
process.stdout.write(JSON.stringify(result), () => process.exit(0));
