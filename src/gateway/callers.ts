/**
 * Who is at the other end of a connection: the owner of its socket as the kernel's table has it, and the program behind
 * it. What cannot be told is unknown, and is never taken for somebody.
 */
import { isIPv6 } from "node:net";
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { isLoopback } from "../base/addresses.js";
import type { Accounts } from "./accounts.js";
import type { Connection, SocketOwner } from "./connection.js";
import { askingEnd } from "./connection.js";
import type { Caller } from "./rules.js";
import type { SocketDiag } from "./socket-diag.js";
import type { SocketTable } from "./socket-table.js";
import { keyOf, ownerIn, pagesOf, readTable } from "./socket-table.js";

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

/** Links of open files that one look at the processes follows; a host with more leaves programs unknown. */
const MAX_LINKS = 50_000;
const MAX_HOLDERS = 8;
/** Turns for which a reading waits for further connections that would be answered from it. */
const MAX_TURNS = 64;
/** Programs that asked before are looked at first. */
const MAX_RECENT = 16;
/** Milliseconds for which units of a user's processes are told from memory, where no rule asks for them. */
const REMEMBER_MS = 1_000;
const MAX_REMEMBERED = 256;
/** Milliseconds for which a user's processes are taken to be closed to this daemon after all of them were. */
const CLOSED_MS = 1_000;

/** What one look at the processes finds, asked by everybody whose turn it is. */
interface Look {
  /** Process ids behind each socket that was asked for, by inode. */
  readonly holders: ReadonlyMap<string, readonly string[]>;
  /** Unit and container that all processes of a user share. */
  readonly ofUser: (uid: number) => Membership;
}

/** A program may speak IPv4 on a socket of both families, which is in the table of IPv6. */
const FOUR_FIRST = [4, 6] as const;
const SIX_ALONE = [6] as const;

type Membership = Pick<Caller, "unit" | "container">;
const NO_MEMBERSHIP: Membership = { unit: undefined, container: undefined };

/** What a lookup leans on. */
export interface CallerLookupOptions {
  readonly accounts: Accounts;
  /** Asked first who the owner of a socket is. Default: the kernel's table is read. */
  readonly diag?: SocketDiag | undefined;
  /** Where the process file system is mounted. Default `/proc`. */
  readonly proc?: string | undefined;
  /** Milliseconds on a clock that never jumps. */
  readonly now?: (() => number) | undefined;
}

/** A lookup that remembers, for moments, who asked last and whose processes are closed to it. */
export function createCallerLookup(options: CallerLookupOptions): CallerLookup {
  const { accounts, diag, proc = "/proc", now = () => performance.now() } = options;
  const readings = new Map<4 | 6, { readonly wanted: Set<string>; readonly done: Promise<SocketTable> }>();
  let look: { readonly wanted: Map<string, number>; exact: boolean; readonly done: Promise<Look> } | undefined;
  let recent: readonly string[] = [];
  /** Users whose processes did not let their open files be listed, until when. */
  const closed = new Map<number, number>();
  const remembered = new Map<number, { readonly until: number; readonly membership: Membership }>();

  /**
   * Everybody who asks before the reading begins is answered from it: it is younger than all their connections. As this
   * program is given one new connection in a turn, it begins with the first turn that brings none.
   */
  function ownerOfSocket(connection: Connection, family: 4 | 6): Promise<SocketOwner | undefined> {
    const reading = readings.get(family) ?? beginReading(family);
    const near = keyOf(askingEnd(connection), family);
    if (near !== undefined) reading.wanted.add(near);
    return reading.done.then((table) => ownerIn(table, connection, family));
  }

  function beginReading(family: 4 | 6) {
    const wanted = new Set<string>();
    const done = new Promise<SocketTable>((resolve) => {
      const gather = (heard: number, turns: number): void => {
        if (wanted.size > heard && turns > 0) return void setImmediate(gather, wanted.size, turns - 1);
        readings.delete(family);
        const path = `${proc}/net/${family === 4 ? "tcp" : "tcp6"}`;
        resolve(quietly(() => readTable(pagesOf(path), wanted)) ?? new Map<string, readonly string[]>());
      };
      setImmediate(gather, 0, MAX_TURNS);
    });
    const reading = { wanted, done };
    readings.set(family, reading);
    return reading;
  }

  /** One look at the processes for all that ask in the same turn, which are those whose owners came from one reading. */
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
    const holders = new Map<string, string[]>();
    const budget = { links: MAX_LINKS };
    const owners = new Map<string, number | undefined>();
    const owner = (pid: string): number | undefined => {
      if (!owners.has(pid)) owners.set(pid, ownerOf(`${proc}/${pid}`));
      return owners.get(pid);
    };
    let listed: readonly string[] | undefined;
    // The youngest first: a program that asks and ends has just been started.
    const processes = (): readonly string[] =>
      (listed ??= namesIn(proc)
        .filter((name) => /^\d+$/.test(name))
        .toSorted((one, other) => Number(other) - Number(one)));
    const enough = (): boolean => budget.links <= 0 || (!all && holders.size === wanted.size);
    // Without the capabilities there is nothing to see, and finding that out for each process takes longer than all else.
    const users = new Set([...new Set(wanted.values())].filter((uid) => now() >= (closed.get(uid) ?? 0)));
    const listable = new Set<number>();
    const lookInto = (pid: string): void => {
      const uid = owner(pid);
      if (uid !== undefined && users.has(uid) && collect(pid, wanted, holders, budget, enough)) listable.add(uid);
    };
    for (const pid of recent) if (!enough()) lookInto(pid);
    if (users.size > 0 && !enough()) {
      const looked = new Set(recent);
      for (const pid of processes()) {
        if (enough()) break;
        if (!looked.has(pid)) lookInto(pid);
      }
      // Only to the end of the list is it known that there was nothing to see.
      if (!enough()) for (const uid of users) if (!listable.has(uid)) remember(closed, uid, now() + CLOSED_MS);
    }
    const found = [...new Set([...holders.values()].flat())];
    if (found.length > 0) recent = [...found, ...recent.filter((pid) => !found.includes(pid))].slice(0, MAX_RECENT);
    return {
      holders,
      ofUser: (uid) =>
        common(
          proc,
          processes().filter((pid) => owner(pid) === uid),
        ),
    };
  }

  function collect(
    pid: string,
    wanted: ReadonlyMap<string, number>,
    holders: Map<string, string[]>,
    budget: { links: number },
    enough: () => boolean,
  ): boolean {
    const fds = namesIn(`${proc}/${pid}/fd`);
    // The last first: a connection that has just been made has one of the highest numbers.
    for (const fd of fds.toReversed()) {
      if (budget.links-- <= 0 || enough()) break;
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`${proc}/${pid}/fd/${fd}`) ?? "")?.[1];
      if (inode === undefined || !wanted.has(inode)) continue;
      const pids = holders.get(inode) ?? [];
      holders.set(inode, pids);
      if (pids.length < MAX_HOLDERS && !pids.includes(pid)) pids.push(pid);
    }
    return fds.length > 0;
  }

  function membershipOf(uid: number, { ofUser }: Look, exact: boolean): Membership {
    const known = remembered.get(uid);
    if (!exact && known !== undefined && now() < known.until) return known.membership;
    const membership = ofUser(uid);
    remember(remembered, uid, { until: now() + REMEMBER_MS, membership });
    return membership;
  }

  return {
    async userOf(connection) {
      const owner = diag?.ownerOf(connection);
      if (owner !== undefined) return owner;
      // The kernel goes through all its buckets for a table, which is most of what a request costs: the likelier one
      // first. For the same reason it may miss one whose neighbours come and go meanwhile: what is led here to loopback
      // has an owner, and is looked for once more.
      const { localAddress } = connection;
      const families = isIPv6(localAddress) && !/^::ffff:/i.test(localAddress) ? SIX_ALONE : FOUR_FIRST;
      for (const family of isLoopback(localAddress) ? [...families, ...families] : families) {
        const owner = await ownerOfSocket(connection, family);
        if (owner !== undefined) return owner;
      }
      return undefined;
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

/** Keeps a value for a user, and of very many users those that were last told. */
function remember<T>(map: Map<number, T>, uid: number, value: T): void {
  map.delete(uid);
  map.set(uid, value);
  if (map.size > MAX_REMEMBERED) map.delete(map.keys().next().value ?? uid);
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
