/** `imds-guard serve`: guarded credentials for programs of this host that are started by somebody else. */
import { join } from "node:path";
import { once } from "node:events";
import { printable } from "../base/text.js";
import { inBackground } from "../events/quietly.js";
import { createGuard } from "../guard/create-guard.js";
import { notifyReady, takeSocket } from "../serving/service-manager.js";
import { createTokenFile, TOKEN_MODES } from "../serving/token-file.js";
import type { System } from "../base/system.js";
import { rejectionNotes } from "./exec.js";
import type { Command, CommandContext } from "./command.js";
import { UsageError } from "./command.js";
import { portOf } from "./numbers.js";
import { credentialOrigin, readProfiles } from "../serving/credential-origin.js";
import { checkForImpersonator } from "../serving/impersonator-check.js";

/** The path is no secret here: programs have it in their configuration, and the token is what counts. */
const PATH = "/credentials";

export const command: Command = {
  name: "serve",
  summary: "serve proved credentials to other programs of this host",
  usage: "[--port N] [--token-file PATH] [--token-mode MODE] [--profile NAME]",
  description: [
    "A daemon on 127.0.0.1 in the format of the container credentials endpoint, which every AWS SDK and the AWS CLI read. Programs need two variables: AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:PORT/credentials and AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=PATH. Whoever can read the token file gets the credentials.",
    "Without --port it takes the listening socket that a service manager hands over (LISTEN_FDS, a .socket unit of systemd), and else a port that is free. A port that the service manager holds is never free for somebody else, also while this daemon is started anew: programs trust whoever has the port, and send the token there.",
    "The token is new for each run. Its file is created where nothing is yet, by default as imds-guard.token in RUNTIME_DIRECTORY (systemd) or XDG_RUNTIME_DIR, and removed at the end. Its mode is 0600; with --token-mode 0640 the group of this process reads it, too (Group= of the unit).",
    'Serves what the guarded credential chain gives: profile, process, web identity and so on, and the instance where this host is EC2 and the answer was proved. Runs until SIGINT or SIGTERM, then ends with 0; 3 where port or token file cannot be had. Prints one line once it is ready; with --json that line is {"event":"ready","url","tokenFile","pid"}.',
  ],
  options: [
    { name: "port", value: "N", summary: "port on 127.0.0.1; default the socket handed over, else one that is free" },
    { name: "token-file", value: "PATH", summary: "where the token is written, for the programs to read" },
    { name: "token-mode", value: "MODE", words: TOKEN_MODES, summary: "who may read the token; default 0600" },
    { name: "profile", short: "p", value: "NAME", summary: "shared config profile" },
  ],
  examples: [
    {
      command: "imds-guard serve --token-file /run/imds-guard/token --token-mode 0640",
      does: "what a systemd unit runs, with the socket of its .socket unit",
    },
    { command: "imds-guard serve --json", does: "a free port, told on stdout" },
  ],
  async run(context) {
    const { options, words, ui, json, system, signal } = context;
    if (words.length > 0)
      throw new UsageError(`serve takes no words, and got ${words[0]}`, "to run a program, use imds-guard exec");
    const port = portOf(options["port"], "port");
    const tokenPath = tokenPathOf(options, system);
    const tokenMode = tokenModeOf(options["token-mode"]);
    const descriptor = takeSocket(process.env, process.pid);
    if (descriptor !== undefined && options["port"] !== undefined)
      throw new UsageError("--port is given, and the service manager hands over a socket", "leave --port out");
    const { profile } = options;
    const named = typeof profile === "string" ? { profile } : {};
    const guard = createGuard(named, { system });
    // A setting that cannot be honoured is told now and not with the first request.
    await guard.whereAmI();
    const [{ fromNodeProviderChain }, { startCredentialServer }] = await Promise.all([
      import("../sdk/node-chain.js"),
      import("../serving/credential-server.js"),
    ]);
    const provide = fromNodeProviderChain({ guard, ...named });
    const origin = credentialOrigin(system.env, await readProfiles(system, named.profile), named.profile);
    if (origin === "instance" || origin === "profile-of-instance") inBackground(() => checkForImpersonator(guard));
    const server = await startCredentialServer({
      provide: () => provide(),
      path: PATH,
      port,
      descriptor,
      holdsProcess: true,
      onRejected: rejectionNotes(ui),
    });
    try {
      const file = createTokenFile(tokenPath, server.token, tokenMode);
      // Also where something ends the process without asking this command.
      process.once("exit", file.remove);
      try {
        if (json) ui.line(JSON.stringify({ event: "ready", url: server.url, tokenFile: file.path, pid: process.pid }));
        else ui.line(`ready: ${server.url}, token in ${file.path}`);
        const failure = await notifyReady(system);
        if (failure !== undefined)
          ui.note(`warning: systemd-notify failed (${failure}); the unit should not be of Type=notify`);
        if (!signal.aborted) await once(signal, "abort");
      } finally {
        file.remove();
      }
    } catch (error) {
      throw (error as NodeJS.ErrnoException).code === "EEXIST" ? tokenFileTaken(tokenPath) : error;
    } finally {
      await server.close();
      await guard.close();
    }
    return 0;
  },
};

function tokenPathOf(options: CommandContext["options"], { env }: System): string {
  const option = options["token-file"];
  if (typeof option === "string") return option;
  // systemd lists several directories with colons between them.
  const directory = env["RUNTIME_DIRECTORY"]?.split(":")[0] || env["XDG_RUNTIME_DIR"];
  if (directory) return join(directory, "imds-guard.token");
  throw new UsageError(
    "it is not clear where the token goes",
    "give --token-file PATH, in a directory that only this user can write",
  );
}

function tokenModeOf(option: CommandContext["options"][string]): (typeof TOKEN_MODES)[number] {
  const found = TOKEN_MODES.find((mode) => option === undefined || mode === option);
  if (found !== undefined) return found;
  throw new UsageError(
    `--token-mode is ${printable(String(option))}; allowed: ${TOKEN_MODES.join(", ")}`,
    "the token is never readable by all",
  );
}

function tokenFileTaken(path: string): Error {
  return Object.assign(
    new Error(`${path} is there already: another daemon uses it, or one was killed; remove it if none runs`),
    { code: "EEXIST" },
  );
}
