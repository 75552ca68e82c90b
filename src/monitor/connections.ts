/** The connections of this host to the metadata addresses, as `/proc/net/tcp` and `/proc/net/tcp6` tell them. */
import { ipv6Text, isImdsAddress } from "../base/addresses.js";

/** One connection. */
export interface Connection {
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly state: string;
  /** User of the socket; undefined where the system has forgotten it, for connections that wait out their end. */
  readonly uid: number | undefined;
}

const IMDS_PORT = 80;
// net/tcp_states.h
const STATES: Readonly<Record<string, string>> = {
  "01": "established",
  "02": "syn-sent",
  "03": "syn-received",
  "04": "fin-wait-1",
  "05": "fin-wait-2",
  "06": "time-wait",
  "07": "closed",
  "08": "close-wait",
  "09": "last-ack",
  "0A": "listening",
  "0B": "closing",
};

/**
 * Reads either table and returns what leads to IMDS. Lines that are not understood are left out. Addresses are printed
 * as machine words, so `endianness` must be the machine's.
 */
export function connectionsToImds(text: string, endianness: "LE" | "BE"): readonly Connection[] {
  const found: Connection[] = [];
  for (const line of text.split("\n")) {
    const [, local, remote, stateHex = "", , , , uidText = ""] = line.trim().split(/\s+/);
    const to = endpoint(remote, endianness);
    if (to === undefined || !isImdsAddress(to.address)) continue;
    const from = endpoint(local, endianness);
    const state = STATES[stateHex.toUpperCase()];
    // The other end of a connection within this host, where the address is its own: that is the server, and asks
    // nobody.
    if (from !== undefined && from.port === IMDS_PORT && isImdsAddress(from.address)) continue;
    if (from === undefined || state === undefined || !/^\d{1,10}$/.test(uidText)) continue;
    found.push({
      localPort: from.port,
      remoteAddress: to.address,
      remotePort: to.port,
      state,
      uid: state === "time-wait" ? undefined : Number(uidText),
    });
  }
  return found;
}

function endpoint(text: string | undefined, endianness: "LE" | "BE"): { address: string; port: number } | undefined {
  const match = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/i.exec(text ?? "");
  if (match === null) return undefined;
  const bytes = Buffer.from(match[1] as string, "hex");
  if (endianness === "LE") bytes.swap32();
  const port = Number.parseInt(match[2] as string, 16);
  return { address: bytes.length === 4 ? bytes.join(".") : ipv6Text(bytes), port };
}
