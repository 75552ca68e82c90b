// @ts-check
/** What may be asked of a mutation run. */
import { existsSync, readdirSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";

/** The rooms that decide, attest, and hand out. */
export const ROOMS = ["host", "settings", "imds", "attest", "guard", "sdk", "firewall", "roles-anywhere", "gateway"];
const MOST_JOBS = 64;
/** Nothing but keys: no test would notice another in one of them. */
const LEFT_OUT = "aws-public-keys.ts";

/**
 * @typedef {object} Wanted
 * @property {readonly string[]} paths of the files to change, absolute
 * @property {readonly string[]} rooms that they are in
 * @property {number} jobs processes of tests at a time
 * @property {string | undefined} json a file
 * @property {number} percent of the mutants to try
 * @property {string | undefined} since a file that `json` named in an earlier run
 */

/**
 * @param {readonly string[]} words of the command line
 * @param {string} root of the package
 * @returns {Wanted}
 * @throws {TypeError} that names the option or file, its value and what is allowed; for unknown options that of
 * `parseArgs`
 */
export function readArguments(words, root) {
  const { values, positionals } = parseArgs({
    args: [...words],
    options: {
      rooms: { type: "string" },
      json: { type: "string" },
      jobs: { type: "string", default: "2" },
      sample: { type: "string", default: "100" },
      since: { type: "string" },
    },
    allowPositionals: true,
  });
  const { rooms: named, json, jobs, sample, since } = values;
  if (!/^\d{1,2}$/.test(jobs) || Number(jobs) < 1 || Number(jobs) > MOST_JOBS)
    throw new TypeError(`--jobs is ${JSON.stringify(jobs)}; allowed: a whole number from 1 to ${MOST_JOBS}`);
  if (!/^\d{1,3}$/.test(sample) || Number(sample) < 1 || Number(sample) > 100)
    throw new TypeError(`--sample is ${JSON.stringify(sample)}; allowed: a whole number from 1 to 100`);
  if (since !== undefined && !existsSync(since))
    throw new TypeError(`--since is ${JSON.stringify(since)}; allowed: the path of a file that --json has written`);
  if (json === "") throw new TypeError('--json is ""; allowed: the path of a file');
  if (named !== undefined && positionals.length > 0)
    throw new TypeError(
      `--rooms is ${JSON.stringify(named)} and ${JSON.stringify(positionals[0])} is named, too; allowed: either rooms or files`,
    );
  const rooms = roomsIn(root);
  for (const room of named?.split(",") ?? []) {
    if (!rooms.includes(room))
      throw new TypeError(`--rooms names ${JSON.stringify(room)}; allowed: ${rooms.join(", ")}`);
  }
  const wanted =
    positionals.length > 0
      ? positionals.map((path) => fileOf(path, root))
      : (named?.split(",") ?? ROOMS).flatMap((room) => sourcesOf(room, root));
  const paths = [...new Set(wanted)];
  const of = [...new Set(paths.map((path) => roomOf(path, root)))];
  return { paths, rooms: of, jobs: Number(jobs), json, percent: Number(sample), since };
}

/** @param {string} given @param {string} root */
function fileOf(given, root) {
  const path = resolve(given);
  const room = roomOf(path, root);
  if (!roomsIn(root).includes(room))
    throw new TypeError(`${JSON.stringify(given)} is in no room; allowed: files in a folder of src`);
  if (!sourcesOf(room, root).includes(path))
    throw new TypeError(
      `${JSON.stringify(given)} is no source that is there; allowed: files of TypeScript, ${LEFT_OUT} left out`,
    );
  return path;
}

/** @param {string} root @returns {string[]} */
function roomsIn(root) {
  return readdirSync(join(root, "src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

/** @param {string} room @param {string} root @returns {string[]} absolute paths */
function sourcesOf(room, root) {
  const folder = join(root, "src", room);
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && basename(name) !== LEFT_OUT)
    .map((name) => join(folder, name))
    .sort();
}

/** @param {string} path @param {string} root */
function roomOf(path, root) {
  return relative(join(root, "src"), path).split("/")[0] ?? "";
}
