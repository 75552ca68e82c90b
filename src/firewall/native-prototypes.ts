/** Finds the prototypes of the native handles without dialling, sending or printing anything. */
import { handleOf } from "./capability.js";
import { withoutDeprecations } from "./without-deprecations.js";

const { getBuiltinModule } = process;

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

type Bindings = (name: string) => Readonly<Record<string, { readonly prototype?: object } | undefined>>;

function fromBindings(): NativePrototypes | undefined {
  try {
    return withoutDeprecations(() => {
      const binding = (process as unknown as { binding: Bindings }).binding.bind(process) as Bindings;
      const tcp = binding("tcp_wrap")["TCP"]?.prototype;
      const udp = binding("udp_wrap")["UDP"]?.prototype;
      const resolver = binding("cares_wrap")["ChannelWrap"]?.prototype;
      return tcp && udp && resolver ? { tcp, udp, resolver } : undefined;
    });
  } catch {
    // `--permission` and embedders take the bindings away, each with an error of its own.
    return undefined;
  }
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
