/** What the service manager that started this process hands over, and what it is told. */
import type { System } from "../base/system.js";

/** The first descriptor that is handed over (sd_listen_fds(3)). */
const FIRST_DESCRIPTOR = 3;

/**
 * The listening socket that the service manager handed to this process (`LISTEN_FDS` and `LISTEN_PID`, as systemd sets
 * them), or undefined. The variables are removed from the environment, because they are not meant for children.
 * @throws Error where more than one was handed over
 */
export function takeSocket(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const { LISTEN_PID: forPid, LISTEN_FDS: count } = env;
  delete env["LISTEN_PID"];
  delete env["LISTEN_FDS"];
  delete env["LISTEN_FDNAMES"];
  if (forPid !== String(pid) || count === undefined || count === "0") return undefined;
  if (count !== "1") {
    throw Object.assign(new Error(`the service manager handed over ${count.slice(0, 10)} sockets, and one is needed`), {
      code: "EINVAL",
    });
  }
  return FIRST_DESCRIPTOR;
}

/**
 * Says "ready" to systemd where it asked to be told (`Type=notify`). Node.js has no datagram sockets of the unix
 * family, so this goes through `systemd-notify`, and the unit needs `NotifyAccess=all`.
 * @returns why it could not be said, or undefined
 */
export async function notifyReady(system: System): Promise<string | undefined> {
  if (!system.env["NOTIFY_SOCKET"]) return undefined;
  const result = await system.run("systemd-notify", ["--ready"], 5_000);
  return result.kind === "failed" ? result.reason : undefined;
}
