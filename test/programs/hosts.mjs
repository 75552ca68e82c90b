// @ts-check
/** The four hosts on which every program runs, each with networks, a `/sys` and a responder of its own. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { accountOf } from "../support/access-keys.mjs";
import { createSigner } from "../support/identity-signer.mjs";
import { ATTACKER_ACCOUNT } from "../support/impersonator.mjs";
import { createMachine } from "../support/machine.mjs";

/** @typedef {"laptop" | "impersonator" | "black hole" | "EC2"} Host */
/** @typedef {Awaited<ReturnType<typeof createMachine>>} Machine */
/** @typedef {Awaited<ReturnType<Machine["run"]>> & { seen?: any }} Ran */

export const ACCOUNT = "111122223333";
export const REGION = "eu-central-1";
/** @type {readonly Host[]} */
export const HOSTS = ["laptop", "impersonator", "black hole", "EC2"];

const LIFETIME_MS = 4 * 60 * 60_000;
const RUN_MS = 60_000;
const signer = createSigner();

/** @type {Readonly<Record<Host, { host: string, network: import("../support/machine.mjs").Network }>>} */
const KINDS = {
  laptop: { host: "laptop", network: "none" },
  impersonator: { host: "laptop", network: "self" },
  "black hole": { host: "laptop", network: "silent" },
  EC2: { host: "ec2-nitro", network: "self" },
};

/**
 * Makes the hosts, and what programs on them are told.
 *
 * @param {string} folder for files that their environment names
 */
export async function createHosts(folder) {
  const key = join(folder, "key.pem");
  const config = join(folder, "config");
  writeFileSync(key, signer.publicKeyPem);
  writeFileSync(
    config,
    `[profile role]\nrole_arn = arn:aws:iam::${ACCOUNT}:role/x\ncredential_source = Ec2InstanceMetadata\nregion = ${REGION}\n`,
  );
  /** @type {Readonly<Record<string, string>>} */
  const env = {
    IMDS_GUARD_CERTIFICATES: `${REGION}=${key}`,
    IMDS_GUARD_PROBE: "off",
    AWS_CONFIG_FILE: config,
    AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE: "1",
    AWS_EC2_METADATA_SERVICE_NUM_ATTEMPTS: "1",
  };
  /** @type {Map<Host, Promise<Machine>>} */
  const machines = new Map();
  /** Programs of one host run one after the other: its kernel counts what all of them send. @type {Map<Host, Promise<unknown>>} */
  const last = new Map();

  /** @param {Host} host */
  function machineOf(host) {
    let machine = machines.get(host);
    if (machine === undefined) machines.set(host, (machine = make(host)));
    return machine;
  }

  /** @param {Host} host */
  async function make(host) {
    const machine = await createMachine({ ...KINDS[host], lifetimeMs: LIFETIME_MS });
    await serve(machine, host);
    return machine;
  }

  /** @param {Machine} machine @param {Host} host */
  async function serve(machine, host) {
    if (host === "EC2")
      await machine.serve({
        kind: "genuine",
        privateKeyPem: signer.privateKeyPem,
        identity: { account: ACCOUNT, region: REGION },
      });
    if (host === "impersonator")
      await machine.serve({
        kind: "behaviour",
        name: "flawless",
        persona: { account: ATTACKER_ACCOUNT, region: "us-west-2" },
      });
  }

  return {
    /**
     * Runs a program on a host; `seen` is what came to the service or the impersonator.
     *
     * @param {Host} host @param {string} program @param {import("../support/machine.mjs").RunOptions} [options]
     * @returns {Promise<Ran>}
     */
    run(host, program, options = {}) {
      const work = async () => {
        const machine = await machineOf(host);
        // From here on it counts anew.
        await serve(machine, host);
        const ran = await machine.run(program, { timeoutMs: RUN_MS, ...options, env: { ...env, ...options.env } });
        return host === "EC2" || host === "impersonator" ? { ...ran, seen: await machine.seen() } : ran;
      };
      const result = (last.get(host) ?? Promise.resolve()).then(work, work);
      last.set(host, result);
      return result;
    },
    async close() {
      for (const machine of machines.values()) await (await machine).close();
    },
  };
}

/** The account that the key in a door's value is of. @param {unknown} value */
export function accountIn(value) {
  return typeof value === "string" ? accountOf(value.split(" ")[0]) : undefined;
}
