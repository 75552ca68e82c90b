/**
 * Copies of the package in one process, as applications come to have them: by `import` and `require`, two installed
 * versions, one inlined by a bundler, one in a realm of its own, and the preload before any of them.
 */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canUnshare } from "../support/machine.mjs";
import { manifest, requireBuild, ROOT } from "./built.js";

const able = canUnshare();
if (!able.ok) console.log(`copies: not loaded beside each other, no hosts can be made here: ${able.reason}`);

const run = promisify(execFile);
const app = mkdtempSync(join(tmpdir(), "imds-guard-copies-"));
afterAll(() => rmSync(app, { recursive: true, force: true }));

const OTHER_VERSION = "0.0.0-other";
/** By its path: nothing but `dependency` finds it by name. */
const OTHER_REGISTER = "./node_modules/dependency/node_modules/imds-guard/dist/register.cjs";
const ALL = `export * from "imds-guard"; export * from "imds-guard/firewall";`;

beforeAll(async () => {
  requireBuild();
  const { stdout } = await run("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", app], {
    cwd: ROOT,
  });
  await run("tar", ["-xzf", stdout.trim()], { cwd: app });
  const modules = join(app, "node_modules");
  const dependency = join(modules, "dependency");
  const other = join(dependency, "node_modules/imds-guard");
  mkdirSync(join(dependency, "node_modules"), { recursive: true });
  cpSync(join(app, "package"), join(modules, "imds-guard"), { recursive: true });
  cpSync(join(app, "package"), other, { recursive: true });
  const packed = JSON.parse(readFileSync(join(other, "package.json"), "utf8")) as object;
  writeFileSync(join(other, "package.json"), JSON.stringify({ ...packed, version: OTHER_VERSION }));
  for (const scope of new Set(Object.keys(manifest.dependencies).map((name) => name.split("/")[0] as string)))
    symlinkSync(join(ROOT, "node_modules", scope), join(modules, scope));
  writeFileSync(join(dependency, "package.json"), JSON.stringify({ name: "dependency", main: "index.cjs" }));
  writeFileSync(
    join(dependency, "index.cjs"),
    `module.exports = { ...require("imds-guard"), ...require("imds-guard/firewall") };`,
  );
  writeFileSync(join(dependency, "index.mjs"), ALL);
  for (const format of ["cjs", "esm"] as const)
    await build({
      stdin: { contents: ALL, resolveDir: app },
      outfile: join(app, `inlined.${format === "cjs" ? "cjs" : "mjs"}`),
      external: Object.keys(manifest.dependencies),
      bundle: true,
      platform: "node",
      format,
      logLevel: "error",
    });
  writeFileSync(join(app, "program.mjs"), PROGRAM);
}, 120_000);

/** Ways to a copy; each gives what the package and its firewall export. */
const LOADERS = {
  import: `Object.assign({}, await import("imds-guard"), await import("imds-guard/firewall"))`,
  require: `Object.assign({}, require("imds-guard"), require("imds-guard/firewall"))`,
  "another version": `require("dependency")`,
  "another version, by import": `await import("./node_modules/dependency/index.mjs")`,
  inlined: `require("./inlined.cjs")`,
  "inlined in ES modules": `await import("./inlined.mjs")`,
  "in a realm of its own": `inRealm("./inlined.cjs")`,
  "in another realm": `inRealm("./inlined.cjs")`,
} as const;
type Way = keyof typeof LOADERS;

const PROGRAM = `
  import { readFileSync } from "node:fs";
  import { createRequire } from "node:module";
  import { connect } from "node:net";
  import { createContext, Script } from "node:vm";
  import { createSigner } from ${JSON.stringify(join(ROOT, "test/support/identity-signer.mjs"))};
  import { startImdsServer } from ${JSON.stringify(join(ROOT, "test/support/imds-server.mjs"))};
  import { accessKeyIdFor } from ${JSON.stringify(join(ROOT, "test/support/access-keys.mjs"))};
  const require = createRequire(import.meta.url);
  // As test runners load each file: intrinsics of its own, what Node.js adds, and its modules.
  const inRealm = (path) => {
    const file = new URL(path, import.meta.url);
    const names = ["process", "Buffer", "URL", "AbortController", "AbortSignal", "setTimeout", "clearTimeout", "setImmediate",
      "clearImmediate", "queueMicrotask", "console", "performance", "TextDecoder", "TextEncoder", "structuredClone"];
    const realm = createContext(Object.fromEntries(names.map((name) => [name, globalThis[name]])));
    const module = { exports: {} };
    new Script("(function (module, exports, require, __filename) {" + readFileSync(file, "utf8") + "\\n})", {
      filename: file.pathname,
      importModuleDynamically: (name) => import(name),
    }).runInContext(realm)(module, module.exports, require, file.pathname);
    return module.exports;
  };
  const load = { ${Object.entries(LOADERS)
    .map(([way, code]) => `${JSON.stringify(way)}: async () => (${code})`)
    .join(", ")} };
  const [first, second] = process.argv.slice(2);
  const one = await load[first]();
  const two = await load[second]();
  const told = (call) => call.then(({ accessKeyId }) => accessKeyId, (error) => error.code);

  const installed = [one, two, one].map(({ installFirewall }) => installFirewall().alreadyInstalled);
  const dialled = await new Promise((resolve) =>
    connect(80, "169.254.169.254", () => resolve("reached")).on("error", ({ code }) => resolve(code)));

  const signer = createSigner();
  const ours = { account: "111122223333", instanceId: "i-0a1b2c3d4e5f60718", region: "eu-central-1" };
  const imds = await startImdsServer({ ...ours, signDocument: (document) => signer.sign(document) });
  process.env.AWS_EC2_METADATA_SERVICE_ENDPOINT = imds.url;
  const options = { attestation: "required", certificates: { [ours.region]: signer.publicKeyPem }, log: "off" };
  const guard = one.createGuard(options);
  const providers = [two.fromNodeProviderChain({ guard }), two.fromInstanceMetadata({ guard })];
  const all = async () => Promise.all(providers.map((provider) => told(provider())));
  const before = await all();
  imds.set({ account: "999988887777", accessKeyId: accessKeyIdFor("999988887777") });
  const finding = await told(guard.credentials({ forceRefresh: true }));
  const after = await all();
  await guard.close();
  const closed = await all();

  const refusal = await two.createGuard({ mode: "deny", log: "off" }).credentials().catch((error) => error);
  const known = [refusal instanceof one.ImdsGuardError, refusal instanceof one.ImdsRefusedError, one.isImdsGuardError(refusal)];
  console.log(JSON.stringify({ installed, dialled, before, finding, after, closed, known }));
  process.exit();
`;

async function together(
  first: Way,
  second: Way,
  node: readonly string[] = [],
): Promise<{ json: unknown; told: number }> {
  const words = [process.execPath, ...node, join(app, "program.mjs"), first, second]
    .map((word) => `'${word}'`)
    .join(" ");
  const { stdout, stderr } = await run(
    "unshare",
    ["-Urnm", "sh", "-c", `ip link set lo up && mount -t tmpfs none /sys && exec ${words}`],
    {
      cwd: app,
      env: {
        PATH: process.env["PATH"],
        HOME: app,
        AWS_CONFIG_FILE: "/nonexistent/config",
        AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
        IMDS_GUARD_PROBE: "off",
        NODE_NO_WARNINGS: "1",
      },
    },
  );
  return { json: JSON.parse(stdout), told: stderr.split("firewall.connection_blocked").length - 1 };
}

const expected = (alreadyThere: boolean): object => ({
  installed: [alreadyThere, true, true],
  dialled: "EACCES",
  before: [expect.stringMatching(/^ASIA/), expect.stringMatching(/^ASIA/)],
  finding: "ERR_IMDS_IDENTITY_CHANGED",
  after: ["ERR_IMDS_IDENTITY_CHANGED", "ERR_IMDS_IDENTITY_CHANGED"],
  closed: ["ERR_IMDS_GUARD_CLOSED", "ERR_IMDS_GUARD_CLOSED"],
  known: [true, true, true],
});

const PAIRS: readonly (readonly [Way, Way])[] = [
  ["import", "require"],
  ["require", "import"],
  ["require", "another version"],
  ["another version", "import"],
  ["import", "another version, by import"],
  ["inlined", "require"],
  ["import", "inlined in ES modules"],
  ["inlined", "inlined in ES modules"],
  ["another version", "inlined"],
  ["require", "in a realm of its own"],
  ["in a realm of its own", "import"],
  ["in a realm of its own", "in another realm"],
];

describe.skipIf(!able.ok)("one firewall, and one knowledge of findings", () => {
  test("there are two versions", async () => {
    const program = `for (const from of ["./x", "./node_modules/dependency/x"])
      console.log(require("node:module").createRequire(require("node:path").resolve(from))("imds-guard/package.json").version)`;
    const { stdout } = await run(process.execPath, ["-e", program], { cwd: app });
    expect(stdout.trim().split("\n")).toEqual([
      (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }).version,
      OTHER_VERSION,
    ]);
  });

  test.each(PAIRS)("%s, then %s", async (first, second) => {
    expect(await together(first, second)).toEqual({ json: expected(false), told: 1 });
  });

  test.each([
    ["import", "require", "imds-guard/register"],
    ["another version", "inlined", "imds-guard/register"],
    ["import", "in a realm of its own", OTHER_REGISTER],
  ] as const)("%s and %s behind the preload", async (first, second, register) => {
    expect(await together(first, second, ["-r", register])).toEqual({ json: expected(true), told: 1 });
    expect(await together(first, second, ["--import", register])).toEqual({ json: expected(true), told: 1 });
  });

  test("the preloads of two versions", async () => {
    const both = ["-r", "imds-guard/register", "-r", OTHER_REGISTER];
    expect(await together("import", "another version", both)).toEqual({ json: expected(true), told: 1 });
  });
});
