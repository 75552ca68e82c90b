/** `imds-guard serve`: guarded credentials for programs of this host that are started by somebody else. */
import { join } from "node:path";
import { once } from "node:events";
import { createGuard } from "../guard/guard.js";
import type { System } from "../base/system.js";
import { rejectionNotes } from "./exec.js";
import type { Command, CommandContext } from "./command.js";
import { UsageError } from "./command.js";
import { portOf } from "./numbers.js";

/** The path is no secret here: programs have it in their configuration, and the token is what counts. */
const PATH = "/credentials";

export const command: Command = {
  name: "serve",
  summary: "serve proved credentials to other programs of this host",
  usage: "[--port N] [--token-file PATH] [--profile NAME]",
  description: [
    "A daemon on 127.0.0.1 in the format of the container credentials endpoint, which every AWS SDK and the AWS CLI read. Programs need two variables: AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:PORT/credentials and AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=PATH. Whoever can read the token file gets the credentials.",
    "The token is new for each run. Its file is created with mode 0600 where nothing is yet, by default as imds-guard.token in RUNTIME_DIRECTORY (systemd) or XDG_RUNTIME_DIR, and removed at the end.",
    'Serves what the guarded credential chain gives: profile, process, web identity and so on, and the instance where this host is EC2 and the answer was proved. Runs until SIGINT or SIGTERM, then ends with 0; 3 where port or token file cannot be had. Prints one line once it is ready; with --json that line is {"event":"ready","url","tokenFile","pid"}.',
  ],
  options: [
    { name: "port", value: "N", summary: "port on 127.0.0.1; default one that is free" },
    { name: "token-file", value: "PATH", summary: "where the token is written, for the programs to read" },
    { name: "profile", short: "p", value: "NAME", summary: "shared config profile" },
  ],
  examples: [
    { command: "imds-guard serve --port 9912 --token-file /run/imds-guard/token", does: "what a systemd unit runs" },
    { command: "imds-guard serve --json", does: "a free port, told on stdout" },
  ],
  async run(context) {
    const { options, words, ui, json, system, signal } = context;
    if (words.length > 0)
      throw new UsageError(`serve takes no words, and got ${words[0]}`, "to run a program, use imds-guard exec");
    const port = portOf(options["port"], "port");
    const tokenPath = tokenPathOf(options, system);
    const { profile } = options;
    const named = typeof profile === "string" ? { profile } : {};
    const guard = createGuard(named, { system });
    // A setting that cannot be honoured is told now and not with the first request.
    await guard.whereAmI();
    const [{ fromNodeProviderChain }, { startCredentialServer }, { createTokenFile }, { notifyReady }] =
      await Promise.all([
        import("../sdk/node-chain.js"),
        import("../serving/credential-server.js"),
        import("../serving/token-file.js"),
        import("../serving/service-manager.js"),
      ]);
    const provide = fromNodeProviderChain({ guard, ...named });
    const server = await startCredentialServer({
      provide: () => provide(),
      path: PATH,
      port,
      holdsProcess: true,
      onRejected: rejectionNotes(ui),
    });
    try {
      const file = createTokenFile(tokenPath, server.token);
      // Also where something ends the process without asking this command.
      process.once("exit", file.remove);
      try {
        if (json) ui.line(JSON.stringify({ event: "ready", url: server.url, tokenFile: file.path, pid: process.pid }));
        else ui.line(`ready: ${server.url}, token in ${file.path}`);
        const unsaid = await notifyReady(system);
        if (unsaid !== undefined)
          ui.note(`warning: systemd-notify failed (${unsaid}); the unit should not be of Type=notify`);
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
  const given = options["token-file"];
  if (typeof given === "string") return given;
  // systemd lists several directories with colons between them.
  const directory = env["RUNTIME_DIRECTORY"]?.split(":")[0] || env["XDG_RUNTIME_DIR"];
  if (directory) return join(directory, "imds-guard.token");
  throw new UsageError(
    "it is not clear where the token goes",
    "give --token-file PATH, in a directory that only this user can write",
  );
}

function tokenFileTaken(path: string): Error {
  return Object.assign(
    new Error(`${path} is there already: another daemon uses it, or one was killed; remove it if none runs`),
    { code: "EEXIST" },
  );
}
