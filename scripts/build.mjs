// @ts-check
/**
 * Builds dist.
 *
 *   node scripts/build.mjs [--no-types]
 *   node scripts/build.mjs --whole FOLDER
 *
 * There is one copy of the code for Node.js, in CommonJS, and every way into the package leads there: `require`, the
 * preload, the program, and `import` by thin modules that only hand on its names. What several of them share lies in
 * files of its own, cut by what is loaded together. Bundlers take another form, by the condition `module`: ECMAScript
 * modules under dist/esm, of which they leave out what is not used. There every `import()` is an import like any other,
 * so that a bundle waits for nothing but itself, and the parts in `imds-guard/extras` are there if the application
 * imports them. A file `x.bundled.ts` stands in for `x.ts` in that form, and `x.node.ts` in the one for Node.js.
 *
 * What package.json lists as a dependency is left to be found at run time. Everything else is bundled, and its licence
 * is in NOTICE. With --whole the dependencies are bundled, too, and only the program and the preload are built: the files
 * of a single executable, and in FOLDER/files.json which of them there are and which the preload loads.
 */
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules, createRequire } from "node:module";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { minifySync } from "rolldown/experimental";
import { clientsInside } from "./build/clients-inside.mjs";
import { cutByLoading, runtimeIn } from "./build/cut-by-loading.mjs";
import { writeBundledManifest, writeEntryFolders } from "./build/for-tools.mjs";
import { importAtOnce } from "./build/import-at-once.mjs";
import { namesAsRequired } from "./build/names-as-required.mjs";
import { noDetours } from "./build/no-detours.mjs";
import { noticeOf } from "./build/notice.mjs";
import { ownDescriptors } from "./build/own-descriptors.mjs";
import { plainExports } from "./build/plain-exports.mjs";
import { standIns } from "./build/stand-ins.mjs";
import { buildTypes } from "./build/types.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const whole = process.argv.includes("--whole");
const OUTPUT = whole ? resolve(process.argv[process.argv.indexOf("--whole") + 1] ?? "") : join(ROOT, "dist");
const source = (/** @type {string} */ path) => join(ROOT, "src", path);

/** What programs import, with types. */
const LIBRARY = {
  index: source("index.ts"),
  firewall: source("firewall/index.ts"),
  "credential-provider-imds": source("sdk/imds-package.ts"),
  extras: source("sdk/extras.ts"),
  register: source("preload/register.ts"),
};
/** Loaded with `require`, at once and where they are needed. */
const REQUIRED = {
  providers: source("sdk/providers.ts"),
  "link-providers": source("sdk/link-providers.ts"),
  "settings-and-events": source("preload/settings-and-events.ts"),
  adapters: source("sdk/adapters.ts"),
};
const PROGRAM = { cli: source("cli/main.ts") };
const support = (/** @type {string} */ name) => join(ROOT, "test/support", name);
/** Programs of `imds-guard demo`, each started by another. */
const DEMO = {
  demo: join(ROOT, "examples/demo/demo.mjs"),
  "demo-ask": join(ROOT, "examples/demo/ask.mjs"),
  "demo-machine": support("machine-agent.mjs"),
  "demo-responder": support("responder.mjs"),
};

const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const builtins = new Set(builtinModules.flatMap((name) => [name, `node:${name}`]));
const peers = Object.keys(manifest.peerDependencies ?? {});
// A single executable has nothing beside it; the API of OpenTelemetry is the application's, and the command is none.
const installed = whole
  ? peers.filter((name) => name.startsWith("@opentelemetry/"))
  : [...Object.keys(manifest.dependencies), ...peers];
const external = (/** @type {string} */ id) =>
  builtins.has(id) || installed.some((name) => id === name || id.startsWith(`${name}/`));

/** The modules in a folder of src, but not in those below it. */
const modulesIn = (/** @type {string} */ folder) =>
  readdirSync(source(folder))
    .filter((name) => name.endsWith(".ts"))
    .map((name) => source(`${folder}/${name}`));

/** @param {readonly string[]} paths of modules in src */
const modules = (...paths) => paths.map((path) => source(`${path}.ts`));

/** Libraries for what few logs are packed in. */
const ARCHIVES = source("detection/log-archive.ts");

/** @type {Pick<import("rolldown").InputOptions, "platform" | "external" | "treeshake" | "cwd">} */
const COMMON = { cwd: ROOT, platform: "node", external, treeshake: { moduleSideEffects: false } };
/** Comments are in src. Those that speak to minifiers stay. */
const comments = { legal: true, annotation: true, jsdoc: false };

/**
 * The files that Node.js loads, each by what comes with the start of something; the first that needs a module has it.
 *
 * @type {readonly import("./build/cut-by-loading.mjs").Cut[]}
 */
const CUTS = [
  { name: "ground", withAll: [LIBRARY.register, REQUIRED.providers] },
  {
    name: "ground",
    with: modules("base/package-version", "base/plain-load", "base/own-folder", "base/own-sockets"),
    withAll: [PROGRAM.cli, REQUIRED.providers],
  },
  // With the rest of what the package has names for: Node.js scans a file that is imported, and the entry hands on alone.
  { name: "ground", with: modules("sdk/metadata-service") },
  { name: "ground", withAll: [LIBRARY.index, REQUIRED.providers] },
  { name: "firewall-hooks", with: [LIBRARY.register, source("firewall/install.ts")] },
  {
    name: "core",
    // The others are small, and what else needs them would load the code that speaks to IMDS for them.
    with: [
      REQUIRED.providers,
      ...modules("base/connection-options", "base/utc-time", "base/members-of", "base/lifetime", "aws/imds-protocol"),
    ],
  },
  // What Linux does without.
  {
    name: "listings",
    with: modules("host/windows-registry", "host/freebsd-kenv", "host/openbsd-sysctl", "host/macos-sysctl"),
  },
  { name: "connection", with: modules("guard/live", "guard/metadata") },
  // Loaded while a token is awaited.
  { name: "proof", with: modules("guard/acquire", "attest/key-ring") },
  { name: "chain", with: [REQUIRED["link-providers"]] },
  // TLS is loaded where somebody is asked over it: STS and Roles Anywhere.
  { name: "sts", with: modules("guard/sts-identity") },
  { name: "profiles", with: modules("sdk/shared-keys") },
  { name: "certificates", with: modules("guard/certificate-links", "guard/certificate-plan") },
  { name: "reporting", with: [LIBRARY.firewall, REQUIRED["settings-and-events"]] },
  { name: "probe", with: modules("guard/impersonator-probe", "network/probe", "network/responder") },
  { name: "observing", with: [LIBRARY.extras] },
  { name: "detection", with: modulesIn("detection").filter((path) => path !== ARCHIVES) },
  { name: "archives", with: [ARCHIVES] },
  { name: "gateway", with: modulesIn("gateway") },
  { name: "sdk", after: [source("base/load-sdk.ts")] },
  { name: "fleet", with: modulesIn("fleet") },
  { name: "program", with: [PROGRAM.cli] },
  // What other programs wait for brings nothing of the commands that people wait for.
  {
    name: "commands",
    with: modules("cli/exec", "cli/serve", "cli/credential-process", "cli/detect", "cli/executable/preload"),
  },
  { name: "serving", with: modulesIn("serving") },
  { name: "monitoring", with: modulesIn("monitor") },
  {
    name: "operations",
    with: [...modulesIn("cli"), ...modules("cli/init/project", "roles-anywhere/trust-policy")],
  },
  { name: "doctor", with: modulesIn("cli/doctor") },
  { name: "init", with: modules("cli/init/rewrite") },
  { name: "demo-hosts", with: Object.values(DEMO) },
];

/** What the chain does without; what is in the entry itself reports for it before there is a guard. */
const FIREWALL = new Set([
  ...modulesIn("firewall").filter((path) => ![LIBRARY.firewall, source("firewall/early-reporter.ts")].includes(path)),
  ...modules("base/metadata-mention"),
]);

/** `require("./x.js")` of ours names another file of dist, whatever is in it; a package that is built in requires its own. */
const requiredFiles = {
  name: "required-files",
  /** @param {string} path @param {string | undefined} importer @param {{ kind: string }} how */
  resolveId(path, importer, { kind }) {
    return kind === "require-call" && path.startsWith("./") && importer?.includes("node_modules") !== true
      ? { id: path.replace(/\.js$/, ".cjs"), external: true }
      : undefined;
  },
};

/** The demo takes the package from its source, and finds its programs beside it. */
const demoInside = {
  name: "demo-inside",
  /** @param {string} path */
  resolveId: (path) => (path === "imds-guard" ? LIBRARY.index : undefined),
  /** @param {string} code @param {string} id */
  transform(code, id) {
    if (![...Object.values(DEMO), support("machine.mjs"), join(ROOT, "examples/demo/loopback.mjs")].includes(id))
      return undefined;
    let text = code;
    for (const [name, path] of Object.entries(DEMO))
      text = text.replaceAll(
        `new URL("./${basename(path)}", import.meta.url)`,
        `new URL("./${name}.cjs", import.meta.url)`,
      );
    return { code: text };
  },
};

async function buildForNode() {
  const bundle = await rolldown({
    ...COMMON,
    input: { ...LIBRARY, ...REQUIRED, ...PROGRAM, ...DEMO },
    preserveEntrySignatures: "allow-extension",
    // A command loads what it needs when it is named; what else is in the same file comes along.
    checks: { ineffectiveDynamicImport: false },
    plugins: [
      requiredFiles,
      standIns("node"),
      demoInside,
      runtimeIn("ground.cjs"),
      plainExports(),
      noDetours("providers.cjs", "link-providers.cjs", "settings-and-events.cjs"),
      namesAsRequired(),
      ownDescriptors("ground.cjs"),
      ...(whole ? [clientsInside()] : []),
    ],
    transform: { define: { "import.meta.dirname": "undefined" } },
  });
  const { output } = await bundle.write({
    dir: OUTPUT,
    format: "cjs",
    entryFileNames: "[name].cjs",
    chunkFileNames: "[name].cjs",
    // import() would go through the loader of ECMAScript modules, which reads and scans what require() has loaded.
    dynamicImportInCjs: false,
    strict: true,
    comments,
    codeSplitting: { groups: cutByLoading(CUTS) },
  });
  return output;
}

/**
 * Makes what Node.js loads smaller. What runs in applications keeps its lines and the names of its functions, so that a
 * stack says where it was; what only the program loads keeps neither. Nor does a file that only hands on names: where it
 * is imported, Node.js scans it letter by letter, with code of its own that has not run yet.
 *
 * @param {Awaited<ReturnType<typeof buildForNode>>} output
 */
function shrink(output) {
  const inApplications = new Set(Object.keys({ ...LIBRARY, ...REQUIRED }).map((name) => `${name}.cjs`));
  /** @type {Map<string, readonly string[]>} */
  const loads = new Map(
    output.map((file) => [file.fileName, file.type === "chunk" ? [...file.imports, ...file.dynamicImports] : []]),
  );
  for (const name of inApplications) for (const loaded of loads.get(name) ?? []) inApplications.add(loaded);
  const handsOn = new Set(output.filter(handsOnAlone).map(({ fileName }) => fileName));
  for (const { fileName } of output) {
    const path = join(OUTPUT, fileName);
    const readable = inApplications.has(fileName) && !handsOn.has(fileName);
    const { code, errors } = minifySync(fileName, readFileSync(path, "utf8"), {
      compress: true,
      mangle: { toplevel: !readable },
      codegen: { removeWhitespace: !readable },
    });
    if (errors.length > 0) throw new Error(`${fileName} cannot be made smaller: ${errors[0]?.message}`);
    // A shell starts this file itself: through a module the start takes 4 ms more.
    if (fileName === "cli.cjs" && !whole) {
      writeFileSync(path, `#!/usr/bin/env node\n${code}`);
      chmodSync(path, 0o755);
    } else writeFileSync(path, code);
  }
}

/** Whether a file has no code of its own. @param {Awaited<ReturnType<typeof buildForNode>>[number]} file */
function handsOnAlone(file) {
  return file.type === "chunk" && Object.values(file.modules).every(({ renderedLength }) => renderedLength === 0);
}

/** Every name is written out, so that Node.js need not scan the core for them. */
function writeWrappers() {
  const require = createRequire(import.meta.url);
  for (const name of Object.keys(LIBRARY)) {
    const path = join(OUTPUT, `${name}.cjs`);
    // The preload has no names, and must not be run here.
    const names = name === "register" ? [] : Object.keys(require(path));
    const text =
      names.length === 0
        ? `import "./${name}.cjs";\n`
        : `import all from "./${name}.cjs";\nexport const {\n${names.map((each) => `  ${each},\n`).join("")}} = all;\n`;
    writeFileSync(join(OUTPUT, `${name}.js`), text);
  }
  writeFileSync(join(OUTPUT, "cli.js"), 'import "./cli.cjs";\n');
}

async function buildForBundlers() {
  const bundle = await rolldown({
    ...COMMON,
    input: LIBRARY,
    preserveEntrySignatures: "allow-extension",
    plugins: [standIns("bundled"), importAtOnce(), ownDescriptors()],
    // What is bundled is a module, too, or it would bring a require() along.
    resolve: { mainFields: ["module", "main"] },
    transform: { define: { "import.meta.dirname": "undefined", __filename: "undefined" } },
  });
  const { output } = await bundle.write({
    dir: join(OUTPUT, "esm"),
    format: "es",
    entryFileNames: "[name].js",
    chunkFileNames: "[name].js",
    minifyInternalExports: false,
    // A bundler keeps the start of a file from which it takes anything, and what the firewall takes of JavaScript's own at
    // its start is much.
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [{ debugName: "firewall", name: (id) => (FIREWALL.has(id) ? "firewall-hooks" : null) }],
    },
    // Half of the package's weight otherwise. Whoever reads the code reads it in src, or in the form for Node.js.
    minify: true,
    comments,
  });
  return output;
}

/** What a single executable runs first, which has to be one file. */
async function buildStart() {
  const bundle = await rolldown({ ...COMMON, input: { start: source("cli/executable/start.ts") } });
  await bundle.write({ dir: OUTPUT, format: "cjs", entryFileNames: "[name].cjs", strict: true, comments });
}

/** What the single executable holds. @param {readonly (import("rolldown").OutputChunk | import("rolldown").OutputAsset)[]} outputs */
function writeList(outputs) {
  const chunks = new Map(outputs.flatMap((file) => (file.type === "chunk" ? [[file.fileName, file]] : [])));
  const preload = new Set(["register.cjs"]);
  for (const name of preload)
    for (const [, required = ""] of chunks.get(name)?.code.matchAll(/\brequire\("\.\/([\w-]+\.cjs)"\)/g) ?? [])
      preload.add(required);
  const list = { files: [...chunks.keys()].sort(), preload: [...preload].sort() };
  writeFileSync(join(OUTPUT, "files.json"), JSON.stringify(list));
  writeFileSync(join(OUTPUT, "NOTICE"), noticeOf(ROOT, outputs));
}

rmSync(OUTPUT, { recursive: true, force: true });
if (whole) {
  writeList(await buildForNode());
  await buildStart();
}
if (!whole) {
  const forNode = await buildForNode();
  shrink(forNode);
  const outputs = [...forNode, ...(await buildForBundlers())];
  writeWrappers();
  writeEntryFolders(ROOT, manifest.exports);
  writeBundledManifest(join(OUTPUT, "esm"), manifest.sideEffects);
  const notice = noticeOf(ROOT, outputs);
  const noticePath = join(ROOT, "NOTICE");
  if (!existsSync(noticePath) || readFileSync(noticePath, "utf8") !== notice) writeFileSync(noticePath, notice);
  if (!process.argv.includes("--no-types")) await buildTypes(LIBRARY, OUTPUT, external);
}
