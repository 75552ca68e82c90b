// @ts-check
/**
 * What a release says of its archives: their digests, and the Homebrew formula that names them.
 *
 *   node scripts/release-files.mjs --archives FOLDER --repository OWNER/NAME [--output FOLDER]
 *
 * Writes SHA256SUMS and imds-guard.rb; every archive that the formula names has to be there.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: { archives: { type: "string" }, repository: { type: "string" }, output: { type: "string" } },
});
const { archives: folder, repository = "" } = values;
if (folder === undefined || !/^[\w.-]+\/[\w.-]+$/.test(repository))
  throw new TypeError("--archives FOLDER and --repository OWNER/NAME are needed");
const output = values.output ?? folder;

const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const names = readdirSync(folder)
  .filter((name) => /\.(?:tar\.gz|deb)$/.test(name))
  .sort();
const digests = new Map(
  names.map((name) => [
    name,
    createHash("sha256")
      .update(readFileSync(join(folder, name)))
      .digest("hex"),
  ]),
);
writeFileSync(join(output, "SHA256SUMS"), names.map((name) => `${digests.get(name)}  ${name}\n`).join(""));

const template = readFileSync(join(ROOT, "scripts/packaging/homebrew.rb"), "utf8");
const formula = template
  .replace(/^# .*\n/, "")
  .replaceAll("@VERSION@", version)
  .replaceAll("@HOMEPAGE@", `https://github.com/${repository}`)
  .replaceAll("@BASE@", `https://github.com/${repository}/releases/download/v${version}`)
  .replace(/@SHA256_([A-Z]+)_([A-Z0-9]+)@/g, (_, system, machine) => {
    const name = `imds-guard-${system.toLowerCase()}-${machine.toLowerCase()}.tar.gz`;
    const digest = digests.get(name);
    if (digest === undefined) throw new Error(`${name} is not in ${folder}`);
    return digest;
  });
writeFileSync(join(output, "imds-guard.rb"), formula);
