// @ts-check
/** Makes connections to itself, asks the kernel for their owners over descriptor 3, and prints what it says. */
import { once } from "node:events";
import { readdirSync, readlinkSync, writeSync } from "node:fs";
import { connect, createServer } from "node:net";

/** @type {typeof import("../../src/gateway/socket-diag.js")} */
const { openSocketDiag, questionOf } = await import(process.argv[2] ?? "");
// A process that had the socket before was killed before it read its answer.
const nobody = { bytes: Uint8Array.of(127, 0, 0, 1), port: 1 };
writeSync(3, questionOf(nobody, nobody, 1));
const diag = openSocketDiag(3);
if (diag === undefined) throw new Error("descriptor 3 is none of sock_diag");

/** @param {string} host @param {string} to */
async function ask(host, to) {
  const server = createServer({ allowHalfOpen: true }).listen(0, host);
  await once(server, "listening");
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  const before = sockets();
  const client = connect({ host: to, port: address.port, allowHalfOpen: true });
  const [accepted] = /** @type {[import("node:net").Socket]} */ (await once(server, "connection"));
  if (client.connecting) await once(client, "connect");
  const { remoteAddress = "", remotePort = 0, localAddress = "", localPort = 0 } = accepted;
  const connection = { remoteAddress, remotePort, localAddress, localPort };
  const owner = diag?.ownerOf(connection);
  const answer = {
    uid: owner?.uid,
    // Of the two sockets that are new here one is the client's.
    ours: owner !== undefined && !before.includes(owner.inode) && sockets().includes(owner.inode),
    elsewhere: diag?.ownerOf({ ...connection, remotePort: 1 }) ?? null,
    again: diag?.ownerOf(connection)?.inode === owner?.inode,
    listening: diag?.ownerOf({ ...connection, remotePort: localPort, localPort: 1 }) ?? null,
    ended: /** @type {unknown} */ (undefined),
  };
  client.destroy();
  await once(client, "close");
  answer.ended = diag?.ownerOf(connection) ?? null;
  accepted.destroy();
  server.close();
  return answer;
}

function sockets() {
  return readdirSync("/proc/self/fd").flatMap((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).match(/\d+/) ?? [];
    } catch {
      return [];
    }
  });
}

console.log(
  JSON.stringify({
    four: await ask("127.0.0.1", "127.0.0.1"),
    six: await ask("::1", "::1"),
    mapped: await ask("::", "::ffff:127.0.0.1"),
  }),
);
