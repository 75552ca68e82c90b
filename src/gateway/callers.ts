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
  /**
   * Everything: one look at the processes for all that ask at once. `bridge` is the name of the bridge that the
   * connection came by, where it is no program of this host. Where the program cannot be told, unit and container are
   * those that all processes of the user share: as they are now if `exact`, else as they were within a second.
   */
  identify(
    connection: Connection,
    owner: SocketOwner | undefined,
    bridge: string | undefined,
    exact: boolean,
  ): Promise<Caller>;
}

/** A line of the kernel's table. */
export interface SocketOwner {
  readonly uid: number;
  readonly inode: string;
}

/** Links of open files that one look at the processes follows; a host with more leaves programs unknown. */
const MAX_LINKS = 50_000;
const MAX_HOLDERS = 8;
/** Programs that asked before are looked at first. */
const MAX_RECENT = 16;
/** Milliseconds for which units of a user's processes are told from memory, where no rule asks for them. */
const REMEMBER_MS = 1_000;
const MAX_REMEMBERED = 256;
/** The kernel's numbers of states in which a socket has an owner no more: TIME_WAIT, CLOSE, LAST_ACK, LISTEN, NEW_SYN_RECV. */
const OWNERLESS = new Set(["06", "07", "09", "0A", "0C"]);

/** What one look at the processes finds, asked by everybody whose turn it is. */
interface Look {
  /** Process ids behind each socket that was asked for, by inode. */
  readonly holders: ReadonlyMap<string, readonly string[]>;
  /** Unit and container that all processes of a user share. */
  readonly ofUser: (uid: number) => Membership;
}

type Membership = Pick<Caller, "unit" | "container">;
const NO_MEMBERSHIP: Membership = { unit: undefined, container: undefined };

/** `proc` is where the process file system is mounted; `now` tells milliseconds on a clock that never jumps. */
export function createCallerLookup(accounts: Accounts, proc = "/proc", now = () => performance.now()): CallerLookup {
  let batch: Promise<readonly string[]> | undefined;
  let look: { readonly wanted: Map<string, number>; exact: boolean; readonly done: Promise<Look> } | undefined;
  let recent: readonly string[] = [];
  const remembered = new Map<number, { readonly until: number; readonly membership: Membership }>();

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

  /** As {@link tables}: one look at the processes for all that ask in the same turn. */
  function lookFor({ uid, inode }: SocketOwner, exact: boolean): Promise<Look> {
    if (look === undefined) {
      const wanted = new Map<string, number>();
      const done = new Promise<Look>((resolve) => {
        setImmediate(() => {
          const all = look?.exact === true;
          look = undefined;
          resolve(lookAt(wanted, all));
        });
      });
      look = { wanted, exact, done };
    }
    look.wanted.set(inode, uid);
    look.exact ||= exact;
    return look.done;
  }

  /** `all`: not until a holder of each is found, but to the end, because holders in two units are told to be in none. */
  function lookAt(wanted: ReadonlyMap<string, number>, all: boolean): Look {
    const users = new Set(wanted.values());
    const holders = new Map<string, string[]>();
    const budget = { links: MAX_LINKS };
    const missing = (): boolean => holders.size < wanted.size && budget.links > 0;
    const seen = new Map<string, number | undefined>();
    const ofUsers = (pid: string): boolean => {
      if (!seen.has(pid)) seen.set(pid, ownerOf(`${proc}/${pid}`));
      const uid = seen.get(pid);
      return uid !== undefined && users.has(uid);
    };
    for (const pid of recent) {
      if (!missing()) break;
      if (ofUsers(pid)) collect(pid, wanted, holders, budget);
    }
    let listed: readonly string[] | undefined;
    // The youngest first: a program that asks and ends has just been started.
    const processes = (): readonly string[] =>
      (listed ??= namesIn(proc)
        .filter((name) => /^\d+$/.test(name))
        .toSorted((one, other) => Number(other) - Number(one)));
    if (all || missing()) {
      const known = new Set(recent);
      for (const pid of processes()) {
        if (budget.links <= 0 || (!all && !missing())) break;
        if (!known.has(pid) && ofUsers(pid)) collect(pid, wanted, holders, budget);
      }
    }
    const found = [...new Set([...holders.values()].flat())];
    if (found.length > 0) recent = [...found, ...recent.filter((pid) => !found.includes(pid))].slice(0, MAX_RECENT);
    const ofUser = (uid: number): Membership =>
      common(
        proc,
        processes().filter((pid) => ofUsers(pid) && seen.get(pid) === uid),
      );
    return { holders, ofUser };
  }

  function collect(
    pid: string,
    wanted: ReadonlyMap<string, number>,
    holders: Map<string, string[]>,
    budget: { links: number },
  ): void {
    for (const fd of namesIn(`${proc}/${pid}/fd`)) {
      if (budget.links-- <= 0) return;
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`${proc}/${pid}/fd/${fd}`) ?? "")?.[1];
      if (inode === undefined || !wanted.has(inode)) continue;
      const pids = holders.get(inode) ?? [];
      holders.set(inode, pids);
      if (pids.length < MAX_HOLDERS && !pids.includes(pid)) pids.push(pid);
    }
  }

  function membershipOf(uid: number, { ofUser }: Look, exact: boolean): Membership {
    const known = remembered.get(uid);
    if (!exact && known !== undefined && now() < known.until) return known.membership;
    const membership = ofUser(uid);
    remembered.delete(uid);
    remembered.set(uid, { until: now() + REMEMBER_MS, membership });
    if (remembered.size > MAX_REMEMBERED) remembered.delete(remembered.keys().next().value ?? uid);
    return membership;
  }

  return {
    async userOf(connection) {
      const [tcp = "", tcp6 = ""] = await tables();
      return ownerIn(tcp, connection, 4) ?? ownerIn(tcp6, connection, 6);
    },
    async identify(connection, owner, bridge, exact) {
      const address = connection.remoteAddress;
      const nobody = { pid: undefined, program: undefined };
      if (owner === undefined)
        return { uid: undefined, user: undefined, gids: [], ...nobody, ...NO_MEMBERSHIP, address, bridge };
      const { uid, inode } = owner;
      const who = { uid, user: accounts.userName(uid), gids: accounts.groupsOf(uid), address, bridge: undefined };
      const seen = await lookFor(owner, exact);
      const holders = seen.holders.get(inode) ?? [];
      const [pid] = holders;
      if (pid === undefined) return { ...who, ...nobody, ...membershipOf(uid, seen, exact) };
      const program = textOf(`${proc}/${pid}/comm`).trim() || undefined;
      return { ...who, pid: Number(pid), program, ...common(proc, holders) };
    },
  };
}

/** Unit and container of processes that share them; of others nothing is said. */
function common(proc: string, pids: readonly string[]): Membership {
  const groups = new Set<string>();
  for (const pid of pids) {
    groups.add(textOf(`${proc}/${pid}/cgroup`));
    if (groups.size > 1) return NO_MEMBERSHIP;
  }
  const [only] = groups;
  return only === undefined ? NO_MEMBERSHIP : readCgroup(only);
}

/**
 * Unit and container in the text of `/proc/PID/cgroup`. The outermost unit counts: below it, in `user@1000.service`, a
 * user names groups as he likes.
 */
export function readCgroup(text: string): Membership {
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
