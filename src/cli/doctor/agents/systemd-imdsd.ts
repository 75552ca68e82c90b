/**
 * The IMDS support of systemd (from version 261 on): a service that asks the metadata service on behalf of others, puts
 * a route to it, and imports credentials from whoever answers. systemd-imdsd@.service(8), systemd-imds-generator(8).
 */
import type { Machine } from "../check.js";
import { exists, readText } from "../check.js";
import type { Agent, Judgement } from "./agent.js";

const PROGRAMS = ["/usr/lib/systemd/systemd-imdsd", "/lib/systemd/systemd-imdsd"];
const SOCKET = "/run/systemd/io.systemd.InstanceMetadata";
const COMMAND_LINE = "/proc/cmdline";

/** What the kernel's command line says of it. Later words win. */
export function imdsOptions(commandLine: string): { readonly enabled: string; readonly network: string } {
  let enabled = "auto";
  let network = "locked";
  for (const word of commandLine.split(/\s+/)) {
    const found = /^systemd\.imds(\.network)?(?:=(.*))?$/.exec(word);
    if (found === null) continue;
    const [, ofNetwork, value] = found;
    if (ofNetwork === undefined) enabled = value ?? "yes";
    else if (value !== undefined) network = value;
  }
  return { enabled, network };
}

export const systemdImdsd: Agent = {
  id: "systemd-imdsd",
  name: "systemd-imdsd",
  signs: () => PROGRAMS,
  judge(machine: Machine): Judgement[] {
    const read = readText(machine.system, COMMAND_LINE);
    const { enabled, network } = imdsOptions(read.kind === "text" ? read.text : "");
    const on = exists(machine.system, SOCKET) === true || /^(?:1|yes|y|true|t|on)$/i.test(enabled);
    const evidence = [
      { source: COMMAND_LINE, value: `systemd.imds=${enabled} systemd.imds.network=${network}`, says: "as it holds" },
      { source: SOCKET, says: on ? "the service is switched on" : "is not there" },
    ];
    const lock =
      network === "locked"
        ? "locked: a prohibit route keeps the metadata address from programs without privileges"
        : `${network}: every program reaches the metadata address by the route that it puts`;
    if (machine.host.verdict === "ec2") return [{ status: "ok", says: `${on ? "on" : "off"}, ${lock}`, evidence }];
    if (!on) return [{ status: "ok", says: "installed, and not switched on", evidence }];
    return [
      {
        status: "finding",
        says: `would believe an impersonator, and imports credentials into /run/credstore from it; ${lock}`,
        evidence,
        advice: ["boot with systemd.imds=no on hosts that are not EC2", "$ systemctl mask systemd-imdsd.socket"],
        fixes: [
          {
            title: "systemd-imdsd: off on this host (add to the kernel's command line)",
            text: "systemd.imds=no",
          },
        ],
      },
    ];
  },
};
