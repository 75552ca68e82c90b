/** Runs a program as a user would, in an environment in which nothing can reach a real metadata service. */
import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a program came to. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs. */
export interface Program {
  /** Resolves once stdout contains `text`; rejects if the program ends before. */
  printed(text: string): Promise<void>;
  terminate(): void;
  readonly ended: Promise<Ended>;
}

/** An empty home directory: no profile, no credentials. */
export function emptyHome(): string {
  return mkdtempSync(join(tmpdir(), "imds-guard-home-"));
}

/** Starts `node ...args` in `cwd`. Of this process's environment it gets PATH only. */
export function start(args: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Program {
  const home = emptyHome();
  const child = spawn(process.execPath, args, {
    cwd,
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: home,
      USERPROFILE: home,
      IMDS_GUARD_PROBE: "off",
      // Whatever forgets the guard goes to a port where nobody listens, and not to a link-local address.
      AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://127.0.0.1:1",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, stdout, stderr }));
  });
  return {
    ended,
    terminate: () => void child.kill("SIGTERM"),
    printed: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (stdout.includes(text)) resolve();
        };
        child.stdout.on("data", look);
        look();
        void ended.then(
          (result) => reject(new Error(`ended before it printed ${text}: ${JSON.stringify(result)}`)),
          reject,
        );
      }),
  };
}
