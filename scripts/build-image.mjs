// @ts-check
/**
 * Builds an OCI image from the single executable, with umoci: no daemon, no root, no image below it.
 *
 *   node scripts/build-image.mjs [--binary PATH] [--output FOLDER] [--tag TAG]
 *
 * The image holds the executable, the libraries that it asks for (of this system), and nft where this system has it, for
 * `gateway install`. It runs as the user 10100; FOLDER is an image layout, which skopeo or crane copies to a registry.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const { values } = parseArgs({
  options: {
    binary: { type: "string", default: join(ROOT, "dist-binary/imds-guard") },
    output: { type: "string", default: join(ROOT, "dist-binary/image") },
    tag: { type: "string", default: version },
  },
});
const layout = resolve(values.output);
const image = `${layout}:${values.tag}`;
const USER = "10100";
const work = mkdtempSync(join(tmpdir(), "imds-guard-image-"));
const tree = join(work, "tree");

try {
  put("/usr/bin/imds-guard", resolve(values.binary));
  libraries("/usr/bin/imds-guard", resolve(values.binary));
  const nft = "/usr/sbin/nft";
  if (existsSync(nft)) {
    put(nft, nft);
    libraries(nft, nft);
  }
  write(
    "/etc/passwd",
    `root:x:0:0:root:/:/usr/sbin/nologin\nimds-guard:x:${USER}:${USER}:imds-guard:/:/usr/sbin/nologin\n`,
  );
  write("/etc/group", `root:x:0:\nimds-guard:x:${USER}:\n`);
  write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
  write("/usr/share/doc/imds-guard/NOTICE", readFileSync(join(dirname(resolve(values.binary)), "NOTICE"), "utf8"));
  mkdirSync(join(tree, "tmp"));
  chmodSync(join(tree, "tmp"), 0o1777);

  rmSync(layout, { recursive: true, force: true });
  umoci("init", "--layout", layout);
  umoci("new", "--image", image);
  umoci("insert", "--rootless", "--image", image, tree, "/");
  const created = new Date(Number(git("log", "-1", "--format=%ct")) * 1000).toISOString();
  umoci(
    "config",
    ...["--image", image, "--config.user", `${USER}:${USER}`, "--config.entrypoint", "/usr/bin/imds-guard"],
    ...["--config.cmd", "--help", "--config.env", "PATH=/usr/sbin:/usr/bin", "--config.workingdir", "/"],
    ...["--config.label", `org.opencontainers.image.version=${version}`],
    ...["--config.label", "org.opencontainers.image.title=imds-guard"],
    ...["--config.label", "org.opencontainers.image.licenses=Apache-2.0", "--created", created],
    "--no-history",
  );
  umoci("gc", "--layout", layout);
  process.stdout.write(`${image}\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** @param {string[]} args */
function umoci(...args) {
  try {
    execFileSync("umoci", args, { stdio: ["ignore", "ignore", "inherit"] });
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ENOENT") throw error;
    throw new Error("umoci is not installed (Debian and Fedora have it as umoci, Homebrew too)", { cause: error });
  }
}

/** @param {string[]} args */
function git(...args) {
  return execFileSync("git", ["-C", ROOT, ...args], { encoding: "utf8" }).trim();
}

/** @param {string} path @param {string} from */
function put(path, from) {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  copyFileSync(from, join(tree, path));
  chmodSync(join(tree, path), 0o755);
}

/** @param {string} path @param {string} text */
function write(path, text) {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), text, { mode: 0o644 });
}

/** What the loader of this system finds for a program. @param {string} name @param {string} program */
function libraries(name, program) {
  const output = execFileSync("ldd", [program], { encoding: "utf8" });
  const paths = [...output.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path = ""]) => path);
  if (paths.length === 0) throw new Error(`ldd names no library of ${name}:\n${output}`);
  for (const path of paths) put(path, path);
}
