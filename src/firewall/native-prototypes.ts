/** Finds the prototypes of the native handles without dialling, sending or printing anything. */
import { binding } from "./bindings.js";
import { handleOf } from "../base/own-sockets.js";
import { getBuiltinModule } from "./node-process.js";

/** Where `connect`, `send` and `setServers` live. */
export interface NativePrototypes {
  readonly tcp: object;
  readonly udp: object;
  readonly resolver: object;
}

/** From the bindings, which costs nothing, else from objects that are made and thrown away. */
export function nativePrototypes(): NativePrototypes {
  return fromBindings() ?? fromObjects();
}

function fromBindings(): NativePrototypes | undefined {
  const tcp = prototypeIn("tcp_wrap", "TCP");
  const udp = prototypeIn("udp_wrap", "UDP");
  const resolver = prototypeIn("cares_wrap", "ChannelWrap");
  return tcp && udp && resolver ? { tcp, udp, resolver } : undefined;
}

function prototypeIn(name: string, kind: string): object | undefined {
  return (binding(name) as Readonly<Record<string, { readonly prototype?: object } | undefined>> | undefined)?.[kind]
    ?.prototype;
}

function fromObjects(): NativePrototypes {
  const { Socket } = getBuiltinModule("node:net");
  const { createSocket } = getBuiltinModule("node:dgram");
  const { Resolver } = getBuiltinModule("node:dns");
  // connect() makes the handle at once, and a lookup that never answers keeps it from dialling.
  const stream = new Socket();
  stream.connect({ host: "never.invalid", port: 1, lookup: () => undefined });
  const datagram = createSocket("udp4");
  const found = { tcp: prototypeOf(stream), udp: prototypeOf(datagram), resolver: prototypeOf(new Resolver()) };
  stream.destroy();
  datagram.close();
  return found;
}

function prototypeOf(owner: object): object {
  return Object.getPrototypeOf(handleOf(owner)) as object;
}
