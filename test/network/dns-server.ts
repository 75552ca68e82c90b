/** A DNS server on loopback whose every answer a test decides. */
import { createSocket } from "node:dgram";
import type { RemoteInfo } from "node:dgram";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import * as dnsPacket from "dns-packet";

/** One question as it arrived. */
export interface Asked {
  readonly packet: Buffer;
  readonly id: number;
  readonly name: string;
  readonly type: "A" | "AAAA";
}

/** Gives the packets to send back, none for silence. */
export type Answering = (asked: Asked, remote: RemoteInfo) => readonly Buffer[];

export interface DnsServer {
  /** `127.0.0.1:port`. */
  readonly address: string;
  readonly port: number;
  readonly asked: Asked[];
  readonly askedOverTcp: Asked[];
  readonly close: () => Promise<void>;
}

function readQuestion(packet: Buffer): Asked {
  const { id = 0, questions = [] } = dnsPacket.decode(packet);
  const [question] = questions;
  return { packet, id, name: question!.name, type: question!.type as "A" | "AAAA" };
}

/** Starts a server; `tcp` gets the connection and the question, and may do with them as it likes. */
export async function startDnsServer(udp: Answering, tcp?: (socket: Socket, asked: Asked) => void): Promise<DnsServer> {
  const asked: Asked[] = [];
  const askedOverTcp: Asked[] = [];
  const open = new Set<Socket>();
  const listener = createServer((connection) => {
    open.add(connection);
    connection.on("error", () => undefined);
    connection.once("data", (data: Buffer) => {
      const question = readQuestion(data.subarray(2));
      askedOverTcp.push(question);
      tcp?.(connection, question);
    });
  });
  // TCP first: its ports are the ones that connections of other tests may hold.
  await new Promise<void>((resolve, reject) => listener.once("error", reject).listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  const socket = createSocket("udp4");
  await new Promise<void>((resolve, reject) => socket.once("error", reject).bind(port, "127.0.0.1", resolve));
  socket.on("message", (packet, remote) => {
    const question = readQuestion(packet);
    asked.push(question);
    for (const answer of udp(question, remote)) socket.send(answer, remote.port, remote.address);
  });
  return {
    address: `127.0.0.1:${port}`,
    port,
    asked,
    askedOverTcp,
    close: async () => {
      for (const connection of open) connection.destroy();
      await Promise.all([
        new Promise<void>((resolve) => socket.close(() => resolve())),
        new Promise<void>((resolve) => listener.close(() => resolve())),
      ]);
    },
  };
}

interface Reply {
  readonly answers?: dnsPacket.Answer[];
  readonly rcode?: number;
  readonly truncated?: boolean;
  readonly id?: number;
  readonly name?: string;
}

/** A well-formed response to `asked`, with the parts that a test wants different. */
export function reply(
  asked: Pick<Asked, "id" | "name" | "type">,
  { answers = [], rcode = 0, truncated = false, id, name }: Reply = {},
): Buffer {
  return dnsPacket.encode({
    type: "response",
    id: id ?? asked.id,
    flags:
      dnsPacket.RECURSION_DESIRED |
      dnsPacket.RECURSION_AVAILABLE |
      (truncated ? dnsPacket.TRUNCATED_RESPONSE : 0) |
      rcode,
    questions: [{ type: asked.type, name: name ?? asked.name }],
    answers,
  });
}
