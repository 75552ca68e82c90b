/**
 * Who is at the other end of a connection: the owner of its socket as the kernel's table has it, and the program behind
 * it. What cannot be told is unknown, and is never taken for somebody.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { IMDS_IPV4, IMDS_IPV6, parseIp } from "../base/addresses.js";
import type { Accounts } from "./accounts.js";
import type { Caller } from "./rules.js";

/** Both ends of an accepted connection, as the listening side has them. */
export interface Connection {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/** Looks callers up. */
export interface CallerLookup {
  /** The user alone: one reading of the table for all that ask at once. */
  userOf(connection: Connection): Promise<SocketOwner | undefined>;
  /** Everything. `bridge` is the name of the bridge that the connection came by, where it is no program of this host. */
  identify(connection: Connection, owner: SocketOwner | undefined, bridge: string | undefined): Caller;
}

/** A line of the kernel's table. */
export interface SocketOwner {
  readonly uid: number;
  readonly inode: string;
}

/** Links of open files that one look at the processes follows; a host with more leaves the program unknown. */
const MAX_LINKS = 20_000;
const MAX_PROGRAMS = 8;
/** Programs that asked before are looked at first. */
const MAX_RECENT = 64;
/** The kernel's numbers of states in which a socket has an owner no more: TIME_WAIT, CLOSE, LAST_ACK, LISTEN, NEW_SYN_RECV. */
const OWNERLESS = new Set(["06", "07", "09", "0A", "0C"]);

/** `proc` is where the process file system is mounted. */
export function createCallerLookup(accounts: Accounts, proc = "/proc"): CallerLookup {
  let batch: Promise<readonly string[]> | undefined;
  const recent = new Set<string>();

  /** Everybody who asks before the turn ends is answered from one reading, which is younger than all their connections. */
  function tables(): Promise<readonly string[]> {
    batch ??= new Promise((resolve) => {
      setImmediate(() => {
        batch = undefined;
        resolve(["net/tcp", "net/tcp6"].map((name) => textOf(`${proc}/${name}`)));
      });
    });
    return batch;
  }

  function holdersOf({ uid, inode }: SocketOwner): readonly string[] {
    const link = `socket:[${inode}]`;
    const budget = { links: MAX_LINKS };
    for (const pid of recent) if (holds(pid, link, budget)) return [pid];
    const holders: string[] = [];
    for (const pid of namesIn(proc)) {
      if (!/^\d+$/.test(pid) || ownerOf(`${proc}/${pid}`) !== uid) continue;
      if (holds(pid, link, budget)) holders.push(pid);
      if (holders.length >= MAX_PROGRAMS || budget.links <= 0) break;
    }
    return holders;
  }

  function holds(pid: string, link: string, budget: { links: number }): boolean {
    for (const fd of namesIn(`${proc}/${pid}/fd`)) {
      if (budget.links-- <= 0) return false;
      if (linkOf(`${proc}/${pid}/fd/${fd}`) === link) return true;
    }
    return false;
  }

  function remember(pid: string): void {
    recent.delete(pid);
    recent.add(pid);
    if (recent.size > MAX_RECENT) recent.delete([...recent][0] ?? "");
  }

  return {
    async userOf(connection) {
      const [tcp = "", tcp6 = ""] = await tables();
      return ownerIn(tcp, connection, 4) ?? ownerIn(tcp6, connection, 6);
    },
    identify(connection, owner, bridge) {
      const address = connection.remoteAddress;
      const nobody = { pid: undefined, program: undefined, unit: undefined, container: undefined };
      if (owner === undefined) return { uid: undefined, user: undefined, gids: [], ...nobody, address, bridge };
      const { uid } = owner;
      const who = { uid, user: accounts.userName(uid), gids: accounts.groupsOf(uid), address, bridge: undefined };
      const holders = holdersOf(owner);
      const [pid] = holders;
      if (pid === undefined) return { ...who, ...nobody, ...common(proc, processesOf(proc, uid)) };
      remember(pid);
      const program = textOf(`${proc}/${pid}/comm`).trim() || undefined;
      return { ...who, pid: Number(pid), program, ...common(proc, holders) };
    },
  };
}

/** Unit and container of processes that share them; of others nothing is said. */
function common(proc: string, pids: readonly string[]): Pick<Caller, "unit" | "container"> {
  const groups = new Set(pids.map((pid) => textOf(`${proc}/${pid}/cgroup`)));
  const [only] = groups;
  return groups.size === 1 && only !== undefined ? readCgroup(only) : { unit: undefined, container: undefined };
}

function processesOf(proc: string, uid: number): readonly string[] {
  return namesIn(proc).filter((name) => /^\d+$/.test(name) && ownerOf(`${proc}/${name}`) === uid);
}

/**
 * Unit and container in the text of `/proc/PID/cgroup`. The outermost unit counts: below it, in `user@1000.service`, a
 * user names groups as he likes.
 */
export function readCgroup(text: string): Pick<Caller, "unit" | "container"> {
  const lines = text.split("\n").map((line) => line.split(":").slice(2).join(":"));
  const path = lines.find((line) => line !== "" && line !== "/") ?? "";
  const segments = path.split("/");
  const unit = segments.find((segment) => /\.(?:service|scope|socket|mount)$/.test(segment));
  const byUser = segments[1] === "user.slice";
  const container = byUser ? undefined : /(?:^|[^0-9a-f])([0-9a-f]{64})(?:[^0-9a-f]|$)/.exec(path)?.[1];
  return { unit, container };
}

/** The owner that a table names for the far end of a connection: a socket of this host that leads to IMDS or to us. */
export function ownerIn(table: string, connection: Connection, family: 4 | 6): SocketOwner | undefined {
  const local = endpoint(connection.remoteAddress, connection.remotePort, family);
  if (local === undefined) return undefined;
  const remotes = [
    endpoint(family === 4 ? IMDS_IPV4 : IMDS_IPV6, 80, family),
    family === 6 ? endpoint(IMDS_IPV4, 80, family) : undefined,
    endpoint(connection.localAddress, connection.localPort, family),
  ];
  let found: SocketOwner | undefined;
  for (let at = table.indexOf(local); at !== -1; at = table.indexOf(local, at + 1)) {
    const start = table.lastIndexOf("\n", at) + 1;
    const end = table.indexOf("\n", at);
    const fields = table
      .slice(start, end === -1 ? undefined : end)
      .trim()
      .split(/\s+/);
    const [, from, to = "", state = "", , , , uid = "", , inode = "0"] = fields;
    if (from !== local || !remotes.includes(to) || OWNERLESS.has(state) || inode === "0" || !/^\d+$/.test(uid))
      continue;
    // Two sockets cannot have the same two ends; a table that says so says nothing.
    if (found !== undefined) return undefined;
    found = { uid: Number(uid), inode };
  }
  return found;
}

/** As the kernel writes it: words of 32 bits in the order of the machine, then the port. */
function endpoint(address: string, port: number, family: 4 | 6): string | undefined {
  const ip = parseIp(address.replace(/^::ffff:(?=\d+\.)/i, ""));
  if (ip === undefined || (family === 4 && ip.family === 6)) return undefined;
  const mapped = ip.family === 4 && family === 6;
  const bytes = mapped ? Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...ip.bytes) : ip.bytes;
  const words: string[] = [];
  for (let at = 0; at < bytes.length; at += 4) {
    const word = LITTLE_ENDIAN ? bytes.slice(at, at + 4).reverse() : bytes.slice(at, at + 4);
    words.push(Buffer.from(word).toString("hex").toUpperCase());
  }
  return `${words.join("")}:${port.toString(16).toUpperCase().padStart(4, "0")}`;
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** What is gone by now, or not ours to read, is as good as empty. */
function textOf(path: string): string {
  return quietly(() => readFileSync(path, "latin1")) ?? "";
}

function namesIn(path: string): readonly string[] {
  return quietly(() => readdirSync(path)) ?? [];
}

function linkOf(path: string): string | undefined {
  return quietly(() => readlinkSync(path));
}

function ownerOf(path: string): number | undefined {
  return quietly(() => statSync(path).uid);
}

function quietly<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
