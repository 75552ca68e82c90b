// @ts-check
/** The doors of an application to IMDS, and which program goes through each. */
import { fileURLToPath } from "node:url";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { ATTACKER_ACCOUNT } from "../support/impersonator.mjs";

/**
 * @typedef {object} Entry
 * @property {string} name
 * @property {string} sentence
 * @property {"ask" | "exec" | "worker"} program
 * @property {string} asks the name of it in `clients/ask.mjs`
 * @property {boolean} together it shares a process, and off EC2 an order, with others of its kind
 * @property {boolean} [preload] the process is started with `-r imds-guard/register`
 * @property {"polluted" | "proxied" | "settings"} [before] what surrounds the application before anything is loaded
 * @property {"polluted" | "proxied"} [after] what surrounds it once our modules are
 * @property {string} [of] the door of which it is a variant: what the victim's settings concede there they concede
 * here, too. It is tried on a host of every sort, and not on every one
 * @property {"key" | "region" | "instance id"} gives
 */

/** Doors of an application that is not alone in its process. @type {readonly (Omit<Entry, "together"> & { of: string })[]} */
const VARIANTS = [
  {
    name: "polluted",
    of: "chain",
    sentence: "fromNodeProviderChain, with settings and options on Object.prototype before anything is loaded",
    program: "ask",
    asks: "chain",
    before: "polluted",
    gives: "key",
  },
  {
    name: "polluted later",
    of: "chain",
    sentence: "fromNodeProviderChain, with settings and options on Object.prototype once it is loaded",
    program: "ask",
    asks: "chain",
    after: "polluted",
    gives: "key",
  },
  {
    name: "polluted instance",
    of: "instance",
    sentence: "fromInstanceMetadata, with settings and options on Object.prototype once it is loaded",
    program: "ask",
    asks: "instance",
    after: "polluted",
    gives: "key",
  },
  {
    name: "polluted region",
    of: "region",
    sentence: "fromGuardedRegion, with settings and options on Object.prototype once it is loaded",
    program: "ask",
    asks: "region",
    after: "polluted",
    gives: "region",
  },
  {
    name: "polluted metadata",
    of: "metadata",
    sentence: "MetadataService.request, with settings and options on Object.prototype before anything is loaded",
    program: "ask",
    asks: "metadata",
    before: "polluted",
    gives: "instance id",
  },
  {
    name: "polluted preload",
    of: "preload",
    sentence: "the stock SDK's own chain under the preload, with settings on Object.prototype before it",
    program: "ask",
    asks: "stock-chain",
    before: "settings",
    preload: true,
    gives: "key",
  },
  {
    name: "proxied",
    of: "chain",
    sentence: "fromNodeProviderChain, after a library put an agent on every request",
    program: "ask",
    asks: "chain",
    before: "proxied",
    gives: "key",
  },
  {
    name: "proxied later",
    of: "chain",
    sentence: "fromNodeProviderChain, before a library put an agent on every request",
    program: "ask",
    asks: "chain",
    after: "proxied",
    gives: "key",
  },
  {
    name: "proxied preload",
    of: "preload",
    sentence: "the stock SDK's own chain under the preload, after a library put an agent on every request",
    program: "ask",
    asks: "stock-chain",
    before: "proxied",
    preload: true,
    gives: "key",
  },
  {
    name: "two forms",
    of: "chain",
    sentence: "fromNodeProviderChain that was required, with a guard that was imported",
    program: "ask",
    asks: "imported-and-required",
    gives: "key",
  },
  {
    name: "installed twice",
    of: "chain",
    sentence: "fromNodeProviderChain of one copy with a guard of a second, under the preload of the first",
    program: "ask",
    asks: "installed-twice",
    preload: true,
    gives: "key",
  },
  {
    name: "inlined",
    of: "chain",
    sentence: "fromNodeProviderChain that a bundler put into the program, with a guard of the installed copy",
    program: "ask",
    asks: "inlined",
    gives: "key",
  },
  {
    name: "worker",
    of: "chain",
    sentence: "fromNodeProviderChain in a worker",
    program: "worker",
    asks: "chain",
    gives: "key",
  },
  {
    name: "worker preload",
    of: "preload",
    sentence: "the stock SDK's own chain in a worker under the preload",
    program: "worker",
    asks: "stock-chain",
    preload: true,
    gives: "key",
  },
  {
    name: "worker polluted",
    of: "chain",
    sentence:
      "fromNodeProviderChain in a worker, with settings and options on Object.prototype before anything is loaded",
    program: "worker",
    asks: "chain",
    before: "polluted",
    gives: "key",
  },
  {
    name: "worker proxied",
    of: "chain",
    sentence: "fromNodeProviderChain in a worker, after a library put an agent on every request",
    program: "worker",
    asks: "chain",
    before: "proxied",
    gives: "key",
  },
  {
    name: "worker twice",
    of: "chain",
    sentence: "fromNodeProviderChain of one copy with a guard of a second, in a worker",
    program: "worker",
    asks: "installed-twice",
    gives: "key",
  },
];

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
  ...VARIANTS.map((variant) => ({ ...variant, together: false })),
];

const PROGRAMS = {
  ask: fileURLToPath(new URL("clients/ask.mjs", import.meta.url)),
  exec: fileURLToPath(new URL("clients/exec.mjs", import.meta.url)),
  worker: fileURLToPath(new URL("clients/worker.mjs", import.meta.url)),
};
const surroundings = (/** @type {string} */ name) =>
  fileURLToPath(new URL(`surroundings/${name}.cjs`, import.meta.url));

/** Small halves of the young generation, so that what is measured is what is held and not what waits to be swept. */
const MEASURED = ["--expose-gc", "--max-semi-space-size=1"];

/**
 * How to start the program of an entry. @param {Pick<Entry, "program" | "preload" | "before" | "after">} entry @returns
 * {{ program: string, execArgv: readonly string[], env: Readonly<Record<string, string>> }}
 */
export function startOf({ program, preload, before, after }) {
  const required = [
    ...(before === undefined ? [] : [surroundings(before)]),
    ...(preload === true ? [dist("register.cjs")] : []),
  ];
  return {
    program: PROGRAMS[program],
    execArgv: program === "exec" ? [] : [...MEASURED, ...required.flatMap((path) => ["-r", path])],
    env: after === undefined ? {} : { ATTACK_AFTER: surroundings(after) },
  };
}

/**
 * Environment of every victim: short deadlines, so that a thousand of them end soon. @param {{ config: string,
 * certificate: string, copies: { second: string, inlined: string } }} files
 */
export function victimEnvironment({ config, certificate, copies }) {
  return {
    AWS_CONFIG_FILE: config,
    AWS_SHARED_CREDENTIALS_FILE: `${config}.none`,
    AWS_EC2_METADATA_SERVICE_NUM_ATTEMPTS: "1",
    ATTACK_CLI: dist("cli.js"),
    ATTACK_INLINED: copies.inlined,
    ATTACK_SECOND_COPY: copies.second,
    ATTACK_STRANGER: accessKeyIdFor(ATTACKER_ACCOUNT),
    IMDS_GUARD_CERTIFICATES: `eu-central-1=${certificate}`,
    IMDS_GUARD_TIMEOUT: String(DEADLINE_MS),
    IMDS_GUARD_MAX_RETRIES: "1",
    IMDS_GUARD_PROBE: "off",
    IMDS_GUARD_LOG: "off",
  };
}

/** The guard's own deadline in every cell. */
export const DEADLINE_MS = 500;
