/**
 * What the preload does with the modules of the AWS SDK, in processes of their own: packages of the SDK's names and of
 * every shape that its builds have had, and of none of them.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const REGISTER = fileURLToPath(new URL("../../dist/register.cjs", import.meta.url));
const PACKAGE = "@aws-sdk/credential-provider-node";

const SHAPES = {
  values: `exports.defaultProvider = stock; exports.other = 1;`,
  "esbuild getters": `0 && (module.exports = { defaultProvider, other });
    const all = {}; for (const [name, get] of [["defaultProvider", () => stock], ["other", () => 1]])
      Object.defineProperty(all, name, { get, enumerable: true });
    module.exports = all;`,
  "tsc getters": `Object.defineProperty(exports, "__esModule", { value: true });
    Object.defineProperty(exports, "defaultProvider", { enumerable: true, get: function () { return stock; } });
    exports.other = 1;`,
  frozen: `exports.defaultProvider = stock; exports.other = 1; Object.freeze(exports);`,
};
const STRANGE = {
  "without the member": `exports.other = 1;`,
  "a function": `module.exports = Object.assign(() => 1, { defaultProvider: 5, other: 1 });`,
  "a proxy that tells nothing": `module.exports = new Proxy({ other: 1, defaultProvider: stock },
    { getOwnPropertyDescriptor() { throw new Error("no"); } });`,
};
const STOCK = `const stock = () => async () => ({ accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "x" });\n`;

describe("a module of the SDK under the preload", () => {
  let folder: string;
  beforeAll(() => {
    expect(existsSync(REGISTER), "build first").toBe(true);
    folder = mkdtempSync(join(tmpdir(), "imds-guard-stock-sdk-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function run(body: string, program: string, file: "app.cjs" | "app.mjs" = "app.cjs") {
    const dist = join(folder, "node_modules", PACKAGE, "dist-cjs");
    mkdirSync(dist, { recursive: true });
    writeFileSync(join(dist, "../package.json"), JSON.stringify({ name: PACKAGE, main: "./dist-cjs/index.js" }));
    writeFileSync(join(dist, "index.js"), STOCK + body);
    writeFileSync(join(folder, file), program);
    const events = join(folder, "events.jsonl");
    rmSync(events, { force: true });
    const out = execFileSync(process.execPath, ["-r", REGISTER, join(folder, file)], {
      encoding: "utf8",
      env: { IMDS_GUARD_PROBE: "off", IMDS_GUARD_LOG: "off", IMDS_GUARD_EVENTS_FILE: events },
    });
    return JSON.parse(out) as Record<string, unknown>;
  }

  it.each(Object.entries(SHAPES))("is adapted, the same for each who loads it: %s", (_, body) => {
    const seen = run(
      body,
      `const first = require("${PACKAGE}"), again = require("${PACKAGE}");
       const { defaultProvider } = first, spread = { ...again };
       import("${PACKAGE}").then((namespace) => console.log(JSON.stringify({
         same: first === again && require.cache[require.resolve("${PACKAGE}")].exports === first,
         imported: namespace.default === first && namespace.defaultProvider === defaultProvider,
         spread: spread.defaultProvider === defaultProvider,
         other: [first.other, namespace.other],
         adapted: defaultProvider.name !== "stock",
       })));`,
    );
    expect(seen).toEqual({ same: true, imported: true, spread: true, other: [1, 1], adapted: true });
  });

  it.each(Object.entries(STRANGE))("stays as it is, and an event says so: %s", (_, body) => {
    const seen = run(
      body,
      `const events = []; require("node:diagnostics_channel").subscribe("imds-guard:event", (event) => events.push(event.code));
       const module_ = require("${PACKAGE}");
       console.log(JSON.stringify({ other: module_.other, again: module_ === require("${PACKAGE}"), events }));`,
    );
    expect(seen).toEqual({ other: 1, again: true, events: ["preload.module_unadapted"] });
  });

  it("is given as far as it is where two modules load each other", () => {
    const seen = run(
      `require("../circle.js"); exports.defaultProvider = stock; exports.other = 1;`,
      `const { writeFileSync } = require("node:fs");
       writeFileSync(require("node:path").join(__dirname, "node_modules/${PACKAGE}/circle.js"),
         'const early = require("${PACKAGE}"); module.exports = () => early.other;');
       const whole = require("${PACKAGE}");
       console.log(JSON.stringify({ early: require("${PACKAGE}/circle.js")(), adapted: whole.defaultProvider.name !== "stock" }));`,
    );
    expect(seen).toEqual({ early: 1, adapted: true });
  });

  it("asks the guard for a region where a tracer hands out its own copy of node:http", () => {
    const lookup = join(folder, "node_modules/@smithy/core/dist-cjs/submodules/config");
    mkdirSync(lookup, { recursive: true });
    writeFileSync(join(lookup, "index.js"), `exports.lookup = () => require("node:http");`);
    const seen = run(
      SHAPES.values,
      `const { Module } = require("node:module"), plain = Module.prototype.require;
       const kept = { ...require("node:http") };
       Module.prototype.require = function (id) { return id === "node:http" ? kept : plain.call(this, id); };
       const { lookup } = require(${JSON.stringify(join(lookup, "index.js"))});
       console.log(JSON.stringify({ led: lookup().request !== kept.request, kept: lookup().Agent === kept.Agent,
         others: require("node:http") === kept }));`,
    );
    expect(seen).toEqual({ led: true, kept: true, others: true });
  });

  it("reaches an application of ES modules", () => {
    const seen = run(
      SHAPES["esbuild getters"],
      `import * as all from "${PACKAGE}"; import { defaultProvider, other } from "${PACKAGE}";
       console.log(JSON.stringify({ names: Object.keys(all).sort(), other, adapted: defaultProvider.name !== "stock" }));`,
      "app.mjs",
    );
    expect(seen).toMatchObject({ other: 1, adapted: true });
    expect(seen["names"]).toEqual(expect.arrayContaining(["default", "defaultProvider", "other"]));
  });
});
