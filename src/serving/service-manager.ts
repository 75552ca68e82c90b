/** Tells the service manager that started this process how far it is. */
import type { System } from "../base/system.js";

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
