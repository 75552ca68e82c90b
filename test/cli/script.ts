/**
 * Script tests: a host made of namespaces, files on it, commands, and what they have to print. The language is
 * described in README.txt beside the scripts.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createSigner } from "../support/identity-signer.mjs";
import { createMachine } from "../support/machine.mjs";

/** The program under test; another build may be named, and a single executable, which needs no Node.js. */
export const CLI =
  process.env["RIG_BINARY"] ?? process.env["RIG_CLI"] ?? fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

type Machine = Awaited<ReturnType<typeof createMachine>>;

/** One line of a script, with the indented lines below it as its text. */
export interface Step {
  readonly line: number;
  readonly words: readonly string[];
  readonly rest: string;
  readonly text: string;
}

/** Part of a script: everything between two headings. */
export interface Block {
  readonly title: string;
  readonly steps: readonly Step[];
}

/** Reads a script into blocks. Lines that begin with "# " are headings; blank lines separate. */
export function readScript(source: string): Block[] {
  const blocks: { title: string; steps: { line: number; words: string[]; rest: string; text: string }[] }[] = [];
  for (const [index, line] of source.split("\n").entries()) {
    if (line.startsWith("# ")) blocks.push({ title: line.slice(2), steps: [] });
    else if (line.startsWith("    ")) {
      const step = blocks.at(-1)?.steps.at(-1);
      if (step === undefined) throw new Error(`line ${index + 1}: text without a step`);
      step.text += `${line.slice(4)}\n`;
    } else if (line.trim() !== "") {
      const words = line.trim().split(/\s+/);
      blocks.at(-1)?.steps.push({
        line: index + 1,
        words,
        rest: line
          .trim()
          .slice((words[0] as string).length)
          .trim(),
        text: "",
      });
    }
  }
  return blocks;
}

/** Every script beside this file. */
export function scripts(): readonly { readonly name: string; readonly blocks: readonly Block[] }[] {
  const directory = import.meta.dirname;
  return readdirSync(directory)
    .filter((name) => name.endsWith(".txt") && name !== "README.txt")
    .sort()
    .map((name) => ({ name, blocks: readScript(readFileSync(join(directory, name), "utf8")) }));
}

const SIGNER = createSigner();
const KEY_FILE = "/etc/imds-guard-test.pem";
/** Everything that the checks read and tests write lies on file systems of the machine's own. */
const OWN_DIRECTORIES = "/etc /run /opt /var/lib";

interface Ran {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly json: unknown;
  readonly sent: { readonly connections: number; readonly datagrams: number };
}

/** A host on which the blocks of one script run, one after the other. */
export async function openStage(): Promise<{ play: (block: Block) => Promise<void>; close: () => Promise<void> }> {
  const machine = await createMachine({ host: "laptop", network: "none" });
  await machine.command("sh", ["-c", `for dir in ${OWN_DIRECTORIES}; do mount -t tmpfs none $dir; done`]);
  await writeFile(machine, KEY_FILE, SIGNER.publicKeyPem);
  return { play: (block) => playBlock(machine, block), close: () => machine.close() };
}

async function playBlock(machine: Machine, block: Block): Promise<void> {
  const env: Record<string, string> = { NO_COLOR: "1" };
  let user = false;
  let ran: Ran | undefined;
  for (const step of block.steps) {
    const [verb = "", ...args] = step.words;
    try {
      switch (verb) {
        case "host":
          await machine.setHost(args[0] as string);
          break;
        case "network":
          await machine.setNetwork(args[0] as never);
          break;
        case "serve":
          await machine.serve(served(args));
          break;
        case "resolver":
          await startResolver(machine, args);
          break;
        case "user":
          user = args[0] !== "root";
          break;
        case "file":
          await writeFile(machine, args[0] as string, step.text);
          break;
        case "sh":
          await machine.command("sh", ["-ec", `${step.rest}\n${step.text}`]);
          break;
        case "env":
          for (const pair of args) env[pair.slice(0, pair.indexOf("="))] = pair.slice(pair.indexOf("=") + 1);
          break;
        case "run": {
          ran = await run(machine, args.slice(1), env, user);
          if (ran.exitCode !== Number(args[0])) throw new Error(`exit code ${ran.exitCode}, expected ${args[0]}`);
          break;
        }
        default:
          judge(verb, step, ran);
      }
    } catch (error) {
      const output =
        ran === undefined ? "" : `\nstdout:\n${ran.stdout.slice(0, 6_000)}\nstderr:\n${ran.stderr.slice(0, 3_000)}`;
      throw new Error(`line ${step.line}: ${step.words.join(" ")}: ${(error as Error).message}${output}`, {
        cause: error,
      });
    }
  }
}

function served([name = "nobody", ...rest]: readonly string[]): Parameters<Machine["serve"]>[0] {
  if (name === "nobody") return { kind: "nobody" };
  if (name !== "genuine") return { kind: "behaviour", name };
  const identity = Object.fromEntries(
    rest.map((pair) => pair.split("=")).map(([field, value]) => [field, value === "" ? null : value]),
  );
  return { kind: "genuine", privateKeyPem: SIGNER.privateKeyPem, identity };
}

async function writeFile(machine: Machine, path: string, content: string): Promise<void> {
  const place = path.replace(/^~/, '"$HOME"');
  await machine.command("sh", ["-ec", `mkdir -p "$(dirname ${place})"; printf %s "$1" > ${place}`, "sh", content]);
}

const RESOLVER = fileURLToPath(new URL("./dns-stand-in.mjs", import.meta.url));

async function startResolver(machine: Machine, records: readonly string[]): Promise<void> {
  const script =
    'rm -f /run/resolver; "$@" > /run/resolver 2>&1 & until grep -q ready /run/resolver; do sleep 0.05; done';
  await machine.command("sh", ["-c", script, "sh", process.execPath, RESOLVER, ...records]);
}

/** Without capabilities even this machine's root may read only what the mode of a file allows. */
const WITHOUT_RIGHTS = ["--bounding-set=-all", "--inh-caps=-all"];

async function run(
  machine: Machine,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  user: boolean,
): Promise<Ran> {
  const node = process.env["RIG_BINARY"] === undefined ? [process.execPath] : [];
  const [first = "", ...more] = user ? ["setpriv", ...WITHOUT_RIGHTS, ...node] : ["/usr/bin/env", ...node];
  const how = { node: first, execArgv: more };
  return machine.run(CLI, { args: args.map((word) => word.replaceAll("\\s", " ")), env, timeoutMs: 60_000, ...how });
}

function judge(verb: string, { rest, words }: Step, ran: Ran | undefined): void {
  if (ran === undefined) throw new Error("nothing has run yet");
  const negated = verb.startsWith("!");
  switch (negated ? verb.slice(1) : verb) {
    case "stdout":
    case "stderr": {
      const text = verb.endsWith("stdout") ? ran.stdout : ran.stderr;
      if (new RegExp(rest, "m").test(text) === negated) throw new Error(negated ? "is there" : "is not there");
      return;
    }
    case "json": {
      const path = words[1] as string;
      const text = rest.slice(path.length).trim();
      const wanted = text === "absent" ? undefined : (JSON.parse(text) as unknown);
      const value = follow(ran.json, path);
      if (JSON.stringify(value) !== JSON.stringify(wanted)) throw new Error(`is ${JSON.stringify(value)}`);
      return;
    }
    case "connections":
      if (ran.sent.connections !== Number(words[1])) throw new Error(`${ran.sent.connections} were begun`);
      return;
    case "datagrams":
      if (ran.sent.datagrams !== Number(words[1])) throw new Error(`${ran.sent.datagrams} were sent`);
      return;
    default:
      throw new Error("no such step");
  }
}

/** `checks[id=route].0.status`: members, indexes, and the members of a list in which a field has a value. */
function follow(value: unknown, path: string): unknown {
  return (path.match(/\[[^\]]*\]|[^.[\]]+/g) ?? []).reduce<unknown>((at, step) => {
    if (step.startsWith("[")) {
      const [field = "", wanted] = step.slice(1, -1).split("=");
      return Array.isArray(at)
        ? at.filter((item) => String((item as Record<string, unknown>)[field]) === wanted)
        : undefined;
    }
    if (Array.isArray(at) && step === "length") return at.length;
    return typeof at === "object" && at !== null ? (at as Record<string, unknown>)[step] : undefined;
  }, value);
}

/** Whether the program was built. */
export function isBuilt(): boolean {
  return existsSync(CLI);
}
