/** Names under which programs look for the metadata service: who resolves them, and to what. */
import { isImdsAddress } from "../../base/addresses.js";
import { ImdsUnavailableError } from "../../base/errors.js";
import { shellCommand } from "../../base/text.js";
import type { Check, Machine } from "./check.js";
import { readText } from "./check.js";
import { searchDomains } from "./leases.js";

const NAMES = ["instance-data", "instance-data.ec2.internal"];
const RESOLVE_MS = 2_000;

/** What one name resolves to: addresses, none for a name that does not exist, or why nobody could tell. */
export interface NameAnswer {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly failure?: string;
}

/**
 * Asks the resolvers of this host for each name, `instance-data` also in every search domain. Search lists are not
 * applied by the resolver itself.
 */
export async function askNames({ system }: Machine): Promise<NameAnswer[]> {
  const searched = searchDomains(system).map((domain) => `instance-data.${domain.replace(/^\.|\.$/g, "")}`);
  const { resolveHost } = await import("../../network/dns.js");
  return Promise.all(
    [...new Set([...NAMES, ...searched])].map(async (name) => {
      try {
        return { name, addresses: await resolveHost(name, { timeoutMs: RESOLVE_MS }) };
      } catch (error) {
        if (!(error instanceof ImdsUnavailableError)) throw error;
        const last = error.evidence.at(-1);
        if (last?.value === "NXDOMAIN" || last?.value === "NODATA") return { name, addresses: [] };
        return { name, addresses: [], failure: last?.value ?? "no DNS server is configured" };
      }
    }),
  );
}

/** Judges the answers. Resolvers that give none are one line, not one for each name. */
export function judgeNames(answers: readonly NameAnswer[], { host }: Machine): Check[] {
  const checks: Check[] = answers
    .filter(({ addresses }) => addresses.length > 0)
    .map(({ name, addresses }) => {
      const line = {
        section: "names",
        id: "dns-name",
        subject: name,
        says: `resolves to ${addresses.join(", ")}`,
      } as const;
      if (host.verdict === "ec2" && addresses.some(isImdsAddress)) return { ...line, status: "ok" };
      return {
        ...line,
        status: "finding",
        says: `${line.says}: old cloud-init and scripts that use the name would ask there`,
        advice: [
          "remove the record, or find out who answers for it: off EC2 nobody should",
          `$ ${shellCommand(["dig", name])}`,
        ],
      };
    });
  const failed = answers.filter(({ failure }) => failure !== undefined);
  const absent = answers
    .filter(({ addresses, failure }) => addresses.length === 0 && failure === undefined)
    .map(({ name }) => name);
  if (absent.length > 0)
    checks.push({
      section: "names",
      id: "dns-name",
      status: "ok",
      subject: "DNS",
      says: `does not know ${absent.join(", ")}`,
    });
  if (failed.length > 0) {
    const reasons = [...new Set(failed.map(({ failure }) => failure))].join(", ");
    checks.push({
      section: "names",
      id: "dns-name",
      status: "unknown",
      subject: "DNS",
      says: `no answer about ${failed.map(({ name }) => name).join(", ")} (${reasons})`,
    });
  }
  return checks;
}

/** Looks for the names in the hosts file, which the question to DNS passes by. */
export function checkHostsFile({ system, host }: Machine): Check[] {
  const path =
    system.platform === "win32"
      ? `${system.env["SystemRoot"] ?? "C:\\Windows"}\\System32\\drivers\\etc\\hosts`
      : "/etc/hosts";
  const read = readText(system, path);
  if (read.kind !== "text")
    return read.kind === "absent"
      ? []
      : [{ section: "names", id: "hosts-file", status: "unknown", subject: path, says: `cannot be read: ${read.why}` }];
  return read.text.split("\n").flatMap((line): Check[] => {
    const [address = "", ...names] = line.replace(/#.*$/, "").trim().split(/\s+/);
    const name = names.find((candidate) => /^instance-data(\.|$)/i.test(candidate));
    if (name === undefined && !(isImdsAddress(address) && names.length > 0)) return [];
    const says = `says ${name ?? names[0]} is ${address}`;
    if (host.verdict === "ec2") return [{ section: "names", id: "hosts-file", status: "ok", subject: path, says }];
    return [
      {
        section: "names",
        id: "hosts-file",
        status: "finding",
        subject: path,
        says,
        advice: ["remove the line unless a local stand-in is meant"],
      },
    ];
  });
}
