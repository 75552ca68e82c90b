/** `imds-guard fleet` in this process, against a stand-in for AWS, with everything that it printed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realSystem } from "../../src/base/system.js";
import { COMMANDS } from "../../src/cli/commands.js";
import { command } from "../../src/cli/fleet.js";
import { parseWords } from "../../src/cli/parse.js";
import { createUi } from "../../src/cli/ui.js";
import { UsageError } from "../../src/cli/command.js";
import { emptyRegion, startFleetService } from "../support/fleet-service.mjs";

type Service = Awaited<ReturnType<typeof startFleetService>>;
type ServiceOptions = Parameters<typeof startFleetService>[0];

/** An account and region of the stand-in. */
export type StandInRegion = ReturnType<typeof emptyRegion>;

/** What a run came to. */
export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Of stdout, with `--json`. */
  readonly json: Record<string, unknown> & { readonly instances?: readonly Record<string, unknown>[] };
}

/** A stand-in for AWS, with a folder for files. */
export interface Fleet {
  readonly service: Service;
  readonly folder: string;
  readonly region: (accountId: string, region: string) => StandInRegion;
  readonly run: (...words: string[]) => Promise<Ran>;
  /** What SIGINT does, to the run that is under way. */
  readonly interrupt: () => void;
  readonly close: () => Promise<void>;
}

/** Starts the stand-in and leads the SDK of this process to it. */
export async function openFleet(options: Omit<ServiceOptions, "regionOf"> = {}): Promise<Fleet> {
  const regions = new Map<string, StandInRegion>();
  const region = (accountId: string, name: string): StandInRegion => {
    const key = `${accountId} ${name}`;
    let found = regions.get(key);
    if (found === undefined) regions.set(key, (found = emptyRegion()));
    return found;
  };
  const service = await startFleetService({ ...options, regionOf: region });
  const folder = mkdtempSync(join(tmpdir(), "imds-guard-fleet-test-"));
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: service.url,
    AWS_ACCESS_KEY_ID: "testing",
    AWS_SECRET_ACCESS_KEY: "testing",
    AWS_REGION: "eu-central-1",
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_MAX_ATTEMPTS: "2",
  });
  let stop = new AbortController();
  return {
    service,
    folder,
    region,
    interrupt: () => stop.abort(),
    run: (...words) => {
      stop = new AbortController();
      return run(words, stop.signal);
    },
    close: async () => {
      rmSync(folder, { recursive: true, force: true });
      await service.close();
    },
  };
}

async function run(args: readonly string[], signal: AbortSignal): Promise<Ran> {
  let stdout = "";
  let stderr = "";
  const ui = createUi({
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    env: {},
  });
  let exitCode: number;
  try {
    const { options, words, json } = parseWords(command, args);
    exitCode = await command.run({ options, words, json, ui, system: realSystem, signal, commands: COMMANDS });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    stderr += [error.message, ...(error.hint === undefined ? [] : [error.hint])].join("; ");
    exitCode = 2;
  }
  return {
    exitCode,
    stdout,
    stderr,
    get json() {
      return JSON.parse(stdout) as Ran["json"];
    },
  };
}
