/** Both ends of an accepted connection, as the listening side has them, and what the kernel says of the far one. */
import { endianness } from "node:os";
import { IMDS_IPV4, IMDS_IPV6, parseIp, unmapped } from "../base/addresses.js";

/** Both ends of an accepted connection, as the listening side has them. */
export interface Connection {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/** Undefined where the other end is gone already. */
export function endsOf({
  remoteAddress,
  remotePort,
  localAddress,
  localPort,
}: Partial<Connection>): Connection | undefined {
  if (remoteAddress === undefined || remotePort === undefined || localAddress === undefined || localPort === undefined)
    return undefined;
  return { remoteAddress, remotePort, localAddress, localPort };
}

/** Whose a socket is, as the kernel tells. */
export interface SocketOwner {
  readonly uid: number;
  readonly inode: string;
}

/** The kernel's numbers of states in which a socket has an owner no more: TIME_WAIT, CLOSE, LAST_ACK, LISTEN, NEW_SYN_RECV. */
const OWNERLESS: readonly number[] = [6, 7, 9, 10, 12];

/** Whether a socket in this state, by the kernel's number of it (net/tcp_states.h), belongs to somebody. */
export function hasOwner(state: number): boolean {
  return !OWNERLESS.includes(state);
}

/** The kernel writes numbers in the order of the machine. */
export const LITTLE_ENDIAN = endianness() === "LE";

/** One end of a connection, by 4 or 16 bytes; an IPv4 address is one, also where a socket of both families has it. */
export interface End {
  readonly bytes: Uint8Array;
  readonly port: number;
}

/** The end of the program that asks. Undefined where its address is no literal. */
export function askingEnd({ remoteAddress, remotePort }: Connection): End | undefined {
  return end(remoteAddress, remotePort);
}

/** What the program may have connected to: IMDS, from where it was led here, or this very end. */
export function askedEnds({ localAddress, localPort, remoteAddress }: Connection): readonly End[] {
  const asking = end(remoteAddress, 0);
  const imds = end(asking?.bytes.length === 4 ? IMDS_IPV4 : IMDS_IPV6, 80);
  return [imds, end(localAddress, localPort)].filter((each) => each !== undefined);
}

function end(address: string, port: number): End | undefined {
  const ip = parseIp(address);
  return ip && { bytes: unmapped(ip.bytes), port };
}
