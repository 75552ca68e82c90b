/** What the suites of whole hosts share: programs, orders, lanes and the tally that is printed at the end. */
import { fileURLToPath } from "node:url";
import { accountOf } from "../support/access-keys.mjs";
import { createMachine } from "../support/machine.mjs";

/** The program that asks for credentials inside a machine. */
export const CLIENT = fileURLToPath(new URL("./chain-client.mjs", import.meta.url));
export const STOCK = "@aws-sdk/credential-providers";
/** Our package as an application sees it, by self-reference to the build; another build may be named. */
export const OURS = process.env["RIG_OURS"] ?? "imds-guard";

export type Api = "chain" | "instance" | "guard" | "sts";
export type Machine = Awaited<ReturnType<typeof createMachine>>;
export type Client = Awaited<ReturnType<Machine["open"]>>;

/** What a client program is told to do; see chain-client.mjs. */
export interface Order {
  readonly apis: readonly Api[];
  readonly guard?: Readonly<Record<string, unknown>>;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly refreshes?: number;
  readonly deadlineMs?: number;
}

/** What became of one call; see chain-client.mjs. */
export interface Outcome {
  readonly api: Api;
  readonly keys: readonly string[];
  readonly hung: boolean;
  readonly code?: string;
  readonly message?: string;
  readonly advised?: boolean;
  readonly events: readonly string[];
  readonly responder?: { readonly mac?: string; readonly interface?: string; readonly route?: string };
  readonly ms: number;
  readonly peakRss: number;
}

export interface Answered {
  readonly outcomes: readonly Outcome[];
  readonly connections: number;
  readonly datagrams: number;
}

/** Opens a client of `module` in a machine. */
export function openClient(
  machine: Machine,
  module = OURS,
  env: Readonly<Record<string, string>> = {},
): Promise<Client> {
  return machine.open(CLIENT, { env: { RIG_MODULE: module, AWS_EC2_METADATA_SERVICE_NUM_ATTEMPTS: "1", ...env } });
}

/** One order to a client. A client that died or never replied is an outcome of its own. */
export async function give(client: Client, order: Order): Promise<Answered> {
  const { reply, sent, timedOut } = await client.ask(order, 60_000);
  if (timedOut || !Array.isArray(reply))
    throw new Error(`the client ${timedOut ? "never replied" : JSON.stringify(reply)} to ${JSON.stringify(order)}`);
  return { outcomes: reply as Outcome[], ...sent };
}

/** Runs a client once, as a process that has to end by itself. */
export async function once(
  machine: Machine,
  order: Order,
  {
    module = OURS,
    env = {},
    node,
    execArgv,
  }: { module?: string; env?: Record<string, string>; node?: string; execArgv?: string[] } = {},
) {
  const result = await machine.run(CLIENT, {
    args: ["--once", JSON.stringify(order)],
    env: { RIG_MODULE: module, ...env },
    ...(node !== undefined && { node }),
    ...(execArgv && { execArgv }),
    timeoutMs: 30_000,
  });
  if (result.json === undefined)
    throw new Error(`the client ended with ${result.exitCode ?? result.signal}: ${result.stderr.slice(0, 2_000)}`);
  return { ...result, outcome: result.json as Outcome };
}

/** Runs `work` for every item, at most `lanes` at once. */
export async function inLanes<T>(items: readonly T[], lanes: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  await Promise.all(
    Array.from({ length: Math.min(lanes, items.length) }, async () => {
      for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
    }),
  );
}

/** Makes a machine, lends it, closes it. */
export async function withMachine<T>(
  options: Parameters<typeof createMachine>[0],
  work: (machine: Machine) => Promise<T>,
): Promise<T> {
  const machine = await createMachine(options);
  try {
    return await work(machine);
  } finally {
    await machine.close();
  }
}

/** Keys of any account but `rightful` that reached an application. */
export function leaked(outcome: Outcome, rightful?: string): readonly string[] {
  return outcome.keys.filter((key) => rightful === undefined || accountOf(key) !== rightful);
}
