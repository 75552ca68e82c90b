/**
 * Programs of this room in a process of their own, and inside a network namespace with real IMDS addresses and routes.
 */
import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import ts from "typescript";

const SOURCES = fileURLToPath(new URL("../../src/", import.meta.url));
/** What the programs use; what these import comes with them. */
const MODULES = ["base/system.ts", "network/responder.ts", "network/probe.ts", "network/dns.ts"];

/** Whether this machine lets an ordinary user make network namespaces and links in them. */
export const namespacesAllowed = spawnSync("unshare", ["-Urn", "ip", "link", "add", "v0", "type", "veth"]).status === 0;

/** The modules of the room as JavaScript, for Node versions that do not read TypeScript. */
export interface CompiledRoom {
  readonly directory: string;
  readonly remove: () => void;
}

export function compileRoom(): CompiledRoom {
  const directory = mkdtempSync(join(tmpdir(), "imds-guard-network-"));
  writeFileSync(join(directory, "package.json"), '{"type":"module"}');
  symlinkSync(join(SOURCES, "../node_modules"), join(directory, "node_modules"));
  const modules = new Set(MODULES);
  for (const name of modules) {
    const compilerOptions = {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2023,
      verbatimModuleSyntax: true,
    };
    const { outputText } = ts.transpileModule(readFileSync(join(SOURCES, name), "utf8"), { compilerOptions });
    for (const { fileName } of ts.preProcessFile(outputText).importedFiles) {
      if (fileName.startsWith(".")) modules.add(join(dirname(name), fileName.replace(/\.js$/, ".ts")));
    }
    const path = join(directory, name.replace(/\.ts$/, ".js"));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, outputText);
  }
  return { directory, remove: () => rmSync(directory, { recursive: true }) };
}

/** Runs shell commands as root of a namespace of their own, then an ES module that sees `./network/...`; its output. */
export async function runInNamespace(room: CompiledRoom, setup: string, program: string): Promise<string> {
  writeFileSync(join(room.directory, "program.js"), program);
  const script = `set -e; ip link set lo up; ${setup}\n"$NODE" program.js`;
  const { stdout } = await promisify(execFile)("unshare", ["-Urn", "sh", "-c", script], {
    cwd: room.directory,
    env: { PATH: process.env["PATH"], NODE: process.execPath },
    timeout: 60_000,
  });
  return stdout;
}

/**
 * A link to a neighbour that never answers: `v0` here is 192.0.2.2/24, the neighbour 192.0.2.1 has the address
 * 02:00:00:00:00:09 on record, and what is sent to it disappears. `$peer` is a process to end when done.
 */
export const SILENT_LINK = `
unshare -n sleep 50 & peer=$!; trap 'kill $peer' EXIT
ip link add v0 type veth peer name v1
until ip link set v1 netns $peer 2>/dev/null && ! ip link show v1 >/dev/null 2>&1; do sleep 0.05; done
nsenter -t $peer -n ip link set v1 up
ip addr add 192.0.2.2/24 dev v0; ip link set v0 up
ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:09 dev v0 nud permanent
`;
