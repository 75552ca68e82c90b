// @ts-check
/** Starts a service and has it fetch every URL of a list, as a user may who wants the metadata of its host. */
import { spawn } from "node:child_process";
import { once } from "node:events";

/** @type {{ app: string, route: string, targets: Record<string, string> }} */
const { app, route, targets } = JSON.parse(process.argv[2] ?? "{}");

const service = spawn(process.execPath, [app], {
  env: { ...process.env, PORT: "0" },
  stdio: ["ignore", "pipe", "pipe"],
});
let said = "";
let complaints = "";
service.stderr.on("data", (chunk) => {
  complaints += chunk;
});
const ended = once(service, "exit").then(([code]) => {
  throw new Error(`the service ended with ${code}: ${complaints.slice(0, 2_000)}`);
});
ended.catch(() => undefined);
while (!/listening on \S+\s/.test(said)) said += (await Promise.race([once(service.stdout, "data"), ended])).toString();
const base = /listening on (\S+)/.exec(said)?.[1];

/** @type {Record<string, { status: number, body: string }>} */
const outcome = {};
for (const [form, url] of Object.entries(targets)) {
  const answer = await Promise.race([fetch(`${base}${route}?url=${encodeURIComponent(url)}`), ended]);
  outcome[form] = { status: answer.status, body: await answer.text() };
}
const refused = complaints
  .split("\n")
  .filter((line) => line.startsWith("imds-guard:") && line.includes("[firewall.connection_blocked]")).length;
process.stdout.write(JSON.stringify({ outcome, refused }));
service.kill("SIGKILL");
process.exit(0);
