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

/** What is missing in the record that a logger wrote of a refusal. @param {any} record */
function judgeLogged(record) {
  const told = record?.err ?? record;
  if (told?.code !== "ERR_IMDS_NOT_EC2") return `code is ${told?.code}`;
  const missing = ["kind", "advice", "evidence"].filter((key) => told[key] === undefined);
  return missing.length > 0 ? `without ${missing.join(", ")}: ${JSON.stringify(record).slice(0, 300)}` : undefined;
}
