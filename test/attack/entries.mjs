// @ts-check
/** The doors of an application to IMDS, and which program goes through each. */
import { fileURLToPath } from "node:url";

/**
 * @typedef {object} Entry
 * @property {string} name
 * @property {string} sentence
 * @property {"ask" | "exec"} program
 * @property {string} asks the name of it in `clients/ask.mjs`
 * @property {boolean} together it shares a process, and off EC2 an order, with others of its kind
 * @property {boolean} [preload] the process is started with `-r imds-guard/register`
 * @property {"key" | "region" | "instance id"} gives
 */

const dist = (/** @type {string} */ name) => fileURLToPath(new URL(`../../dist/${name}`, import.meta.url));

/** @type {readonly Entry[]} */
export const ENTRIES = [
  { name: "chain", sentence: "fromNodeProviderChain", program: "ask", asks: "chain", together: true, gives: "key" },
  {
    name: "instance",
    sentence: "fromInstanceMetadata",
    program: "ask",
    asks: "instance",
    together: true,
    gives: "key",
  },
  {
    name: "ini",
    sentence: "fromIni, a profile with credential_source = Ec2InstanceMetadata",
    program: "ask",
    asks: "ini",
    together: true,
    gives: "key",
  },
  { name: "region", sentence: "fromGuardedRegion", program: "ask", asks: "region", together: true, gives: "region" },
  {
    name: "metadata",
    sentence: "MetadataService.request of the instance id",
    program: "ask",
    asks: "metadata",
    together: true,
    gives: "instance id",
  },
  {
    name: "preload",
    sentence: "the stock SDK's own chain under node -r imds-guard/register",
    program: "ask",
    asks: "stock-chain",
    together: false,
    preload: true,
    gives: "key",
  },
  {
    name: "exec",
    sentence: "a program that knows only the stock SDK, under imds-guard exec",
    program: "exec",
    asks: "stock-chain",
    together: false,
    gives: "key",
  },
];

const PROGRAMS = {
  ask: fileURLToPath(new URL("clients/ask.mjs", import.meta.url)),
  exec: fileURLToPath(new URL("clients/exec.mjs", import.meta.url)),
};

/** Small halves of the young generation, so that what is measured is what is held and not what waits to be swept. */
const MEASURED = ["--expose-gc", "--max-semi-space-size=1"];

/** How to start the program of an entry. @param {Pick<Entry, "program" | "preload">} entry */
export function startOf({ program, preload }) {
  const execArgv = program === "exec" ? [] : [...MEASURED, ...(preload === true ? ["-r", dist("register.cjs")] : [])];
  return { program: PROGRAMS[program], execArgv };
}

/**
 * Environment of every victim: short deadlines, so that a thousand of them end soon. @param {{ config: string,
 * certificate: string }} files
 */
export function victimEnvironment({ config, certificate }) {
  return {
    AWS_CONFIG_FILE: config,
    AWS_SHARED_CREDENTIALS_FILE: `${config}.none`,
    AWS_EC2_METADATA_SERVICE_NUM_ATTEMPTS: "1",
    ATTACK_CLI: dist("cli.js"),
    IMDS_GUARD_CERTIFICATES: `eu-central-1=${certificate}`,
    IMDS_GUARD_TIMEOUT: String(DEADLINE_MS),
    IMDS_GUARD_MAX_RETRIES: "1",
    IMDS_GUARD_PROBE: "off",
    IMDS_GUARD_LOG: "off",
  };
}

/** The guard's own deadline in every cell. */
export const DEADLINE_MS = 500;
