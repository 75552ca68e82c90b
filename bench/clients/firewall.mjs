// @ts-check
/** Connections and requests in batches, with the preload or without, for whoever asks over IPC. */
import http from "node:http";
import { connect } from "node:net";

/**
 * A port of this machine on which nobody listens: the connection is refused at once, and costs hardly more than the
 * call.
 */
const CLOSED = 1;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

/** @param {import("node:net").TcpNetConnectOpts} options @returns {Promise<void>} */
function refused(options) {
  return new Promise((resolve, reject) => {
    const socket = connect(options, () => {
      reject(new Error("somebody listens there"));
    });
    socket.once("error", () => {
      resolve();
    });
  });
}

const lookup = (
  /** @type {string} */ _,
  /** @type {import("node:dns").LookupOptions} */ { all },
  /** @type {Function} */ callback,
) => {
  if (all) callback(null, [{ address: "127.0.0.1", family: 4 }]);
  else callback(null, "127.0.0.1", 4);
};

/** @type {Record<string, (url: string) => Promise<unknown>>} */
const kinds = {
  v4: () => refused({ host: "127.0.0.1", port: CLOSED }),
  v6: () => refused({ host: "::1", port: CLOSED }),
  // Without the resolver, whose threads cost more than all else.
  name: () => refused({ host: "service.internal.example", port: CLOSED, lookup }),
  http: (url) =>
    new Promise((resolve, reject) => {
      http
        .get(url, { agent }, (answer) => {
          answer.resume().on("end", resolve);
        })
        .on("error", reject);
    }),
  fetch: async (url) => (await fetch(url)).arrayBuffer(),
};

process.on("message", async (/** @type {{ kind: string, count: number, url: string }} */ { kind, count, url }) => {
  const once = kinds[kind];
  if (once === undefined) throw new Error(`no kind is called ${kind}`);
  const before = process.cpuUsage();
  const began = performance.now();
  for (let done = 0; done < count; done += 1) await once(url);
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(before);
  process.send?.({ us: (ms * 1000) / count, cpuUs: (user + system) / count });
});
process.on("disconnect", () => {
  process.exit(0);
});
