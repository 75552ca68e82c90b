// @ts-check
/** Inputs on disk: what reached something once, by target, and what broke a promise once. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { targetOfFile } from "./settings.mjs";

const CORPUS = fileURLToPath(new URL("corpus/", import.meta.url));
const FINDINGS = fileURLToPath(new URL("findings/", import.meta.url));

const nameOf = (/** @type {Uint8Array} */ input) => createHash("sha256").update(input).digest("hex").slice(0, 12);
const filesIn = (/** @type {string} */ folder) =>
  existsSync(folder)
    ? readdirSync(folder)
        .toSorted()
        .map((file) => ({ file, input: readFileSync(join(folder, file)) }))
    : [];

/** @param {string} target */
export function readCorpus(target) {
  return filesIn(join(CORPUS, target)).map(({ input }) => input);
}

/** @param {string} target @param {readonly Buffer[]} inputs */
export function addToCorpus(target, inputs) {
  if (inputs.length === 0) return;
  mkdirSync(join(CORPUS, target), { recursive: true });
  for (const input of inputs) writeFileSync(join(CORPUS, target, nameOf(input)), input);
}

/** @param {string} target @param {readonly Buffer[]} inputs */
export function replaceCorpus(target, inputs) {
  rmSync(join(CORPUS, target), { recursive: true, force: true });
  addToCorpus(target, inputs);
}

/** Every finding by the target that its name begins with. @param {readonly string[]} targets */
export function readFindings(targets) {
  return filesIn(FINDINGS).map(({ file, input }) => ({
    file,
    target: targetOfFile(`findings/${file}`, targets),
    input,
  }));
}

/** @param {string} target @param {Buffer} input @returns {string} the path */
export function addFinding(target, input) {
  mkdirSync(FINDINGS, { recursive: true });
  const path = join(FINDINGS, `${target}-${nameOf(input)}`);
  writeFileSync(path, input);
  return path;
}
