// @ts-check
/**
 * An agent that runs for months: one guard for its whole life, every event in a file and on stdout, heartbeats signed
 * with whatever credentials are current, an orderly end on SIGTERM.
 *
 *     AWS_REGION=eu-central-1 AGENT_ACCOUNT=111122223333 AGENT_EVENTS=events.jsonl node ssm-style-agent.mjs
 */
import { setTimeout as sleep } from "node:timers/promises";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { createGuard, isImdsGuardError } from "imds-guard";

const intervalMs = Number(process.env["AGENT_INTERVAL_MS"] ?? 60_000);
const account = process.env["AGENT_ACCOUNT"];
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());

const guard = createGuard({
  ...(account !== undefined && { expectedAccounts: [account] }),
  eventsFile: process.env["AGENT_EVENTS"] ?? "events.jsonl",
  onEvent: ({ severity, code, message }) => console.log(`event ${severity} ${code}: ${message}`),
  log: "off", // onEvent prints them already
});

try {
  const { host, decision } = await guard.whereAmI();
  console.log(
    `host ${host.verdict} (${host.rule}), IMDS ${decision.kind === "contact" ? "may be asked" : `is not asked: ${decision.reason}`}`,
  );
  // A hybrid node finds its keys in the shared credentials file, which the SSM Agent renews and which is read again then;
  // an instance finds them in IMDS. The chain looks at both, in this order.
  const sts = new STSClient({ ...guard.clientConfig() });
  while (!stop.signal.aborted) {
    await heartbeat(sts);
    await sleep(intervalMs, undefined, { signal: stop.signal }).catch(() => undefined);
  }
  console.log("stopped");
} catch (error) {
  if (!isImdsGuardError(error)) throw error;
  console.error(`giving up: ${error.message} [${error.code}]; ${error.advice}`);
  process.exitCode = 1;
} finally {
  // Flushes the events. Later calls of anything that shares this guard are refused.
  await guard.close();
}

/** @param {STSClient} sts */
async function heartbeat(sts) {
  try {
    const { Arn } = await sts.send(new GetCallerIdentityCommand({}), { abortSignal: stop.signal });
    console.log(`heartbeat as ${Arn}, proof of IMDS: ${guard.attestation()?.level ?? "not asked"}`);
  } catch (error) {
    if (stop.signal.aborted) return;
    // An outage or a refusal may pass, and so may a failure of STS. A finding does not: the agent must not go on
    // asking.
    if (isImdsGuardError(error) && !["refused", "unavailable"].includes(error.kind)) throw error;
    console.error(`no heartbeat: ${error instanceof Error ? error.message : String(error)}`);
  }
}
