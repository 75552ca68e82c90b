/** The commands in the order of the help; each file is loaded only when its command, or the help, is asked for. */
import { nearest } from "../settings/nearest.js";
import type { Command, CommandList } from "./command.js";
import { UsageError } from "./command.js";

interface Entry {
  readonly name: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

const ENTRIES: readonly Entry[] = [
  { name: "detect", load: () => import("./detect.js") },
  { name: "doctor", load: () => import("./doctor.js") },
  { name: "exec", load: () => import("./exec.js") },
  { name: "serve", load: () => import("./serve.js") },
  { name: "credential-process", load: () => import("./credential-process.js") },
  { name: "scan", load: () => import("./scan.js") },
  { name: "account", load: () => import("./account.js") },
  { name: "sigma", load: () => import("./sigma.js") },
  { name: "policy", load: () => import("./policy.js") },
  { name: "monitor", load: () => import("./monitor.js") },
  { name: "gateway", load: () => import("./gateway.js") },
  { name: "fleet", load: () => import("./fleet.js") },
  { name: "init", load: () => import("./init.js") },
  { name: "demo", load: () => import("./demo.js") },
  { name: "completion", load: () => import("./completion.js") },
  { name: "man", load: () => import("./man.js") },
  { name: "help", load: () => import("./help-command.js") },
];

const NAMES: readonly string[] = ENTRIES.map(({ name }) => name);

/** All commands of the program. */
export const COMMANDS: CommandList = { load, loadAll: () => Promise.all(NAMES.map(load)) };

async function load(name: string): Promise<Command> {
  const entry = ENTRIES.find((candidate) => candidate.name === name);
  if (entry === undefined) {
    const near = nearest(name, NAMES);
    throw new UsageError(
      `there is no command ${name}`,
      near === undefined ? `the commands are ${NAMES.join(", ")}` : `did you mean ${near}?`,
    );
  }
  return (await entry.load()).command;
}
