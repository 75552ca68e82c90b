// @ts-check
/** Libraries that ask IMDS with code of their own, under the preload, and loggers that are given a refusal. */
import { join } from "node:path";
import { ACCOUNT, accountIn } from "./hosts.mjs";
import { crashOf, judgeDoors } from "./judge.mjs";

/** @typedef {import("./table.mjs").Row} Row */

const GROUP = "Other libraries";
const REGISTER = "node_modules/imds-guard/dist/register.cjs";
/** Door -> the packages that it is made of, the first of which gives the name. */
const CLIENTS = {
  google: ["google-auth-library"],
  detector: ["@opentelemetry/resource-detector-aws", "@opentelemetry/resources", "@opentelemetry/api"],
};
/** Asks the address of IMDS for Google's service, which has to be refused everywhere. */
const STRANGER = ["gcp-metadata"];
const TRACERS = [
  "dd-trace",
  "elastic-apm-node",
  "newrelic",
  "@sentry/node",
  "@opentelemetry/auto-instrumentations-node",
];
const TRACED = ["chain", "s3"];
/** Tracer -> how it comes into a program of ES modules, whose loading it hooks. @type {Readonly<Record<string, readonly string[]>>} */
const HOOKS = {
  "dd-trace": ["--import", "dd-trace/initialize.mjs"],
  newrelic: ["--import", "newrelic/esm-loader.mjs"],
  "@sentry/node": ["--import", "@sentry/node/import"],
  "@opentelemetry/auto-instrumentations-node": ["--experimental-loader", "@opentelemetry/instrumentation/hook.mjs"],
};
/** No collector is there. */
const TRACER_SETTINGS = {
  DD_TRACE_STARTUP_LOGS: "false",
  NEW_RELIC_ENABLED: "false",
  OTEL_TRACES_EXPORTER: "none",
  OTEL_METRICS_EXPORTER: "none",
  OTEL_LOGS_EXPORTER: "none",
};
const LOGGERS = ["pino", "winston", "bunyan"];

/** @param {(name: string) => Promise<string>} newest @returns {Promise<Row[]>} */
export async function ownClientRows(newest) {
  const versions = async (/** @type {readonly string[]} */ names) =>
    Object.fromEntries(await Promise.all(names.map(async (name) => [name, await newest(name)])));
  const program = (/** @type {string} */ folder) => join(folder, "own-clients.cjs");
  /** @type {Row[]} */
  const rows = [];
  for (const [door, packages] of Object.entries(CLIENTS)) {
    const dependencies = await versions(packages);
    const common = {
      group: GROUP,
      name: `${packages[0]} ${dependencies[packages[0] ?? ""]}`,
      quick: false,
      wants: { name: `client-${door}`, dependencies },
    };
    for (const answers of ["credentials", "off"])
      rows.push({
        ...common,
        form: `-r, firewallAnswers ${answers}`,
        start: (folder) => ({
          program: program(folder),
          options: {
            args: [door],
            execArgv: ["-r", join(folder, REGISTER)],
            env: { IMDS_GUARD_FIREWALL_ANSWERS: answers },
          },
        }),
        judge: answers === "off" ? judgeRefused : judgeServed,
      });
  }
  const stranger = await versions(STRANGER);
  rows.push({
    group: GROUP,
    name: `${STRANGER[0]} ${stranger[STRANGER[0] ?? ""]}`,
    form: "-r, firewallAnswers credentials",
    quick: false,
    wants: { name: "client-gcp", dependencies: stranger },
    start: (folder) => ({
      program: program(folder),
      options: {
        args: ["google_detector"],
        execArgv: ["-r", join(folder, REGISTER)],
        env: { IMDS_GUARD_FIREWALL_ANSWERS: "credentials" },
      },
    }),
    judge: judgeRefused,
  });
  const sdk = await versions(["@aws-sdk/client-s3", "@aws-sdk/credential-providers"]);
  for (const tracer of TRACERS) {
    const dependencies = { ...sdk, ...(await versions([tracer])) };
    const inFolder = (/** @type {string} */ folder, /** @type {readonly string[]} */ execArgv) =>
      execArgv.map((word) => word.replace("GUARD", join(folder, REGISTER)));
    const common = {
      group: GROUP,
      name: `${tracer} ${dependencies[tracer]}`,
      quick: false,
      wants: { name: `tracer-${tracer}`, dependencies },
      judge: judgeTraced,
    };
    const traced = (/** @type {readonly string[]} */ execArgv) => (/** @type {string} */ folder) => ({
      program: join(folder, "traced.cjs"),
      options: { args: [tracer, ...TRACED], execArgv: inFolder(folder, execArgv) },
    });
    rows.push({ ...common, form: "-r, under the tracer", start: traced(["-r", "GUARD"]), stock: traced([]) });
    const hooks = HOOKS[tracer];
    if (hooks === undefined) continue;
    const hooked = (/** @type {readonly string[]} */ execArgv) => (/** @type {string} */ folder) => ({
      program: join(folder, "doors.mjs"),
      options: { args: TRACED, execArgv: inFolder(folder, execArgv), cwd: folder, env: TRACER_SETTINGS },
    });
    for (const [form, execArgv] of /** @type {const} */ ([
      ["-r, imported, under its hooks", ["-r", "GUARD", ...hooks]],
      ["--import after its hooks", [...hooks, "--import", "GUARD"]],
    ]))
      rows.push({ ...common, form, start: hooked(execArgv), stock: hooked(hooks) });
  }
  const loggers = await versions(LOGGERS);
  for (const name of LOGGERS)
    rows.push({
      group: GROUP,
      name: `${name} ${loggers[name]}`,
      form: "a refusal, logged",
      quick: false,
      hosts: ["laptop"],
      wants: { name: "loggers", dependencies: loggers },
      start: (folder) => ({ program: join(folder, "loggers.cjs"), options: { args: [name] } }),
      judge: (ran) => crashOf(ran) ?? judgeLogged(ran.json?.[name]),
    });
  return rows;
}

/** On EC2 it has what is of this account. @type {typeof judgeDoors} */
function judgeServed(ran, host, stock) {
  const wrong = judgeDoors(ran, host, stock);
  if (wrong !== undefined || host !== "EC2") return wrong;
  const [{ value }] = /** @type {[import("./judge.mjs").Door]} */ (Object.values(ran.json));
  return value === ACCOUNT || accountIn(value) === ACCOUNT ? undefined : `it has ${String(value)}`;
}

/** Nothing is had, and nothing has come to IMDS, whatever the host. @type {typeof judgeDoors} */
function judgeRefused(ran, host) {
  const { seen, sent, ...rest } = ran;
  // On EC2 the guard's own responder on loopback answers 401.
  const reached = host === "EC2" ? seen.total : sent.connections;
  return judgeDoors({ ...rest, sent: { ...sent, connections: reached } }, "laptop", undefined);
}

/**
 * A tracer connects to a collector of its own, so that only what comes to an impersonator is told apart.
 *
 * @type {typeof judgeDoors}
 */
function judgeTraced(ran, host, stock) {
  const connections = host === "impersonator" ? ran.seen.connections : 0;
  return judgeDoors({ ...ran, sent: { ...ran.sent, connections } }, host, stock);
}

/** What is missing in the record that a logger wrote of a refusal. @param {any} record */
function judgeLogged(record) {
  const told = record?.err ?? record;
  if (told?.code !== "ERR_IMDS_NOT_EC2") return `code is ${told?.code}`;
  const missing = ["kind", "advice", "evidence"].filter((key) => told[key] === undefined);
  return missing.length > 0 ? `without ${missing.join(", ")}: ${JSON.stringify(record).slice(0, 300)}` : undefined;
}
