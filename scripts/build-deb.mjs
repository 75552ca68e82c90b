// @ts-check
/**
 * Builds a Debian package from the single executable in dist-binary, with dpkg-deb.
 *
 *   node scripts/build-deb.mjs [--binary PATH] [--output FOLDER]
 *
 * Units, manual page, completions and a user of its own come along; no unit is started by the installation.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: {
    binary: { type: "string", default: join(ROOT, "dist-binary/imds-guard") },
    output: { type: "string", default: join(ROOT, "dist-binary") },
  },
});
const binary = resolve(values.binary);
const { version, description } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const architecture = run("dpkg", "--print-architecture").trim();
const MAINTAINER = "The imds-guard authors <security@imds-guard.invalid>";
const tree = mkdtempSync(join(tmpdir(), "imds-guard-deb-"));

try {
  chmodSync(tree, 0o755);
  put("usr/bin/imds-guard", readFileSync(binary), 0o755);
  for (const name of readdirSync(join(ROOT, "examples/systemd")))
    put(`lib/systemd/system/${name}`, readFileSync(join(ROOT, "examples/systemd", name)));
  put("usr/lib/sysusers.d/imds-guard.conf", packaging("imds-guard.sysusers"));
  put("usr/share/man/man1/imds-guard.1.gz", gzipSync(run(binary, "man"), { level: 9 }));
  put("usr/share/bash-completion/completions/imds-guard", run(binary, "completion", "bash"));
  put("usr/share/zsh/vendor-completions/_imds-guard", run(binary, "completion", "zsh"));
  put("usr/share/fish/vendor_completions.d/imds-guard.fish", run(binary, "completion", "fish"));
  put("usr/share/doc/imds-guard/copyright", copyright());
  put("usr/share/doc/imds-guard/changelog.gz", gzipSync(readFileSync(join(ROOT, "CHANGELOG.md")), { level: 9 }));
  put("usr/share/doc/imds-guard/changelog.Debian.gz", gzipSync(debianChangelog(), { level: 9 }));
  put("usr/share/lintian/overrides/imds-guard", packaging("debian/lintian-overrides"));
  const size = Number(run("du", "-sk", "--apparent-size", tree).split("\t")[0]);
  put("DEBIAN/control", control(size));
  put("DEBIAN/md5sums", run("sh", "-c", `cd "$1" && find usr lib -type f -exec md5sum {} + | sort -k2`, "sh", tree));
  for (const name of ["postinst", "prerm", "postrm"]) put(`DEBIAN/${name}`, packaging(`debian/${name}`), 0o755);
  mkdirSync(resolve(values.output), { recursive: true });
  const file = join(resolve(values.output), `imds-guard_${version}-1_${architecture}.deb`);
  run("dpkg-deb", "--root-owner-group", "-Zxz", "--build", tree, file);
  process.stdout.write(`${file}\n`);
} finally {
  rmSync(tree, { recursive: true, force: true });
}

/** @param {string} program @param {string[]} args */
function run(program, ...args) {
  return execFileSync(program, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    env: { PATH: process.env["PATH"], IMDS_GUARD_PROBE: "off" },
  });
}

/** @param {string} path @param {string | Uint8Array} content */
function put(path, content, mode = 0o644) {
  let folder = tree;
  for (const part of dirname(path).split("/")) {
    folder = join(folder, part);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    chmodSync(folder, 0o755);
  }
  writeFileSync(join(tree, path), content);
  chmodSync(join(tree, path), mode);
}

/** @param {string} name */
function packaging(name) {
  return readFileSync(join(ROOT, "scripts/packaging", name));
}

/** @param {number} size in KiB */
function control(size) {
  return `Package: imds-guard
Version: ${version}-1
Section: admin
Priority: optional
Architecture: ${architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${size}
Depends: libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 8)
Recommends: systemd, nftables
Description: ${description.replace(/^Drop-in /, "")}
 Tells whether this host is EC2, who answers as its metadata service and who
 would believe it; runs programs of any language with credentials that were
 proved, or with none; and watches the network and the logs for whoever plays
 the metadata service. Contains Node.js.
`;
}

/** Ours, and that of what is inside. */
function copyright() {
  const indented = (/** @type {string} */ text) =>
    text
      .trim()
      .split("\n")
      .map((line) => ` ${line.trimEnd() === "" ? "." : line.trimEnd()}`)
      .join("\n");
  const notice = indented(readFileSync(join(dirname(binary), "NOTICE"), "utf8"));
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: imds-guard
Comment:
${notice}

Files: *
Copyright: the imds-guard authors
License: Apache-2.0
 On Debian systems the text of this licence is in
 /usr/share/common-licenses/Apache-2.0.
`;
}

function debianChangelog() {
  const date = run(
    "date",
    "-R",
    "-d",
    `@${process.env["SOURCE_DATE_EPOCH"] ?? run("git", "-C", ROOT, "log", "-1", "--format=%ct").trim()}`,
  );
  return `imds-guard (${version}-1) unstable; urgency=medium

  * See changelog.gz.

 -- ${MAINTAINER}  ${date}`;
}
