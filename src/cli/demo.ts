/** `imds-guard demo`: an impersonator on a network made for it, and what two credential chains take from it. */
import { join } from "node:path";
import { OWN_FOLDER } from "../base/own-folder.js";
import type { Command, ExitCode } from "./command.js";
import { UsageError } from "./command.js";

export const command: Command = {
  name: "demo",
  summary: "show an impersonated metadata service, and what the stock chain takes from it",
  usage: "[--loopback]",
  description: [
    "Plays three hosts: a laptop with somebody on its network who answers as 169.254.169.254, an EC2 instance, and a server where such packets are dropped. The AWS SDK's own credential chain and that of imds-guard ask on each, side by side.",
    "The hosts are made of Linux namespaces, which needs no root; nothing leaves this machine, and its own settings are not read. Where there are no namespaces (macOS, Windows, most containers), it is played on loopback addresses.",
  ],
  options: [{ name: "loopback", summary: "play on loopback addresses, and make no hosts" }],
  examples: [{ command: "npx imds-guard demo", does: "see it before anything is installed" }],
  async run({ options, words, system }) {
    if (words.length > 0) throw new UsageError(`demo takes no words, and got ${words[0]}`);
    const { runProgram } = await import("../serving/run-program.js");
    const { PATH, HOME, TERM, NO_COLOR, FORCE_COLOR } = system.env;
    const kept = Object.entries({ PATH, HOME, TERM, NO_COLOR, FORCE_COLOR, IMDS_GUARD_PROBE: "off" });
    // Windows starts nothing without its own.
    const windows = system.platform === "win32" ? Object.entries({ ...system.env }) : [];
    const env = Object.fromEntries(
      [...windows, ...kept].filter((pair): pair is [string, string] => pair[1] !== undefined),
    );
    const demo = join(OWN_FOLDER ?? "", "demo.cjs");
    const args = options["loopback"] === true ? ["--loopback"] : [];
    const { exitCode } = await runProgram(process.execPath, [demo, ...args], env);
    return (exitCode === 0 ? 0 : 3) satisfies ExitCode;
  },
};
