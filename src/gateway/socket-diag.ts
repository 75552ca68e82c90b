/**
 * The owner of one connection, asked of the kernel by its two ends (sock_diag(7)). The kernel finds it in its hash table,
 * where its text tables (`/proc/net/tcp`) go through all of it. Node.js makes no sockets of this family: the service
 * manager hands one over.
 */
import { randomBytes } from "node:crypto";
import { readFileSync, readlinkSync, readSync, writeSync } from "node:fs";
import { unmapped } from "../base/addresses.js";
import type { Connection, End, SocketOwner } from "./connection.js";
import { askedEnds, askingEnd, hasOwner, LITTLE_ENDIAN } from "./connection.js";

/** Asks the kernel. */
export interface SocketDiag {
  /** Undefined where the kernel names nobody. That is no proof that there is nobody: it may not have the means. */
  ownerOf(connection: Connection): SocketOwner | undefined;
}

/** The protocol number of sock_diag (linux/netlink.h). */
const NETLINK_SOCK_DIAG = "4";
/** Type and flag of a request for one socket (linux/sock_diag.h, linux/netlink.h). */
const SOCK_DIAG_BY_FAMILY = 20;
const NLM_F_REQUEST = 1;
/** Bits by state. */
const EVERY_STATE = 0xffff_ffff;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_TCP = 6;
/** `struct nlmsghdr`, and with it `struct inet_diag_req_v2` and `struct inet_diag_msg` (linux/inet_diag.h). */
const HEADER_BYTES = 16;
const QUESTION_BYTES = HEADER_BYTES + 56;
const ANSWER_BYTES = HEADER_BYTES + 72;
/** Where the address of the near end begins, in both, and that of the far end. */
const NEAR_AT = 4;
const FAR_AT = 20;
/** `struct inet_diag_sockid` in the request and in the reply. */
const QUESTION_ID = HEADER_BYTES + 8;
const ANSWER_ID = HEADER_BYTES + 4;
const COOKIE_AT = 40;
const UID_AT = ANSWER_ID + 48 + 12;
const INODE_AT = UID_AT + 4;

/** Of an answer that is an error: a number below zero (`struct nlmsgerr`). */
const ERROR_BYTES = HEADER_BYTES + 4;
const NLMSG_ERROR = 2;
const ENOENT = -2;
/** A connection that there is not. */
const NOBODY: End = { bytes: new Uint8Array(4), port: 0 };
/** Not where a process that had the socket before began: what was left to it is not taken for an answer. */
const BEGIN = randomBytes(4).readUInt32LE();

/**
 * A question about one TCP connection, in whatever state. Numbers are in the order of the machine, ports and addresses
 * in that of the network.
 */
export function questionOf(near: End, far: End, sequence: number): Buffer {
  const question = Buffer.alloc(QUESTION_BYTES);
  const view = viewOf(question);
  view.setUint32(0, QUESTION_BYTES, LITTLE_ENDIAN);
  view.setUint16(4, SOCK_DIAG_BY_FAMILY, LITTLE_ENDIAN);
  view.setUint16(6, NLM_F_REQUEST, LITTLE_ENDIAN);
  view.setUint32(8, sequence, LITTLE_ENDIAN);
  question[HEADER_BYTES] = near.bytes.length === 4 ? AF_INET : AF_INET6;
  question[HEADER_BYTES + 1] = IPPROTO_TCP;
  view.setUint32(HEADER_BYTES + 4, EVERY_STATE, LITTLE_ENDIAN);
  view.setUint16(QUESTION_ID, near.port);
  view.setUint16(QUESTION_ID + 2, far.port);
  question.set(near.bytes, QUESTION_ID + NEAR_AT);
  question.set(far.bytes, QUESTION_ID + FAR_AT);
  // No cookie of an earlier answer.
  question.fill(0xff, QUESTION_ID + COOKIE_AT, QUESTION_ID + COOKIE_AT + 8);
  return question;
}

/**
 * What the kernel answered: the owner; null where it has no such socket, or one that nobody owns; undefined where this
 * is no answer to the question. Asked about a connection that is none, it may name the socket that listens there.
 */
export function readAnswer(answer: Buffer, near: End, far: End, sequence: number): SocketOwner | null | undefined {
  if (answer.length < ERROR_BYTES) return undefined;
  const view = viewOf(answer);
  if (view.getUint32(0, LITTLE_ENDIAN) > answer.length || view.getUint32(8, LITTLE_ENDIAN) !== sequence)
    return undefined;
  const type = view.getUint16(4, LITTLE_ENDIAN);
  if (type === NLMSG_ERROR) return view.getInt32(HEADER_BYTES, LITTLE_ENDIAN) === ENOENT ? null : undefined;
  if (type !== SOCK_DIAG_BY_FAMILY || answer.length < ANSWER_BYTES) return undefined;
  const family = answer[HEADER_BYTES];
  const same = (end: End, portAt: number, addressAt: number): boolean =>
    view.getUint16(ANSWER_ID + portAt) === end.port &&
    addressIn(answer, ANSWER_ID + addressAt, family).equals(end.bytes);
  if (!same(near, 0, NEAR_AT) || !same(far, 2, FAR_AT)) return null;
  const inode = view.getUint32(INODE_AT, LITTLE_ENDIAN);
  if (inode === 0 || !hasOwner(answer[HEADER_BYTES + 1] ?? 0)) return null;
  return { uid: view.getUint32(UID_AT, LITTLE_ENDIAN), inode: String(inode) };
}

/** A socket of both families has its IPv4 addresses in mapped form. */
function addressIn(answer: Buffer, at: number, family: number | undefined): Buffer {
  return Buffer.from(unmapped(answer.subarray(at, at + (family === AF_INET ? 4 : 16))));
}

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/**
 * Asks over a socket that was handed over: one of sock_diag, in the network namespace of this process. Undefined where
 * the descriptor is something else. `proc` is where the process file system is mounted.
 */
export function openSocketDiag(descriptor: number, proc = "/proc"): SocketDiag | undefined {
  const answer = Buffer.alloc(1_024);
  const read = (): Buffer => answer.subarray(0, readSync(descriptor, answer));
  try {
    // The kernel lists the socket when it has an address, which it has after the first question at the latest. Nothing
    // is read from a descriptor that is something else: it might never answer.
    writeSync(descriptor, questionOf(NOBODY, NOBODY, BEGIN));
    if (!isSockDiag(descriptor, proc)) return undefined;
    // A process that had it before, and was killed, may have left an answer behind.
    if (readAnswer(read(), NOBODY, NOBODY, BEGIN) !== null && readAnswer(read(), NOBODY, NOBODY, BEGIN) !== null)
      return undefined;
  } catch {
    return undefined;
  }
  return createSocketDiag((question) => {
    writeSync(descriptor, question);
    // The kernel has answered when the question has been taken.
    return read();
  });
}

/**
 * Whether a descriptor is a socket of sock_diag in this network namespace: the kernel lists all of these.
 * @throws the system's error where that cannot be told
 */
export function isSockDiag(descriptor: number, proc: string): boolean {
  const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`${proc}/self/fd/${descriptor}`))?.[1];
  return readFileSync(`${proc}/net/netlink`, "latin1")
    .split("\n")
    .some((line) => {
      const [, protocol, , , , , , , , its] = line.trim().split(/\s+/);
      return protocol === NETLINK_SOCK_DIAG && its !== undefined && its === inode;
    });
}

/** Asks by an exchange that gives the kernel's answer to a question, or throws. */
export function createSocketDiag(exchange: (question: Buffer) => Buffer): SocketDiag {
  let sequence = BEGIN;
  let broken = false;

  // An answer to something else would leave one behind, and then none to wait for: from then on nothing is asked.
  function ask(near: End, far: End): SocketOwner | undefined {
    sequence = (sequence + 1) >>> 0;
    try {
      const owner = readAnswer(exchange(questionOf(near, far, sequence)), near, far, sequence);
      broken = owner === undefined;
      return owner ?? undefined;
    } catch {
      broken = true;
      return undefined;
    }
  }

  return {
    ownerOf(connection) {
      const near = askingEnd(connection);
      if (near === undefined) return undefined;
      for (const far of askedEnds(connection)) {
        if (broken) return undefined;
        const owner = far.bytes.length === near.bytes.length ? ask(near, far) : undefined;
        if (owner !== undefined) return owner;
      }
      return undefined;
    },
  };
}
