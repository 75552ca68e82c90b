/**
 * `aws_signing_helper serve`, which answers as IMDS on a port of loopback: who else reaches it, and whether it answers
 * to a name that is not its own (DNS rebinding: a page in a browser of this host could then read its keys).
 */
import { readFileSync, readdirSync } from "node:fs";
import { TOKEN_PATH, TTL_HEADER } from "../../aws/imds-protocol.js";
import type { Check, Machine } from "./check.js";
import { readText } from "./check.js";
import { exchangeRaw } from "./raw-exchange.js";

const DEFAULT_PORT = 9911;
const MOST_PROCESSES = 32_768;
const MAX_COMMAND = 16 * 1024;

/** The port of a command line of it, words separated by NUL; undefined for other programs. */
export function servePort(commandLine: string): number | undefined {
  const [program = "", command, ...rest] = commandLine.split("\0");
  if (!/(?:^|[\\/])aws_signing_helper(?:\.exe)?$/.test(program) || command !== "serve") return undefined;
  let port: string | undefined;
  for (const [index, word] of rest.entries()) {
    if (word === "--port") port = rest[index + 1];
    else if (word.startsWith("--port=")) port = word.slice("--port=".length);
  }
  return port === undefined || !/^\d{1,5}$/.test(port) ? DEFAULT_PORT : Number(port);
}

/** Addresses that listen on `port`, of a table such as /proc/net/tcp. */
export function listenersOn(table: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  return [...table.matchAll(/^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /gm)].flatMap(
    ([, address = "", found]) => (found === wanted ? [address] : []),
  );
}

/** 127.0.0.0/8 and ::1 as these tables write them on a little-endian host. */
function isLoopback(address: string): boolean {
  return (
    /^[0-9A-F]{6}7F$/.test(address) || /^0{24}01000000$/.test(address) || /^0{16}FFFF0000[0-9A-F]{6}7F$/.test(address)
  );
}

/** Looks for it, and with `probe` asks it for a token under another name. */
export async function checkHelperServe({ system }: Machine, probe: boolean): Promise<Check[]> {
  const ports = system.platform === "linux" ? runningPorts() : [];
  const checks: Check[] = [];
  for (const port of ports) {
    const line = {
      section: "settings",
      id: "helper-serve",
      subject: `aws_signing_helper serve (port ${port})`,
    } as const;
    const tables = ["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readText(system, path, 4 * 1024 * 1024));
    const listeners = tables.flatMap((table) => (table.kind === "text" ? listenersOn(table.text, port) : []));
    const open = listeners.some((address) => !isLoopback(address));
    if (open)
      checks.push({
        ...line,
        status: "finding",
        says: "listens on other addresses than loopback: whoever reaches this host gets the keys of its role",
        advice: ["bind it to loopback, or use imds-guard serve, which asks for a token of its own"],
      });
    const foreign = probe ? await answersTo(port, "metadata.invalid") : undefined;
    if (foreign === true)
      checks.push({
        ...line,
        status: "finding",
        says: "answers whatever name it is called by, so that a page in a browser of this host can read its keys (DNS rebinding)",
        advice: [
          "use imds-guard serve, which answers to its own address alone, or let lines of the helper be read natively",
        ],
      });
    if (!open && foreign !== true)
      checks.push({
        ...line,
        status: listeners.length === 0 ? "unknown" : "ok",
        says:
          listeners.length === 0
            ? "runs, and listens where this user cannot see it"
            : `listens on loopback alone${probe ? "" : "; not asked (--no-probe)"}: every program of this host gets the keys of its role`,
      });
  }
  return checks;
}

function runningPorts(): number[] {
  const ports = new Set<number>();
  try {
    for (const name of readdirSync("/proc").slice(0, MOST_PROCESSES)) {
      if (!/^\d+$/.test(name)) continue;
      try {
        const port = servePort(readFileSync(`/proc/${name}/cmdline`, "latin1").slice(0, MAX_COMMAND));
        if (port !== undefined) ports.add(port);
      } catch {
        // It has ended, or is of another user.
      }
    }
  } catch {
    // No procfs: nothing is known of other processes.
  }
  return [...ports];
}

/** Whether something on that port of loopback gives a session token to a request for that host name. */
async function answersTo(port: number, host: string): Promise<boolean> {
  const received = await exchangeRaw({
    address: "127.0.0.1",
    port,
    head: [`PUT ${TOKEN_PATH} HTTP/1.1`, `Host: ${host}`, `${TTL_HEADER}: 1`, "Content-Length: 0"],
    timeoutMs: 1_000,
    // The status is enough; what follows is a token.
    maxBytes: 16,
  });
  return /^HTTP\/1\.[01] 200\b/.test(received);
}
