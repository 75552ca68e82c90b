// @ts-check
/** Every entry of this package in what bundlers make of it, and its types as compilers find them. */
import { join } from "node:path";
import { command } from "./installs.mjs";
import { judgeDoors, judgeWithOwn } from "./judge.mjs";

/** @typedef {import("./table.mjs").Row} Row */

const TOOLS = [
  "esbuild",
  "webpack",
  "@rspack/core",
  "@vercel/ncc",
  "rollup",
  "@rollup/plugin-node-resolve",
  "@rollup/plugin-commonjs",
  "@rollup/plugin-json",
  "rolldown",
  "vite",
  "tsup",
  "bun",
  "parcel",
  "typescript",
  "@types/node",
];
/** Tools whose package has another name. */
const PACKAGES = new Map([
  ["Rspack", "@rspack/core"],
  ["ncc", "@vercel/ncc"],
  ["Nitro", "nitropack"],
]);
/** Each in a folder of its own: they bring many packages along. */
const NITRO = ["nitropack"];
const NEXT = ["next", "react", "react-dom"];
const TYPESCRIPT_5 = "5.9.3";
/**
 * Bytes of a client with the chain, where the stock chain comes to 416 kB: 560 kB, and 15 kB for what a chain has to know
 * of IAM Roles Anywhere.
 */
const MOST_BYTES = 575_000;

/** Form -> the extension of what it makes. */
const FORMS = {
  "esbuild, CommonJS": "cjs",
  "esbuild, CommonJS, minified": "cjs",
  "esbuild, ES module": "mjs",
  "esbuild, ES module, minified": "mjs",
  "esbuild, ES module, split": "mjs",
  "webpack, CommonJS": "cjs",
  "webpack, ES module": "mjs",
  "webpack, conditions of Node.js": "cjs",
  "Rspack, CommonJS": "cjs",
  "Rspack, ES module": "mjs",
  "ncc, ES module": "mjs",
  "rollup, CommonJS": "cjs",
  "rollup, ES module": "mjs",
  "Rolldown, CommonJS": "cjs",
  "Rolldown, ES module": "mjs",
  "Vite, SSR": "mjs",
  "tsup, CommonJS": "cjs",
  "tsup, ES module": "mjs",
  "Bun's bundler": "mjs",
  Parcel: "cjs",
};
const QUICK = ["esbuild, CommonJS, minified", "esbuild, ES module", "webpack, CommonJS"];
/** Program -> what it is for. Only ES modules may wait at their top. */
const PROGRAMS = {
  index: "imds-guard",
  firewall: "imds-guard/firewall",
  register: "imds-guard/register",
  "imds-package": "imds-guard/credential-provider-imds",
  await: "imds-guard, top-level await",
};
const RESOLUTIONS = ["nodenext", "node16", "bundler", "node10"];
const GROUP = "Bundlers";

/** @param {(name: string) => Promise<string>} newest @returns {Promise<Row[]>} */
export async function bundlerRows(newest) {
  const versions = async (/** @type {readonly string[]} */ names) =>
    Object.fromEntries(await Promise.all(names.map(async (name) => [name, await newest(name)])));
  const sdk = await versions(["@aws-sdk/client-s3"]);
  const wants = {
    name: "bundlers",
    dependencies: { ...sdk, ...(await versions(TOOLS)), typescript5: `npm:typescript@${TYPESCRIPT_5}` },
  };
  const withNitro = { name: "nitro", dependencies: { ...sdk, ...(await versions(NITRO)) } };
  const withNext = { name: "next", dependencies: { ...sdk, ...(await versions(NEXT)) } };
  const named = (/** @type {string} */ tool) =>
    Object.entries({ ...wants.dependencies, ...withNext.dependencies, ...withNitro.dependencies }).find(
      ([name]) => PACKAGES.get(tool) === name || name === tool.toLowerCase().replace(/'s bundler$/, ""),
    )?.[1] ?? "";
  const title = (/** @type {string} */ form) =>
    form.replace(/^[\w']+(?: bundler)?/, (tool) => `${tool} ${named(tool)}`);

  return [
    ...Object.entries(FORMS).flatMap(([form, extension]) =>
      Object.entries(PROGRAMS)
        .filter(([program]) => program !== "await" || extension === "mjs")
        .map(([program, entry]) => ({
          group: GROUP,
          name: title(form),
          form: entry,
          quick: QUICK.includes(form) && program !== "imds-package",
          wants,
          prepare: (/** @type {string} */ folder) => build(folder, form),
          start: (/** @type {string} */ folder) => ({
            program: join(folder, "out", form.replace(/\W+/g, "-"), `${program}.${extension}`),
            options: {},
          }),
          judge: judgeDoors,
          // The main entry runs on every host; the others are short programs whose build is what differs.
          ...(program === "index"
            ? {}
            : { hosts: /** @type {import("./hosts.mjs").Host[]} */ (["impersonator", "EC2"]) }),
        })),
    ),
    ...["Next, webpack", "Next, Turbopack", "Nitro"].map((form) => ({
      group: GROUP,
      name: title(form),
      form: "imds-guard",
      quick: false,
      wants: form === "Nitro" ? withNitro : withNext,
      prepare: (/** @type {string} */ folder) => build(folder, form),
      start: (/** @type {string} */ folder) => ({
        program: join(folder, `bundled/${form === "Nitro" ? "nitro" : "next"}-app/serve.mjs`),
        options: { env: { DIST_DIR: `.next-${form.replace("Next, ", "").toLowerCase()}`, NODE_ENV: "production" } },
      }),
      judge: judgeWithOwn(1),
    })),
    ...RESOLUTIONS.map((resolution) => ({
      group: GROUP,
      name: `TypeScript ${resolution === "node10" ? TYPESCRIPT_5 : named("typescript")}, ${resolution}`,
      form: "types of every entry",
      quick: true,
      wants,
      prepare: (/** @type {string} */ folder) => build(folder, `TypeScript, ${resolution}`),
      start: nothing,
      judge: () => undefined,
      hosts: [],
    })),
    {
      group: GROUP,
      name: title("esbuild, a client and the chain, minified"),
      form: `at most ${MOST_BYTES / 1_000} kB`,
      quick: false,
      wants,
      prepare: async (folder) => (await build(folder, "size")) ?? oversize(folder),
      start: nothing,
      judge: () => undefined,
      hosts: [],
    },
  ];
}

/** Built once for all of its programs. @type {Map<string, Promise<{ warnings: string[], bytes?: number }>>} */
const built = new Map();

/** @param {string} folder @param {string} form */
async function outputOf(folder, form) {
  let output = built.get(form);
  if (output === undefined) {
    output = command(process.execPath, [join(folder, "bundled/build.mjs"), form], folder).then(({ stdout }) =>
      JSON.parse(stdout.slice(stdout.lastIndexOf('{"'))),
    );
    built.set(form, output);
  }
  return output;
}

/** @param {string} folder @param {string} form @returns {Promise<string | undefined>} what is wrong */
async function build(folder, form) {
  const { warnings } = await outputOf(folder, form);
  return warnings.length === 0
    ? undefined
    : `${warnings.length} warnings: ${warnings
        .slice(0, 3)
        .map((text) => text.trim().replace(/\s+/g, " ").slice(0, 300))
        .join(" | ")}`;
}

/** @param {string} folder */
async function oversize(folder) {
  const { bytes = 0 } = await outputOf(folder, "size");
  return bytes <= MOST_BYTES ? undefined : `${bytes} bytes`;
}

/** @returns {never} */
function nothing() {
  throw new Error("there is nothing to run");
}
