/** The kernel's table of TCP sockets as text (proc_pid_net(5)): `/proc/net/tcp` and `/proc/net/tcp6`. */
import { closeSync, openSync, readSync } from "node:fs";
import type { Connection, End, SocketOwner } from "./connection.js";
import { askedEnds, askingEnd, hasOwner, LITTLE_ENDIAN } from "./connection.js";

/** Lines of the kernel's table by the near end of their sockets. */
export type SocketTable = ReadonlyMap<string, readonly string[]>;

/** The lines of `/proc/net/tcp` or `/proc/net/tcp6` that begin at these ends; a page may end within a line. */
export function readTable(pages: Iterable<string>, wanted: ReadonlySet<string>): SocketTable {
  const table = new Map<string, string[]>();
  const take = (line: string): void => {
    const at = line.indexOf(": ") + 2;
    const local = line.slice(at, line.indexOf(" ", at));
    if (!wanted.has(local)) return;
    const lines = table.get(local);
    if (lines === undefined) table.set(local, [line]);
    else lines.push(line);
  };
  let rest = "";
  for (const page of pages) {
    const lines = (rest + page).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
  }
  take(rest);
  return table;
}

/** The owner that a table names for the far end of a connection: a socket of this host that leads to IMDS or to us. */
export function ownerIn(table: SocketTable, connection: Connection, family: 4 | 6): SocketOwner | undefined {
  const near = keyOf(askingEnd(connection), family);
  if (near === undefined) return undefined;
  const far = askedEnds(connection).map((end) => keyOf(end, family));
  let found: SocketOwner | undefined;
  for (const line of table.get(near) ?? []) {
    const [, , to = "", state = "", , , , uid = "", , inode = "0"] = line.trim().split(/\s+/);
    if (!far.includes(to) || !hasOwner(Number.parseInt(state, 16)) || inode === "0" || !/^\d+$/.test(uid)) continue;
    // Two sockets cannot have the same two ends; a table that says so says nothing. The same one may stand there twice,
    // where the kernel was read while others came and went.
    if (found !== undefined && (found.inode !== inode || found.uid !== Number(uid))) return undefined;
    found = { uid: Number(uid), inode };
  }
  return found;
}

/** An end as the kernel writes it in a family's table, words of 32 bits in the order of the machine, then the port. */
export function keyOf(end: End | undefined, family: 4 | 6): string | undefined {
  if (end === undefined || (family === 4 && end.bytes.length === 16)) return undefined;
  const mapped = family === 6 && end.bytes.length === 4;
  const bytes = mapped ? Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...end.bytes) : end.bytes;
  const words: string[] = [];
  for (let at = 0; at < bytes.length; at += 4) {
    const word = LITTLE_ENDIAN ? bytes.slice(at, at + 4).reverse() : bytes.slice(at, at + 4);
    words.push(Buffer.from(word).toString("hex").toUpperCase());
  }
  return `${words.join("")}:${end.port.toString(16).toUpperCase().padStart(4, "0")}`;
}

/**
 * The kernel gives its table page by page, the smallest of which are of 4,096 bytes, and goes through all its buckets
 * again to tell that nothing is left. A page in which another line (about 150 bytes) had found room was the last.
 */
const LAST_PAGE_BYTES = 4_096 - 256;

/** The table of a family, page by page. */
export function* pagesOf(path: string): Iterable<string> {
  const page = Buffer.allocUnsafe(64 * 1_024);
  const file = openSync(path, "r");
  try {
    for (let count = page.length; count > LAST_PAGE_BYTES;) {
      count = readSync(file, page);
      yield page.toString("latin1", 0, count);
    }
  } finally {
    closeSync(file);
  }
}
