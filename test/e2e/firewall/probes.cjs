// @ts-nocheck
/**
 * Ways in which JavaScript reaches an address. Each runs in a process of its own: `node probes.cjs <name>` prints what
 * the caller saw. Without a firewall every one of them arrives at a metadata address; `--list` prints what is known of
 * each.
 */
"use strict";
// Taken before anything is tampered with, as a program's own early modules would.
const net = require("net");
const http = require("http");
const https = require("https");
const http2 = require("http2");
const tls = require("tls");
const dgram = require("dgram");
const dns = require("dns");
const { Worker, SHARE_ENV } = require("worker_threads");
const childProcess = require("child_process");
const { join } = require("path");
const earlyFetch = globalThis.fetch;
const earlyConnect = net.Socket.prototype.connect;
const earlyRequest = http.request;

const V4 = "169.254.169.254";
const V6 = "fd00:ec2::254";
const major = Number(process.versions.node.split(".")[0]);
const probes = {};
/** Options: min (Node's major version), args and env of the process, lib (a package it needs), documented (why it still arrives),
 * tunnel (a proxy may be asked for a way there, but nothing is sent through it), shape "any" (the error is not the
 * usual one). */
const add = (name, run, options = {}) => {
  if (probes[name]) throw new Error(`two probes named ${name}`);
  probes[name] = { run, ...options };
};

const get = (...args) =>
  new Promise((resolve, reject) => {
    http
      .get(...args, (response) => {
        response.resume();
        response.on("end", () => resolve(`status ${response.statusCode}`));
      })
      .on("error", reject);
  });
const connect = (...args) => connected(net.connect(...args));
const connected = (socket, event = "connect") =>
  new Promise((resolve, reject) => {
    socket.once(event, () => {
      resolve(event);
      socket.destroy();
    });
    socket.once("error", reject);
  });
const text = async (response) => `status ${(await response).status}`;
const lookupTo = (address, family) => (hostname, options, callback) =>
  setImmediate(() => callback(null, options.all ? [{ address, family }] : address, family));
const syncLookupTo = (address, family) => (hostname, options, callback) =>
  callback(null, options.all ? [{ address, family }] : address, family);

// --- Spellings of the address, through the three doors nearly everything goes through.
const HOSTS = {
  dotted: V4,
  decimal: "2852039166",
  hex: "0xa9fea9fe",
  "hex parts": "0xa9.0xfe.0xa9.0xfe",
  octal: "0251.0376.0251.0376",
  "octal whole": "025177524776",
  "two parts": "169.16689662",
  "three parts": "169.254.43518",
  mixed: "0xa9.254.0251.254",
  "trailing dot": "169.254.169.254.",
  "full-width": "\uff11\uff16\uff19\u3002\uff12\uff15\uff14\u3002169.254",
  "user info": `user:pw@${V4}`,
  percent: "%31%36%39.254.169.254",
  v6: `[${V6}]`,
  "v6 long": "[fd00:0ec2:0000:0000:0000:0000:0000:0254]",
  mapped: "[::ffff:169.254.169.254]",
  "mapped hex": "[::ffff:a9fe:a9fe]",
  "mapped long": "[0:0:0:0:0:ffff:a9fe:a9fe]",
  compatible: "[::a9fe:a9fe]",
  translated: "[::ffff:0:a9fe:a9fe]",
  nat64: "[64:ff9b::a9fe:a9fe]",
  "nat64 dotted": "[64:ff9b::169.254.169.254]",
  "nat64 local": "[64:ff9b:1::a9fe:a9fe]",
  "nat64 local /48": "[64:ff9b:1:a9fe:a9:fe00::]",
  "6to4": "[2002:a9fe:a9fe::1]",
  teredo: "[2001:0:102:304:506:708:5601:5601]",
  isatap: "[2001:db8:1:2:0:5efe:a9fe:a9fe]",
  "hosts file": "instance-data",
  "hosts file v6": "metadata6.test",
  dns: "169.254.169.253",
  "dns v6": "[fd00:ec2::253]",
  ntp: "169.254.169.123",
  ecs: "169.254.170.2",
  eks: "169.254.170.23",
  "eks v6": "[fd00:ec2::23]",
};
for (const [form, host] of Object.entries(HOSTS)) {
  add(`http.get url: ${form}`, () => get(`http://${host}/latest/meta-data/`));
  add(`fetch url: ${form}`, () => {
    // fetch refuses user info by itself.
    return text(fetch(`http://${host.replace(/^.*@/, "")}/latest/meta-data/`));
  });
}
const LITERALS = {
  dotted: V4,
  v6: V6,
  "v6 upper case": "FD00:EC2::254",
  mapped: "::ffff:169.254.169.254",
  "mapped upper case": "::FFFF:A9FE:A9FE",
  "mapped zeros": "0000:0000:0000:0000:0000:ffff:169.254.169.254",
  zone: `${V6}%lo`,
  "mapped zone": "::ffff:a9fe:a9fe%lo",
  nat64: "64:ff9b::a9fe:a9fe",
  "6to4": "2002:a9fe:a9fe::1",
  name: "instance-data",
  "octal name": "0251.0376.0251.0376",
  "decimal name": "2852039166",
  "hex name": "0xa9fea9fe",
};
for (const [form, host] of Object.entries(LITERALS)) {
  add(`net.connect: ${form}`, () => connect({ host, port: 80 }));
  add(`http.request host: ${form}`, () => get({ host, port: 80 }));
}

// --- net
add("net.connect(port, host)", () => connect(80, V4));
add("net.createConnection", () => connected(net.createConnection({ host: V4, port: 80 })));
add("new net.Socket().connect(port, host)", () => connected(new net.Socket().connect(80, V4)));
add("new net.Socket().connect(options)", () => connected(new net.Socket().connect({ host: V4, port: 80 })));
add("new net.Stream", () => connected(new net.Stream().connect({ host: V4, port: 80 })));
add("Socket.prototype.connect taken early", () => connected(earlyConnect.call(new net.Socket(), 80, V4)));
add("net.connect another port", () => connect(443, V4));
add("net.connect family 4", () => connect({ host: "instance-data", port: 80, family: 4 }));
add("net.connect family lies", () => connect({ host: V4, port: 80, family: 6 }));
add("net.connect localAddress", () => connect({ host: V4, port: 80, localAddress: "127.0.0.1" }));
add("net.connect lookup async", () => connect({ host: "a.test", port: 80, lookup: lookupTo(V4, 4) }));
add("net.connect lookup sync", () => connect({ host: "a.test", port: 80, lookup: syncLookupTo(V4, 4) }));
add("net.connect lookup v6", () => connect({ host: "a.test", port: 80, lookup: lookupTo(V6, 6) }));
add("net.connect lookup mapped as v6", () =>
  connect({ host: "a.test", port: 80, lookup: lookupTo("::ffff:a9fe:a9fe", 6) }),
);
add("net.connect autoSelectFamily off", () => connect({ host: "instance-data", port: 80, autoSelectFamily: false }));
add("net.connect autoSelectFamily on", () => connect({ host: "instance-data", port: 80, autoSelectFamily: true }));
add("happy eyeballs, both", () =>
  connect({
    host: "a.test",
    port: 80,
    autoSelectFamily: true,
    lookup: (_, options, callback) =>
      callback(null, [
        { address: V6, family: 6 },
        { address: V4, family: 4 },
      ]),
  }),
);
add(
  "happy eyeballs, a dead one first",
  () =>
    connect({
      host: "a.test",
      port: 80,
      autoSelectFamily: true,
      lookup: (_, options, callback) =>
        callback(null, [
          { address: "2001:db8::dead", family: 6 },
          { address: V4, family: 4 },
        ]),
    }),
  { shape: "any" },
);
add("net.connect subclass", () => connected(new (class extends net.Socket {})().connect(80, V4)));
add("net.connect on a handle of its own", () => {
  const { TCP, constants } = process.binding("tcp_wrap");
  return connected(new net.Socket({ handle: new TCP(constants.SOCKET), manualStart: true }).connect(80, V4));
});
add(
  "net.connect after a refusal, same socket",
  () =>
    new Promise((resolve, reject) => {
      const socket = new net.Socket();
      socket.once("error", () =>
        socket.once("close", () => {
          socket.once("error", reject);
          socket.connect(80, V4, () => resolve("connected"));
        }),
      );
      socket.connect(1, "127.0.0.1");
    }),
);
add("net.connect with a blockList that blocks nothing", () =>
  connect({ host: V4, port: 80, blockList: new net.BlockList() }),
);
add("net.connect onread", () =>
  connect({ host: V4, port: 80, onread: { buffer: Buffer.alloc(64), callback: () => true } }),
);
add("net.connect keepAlive, noDelay", () => connect({ host: V4, port: 80, keepAlive: true, noDelay: true }));
add("net.connect in another vm context", () =>
  require("vm").runInNewContext("connect({ host, port: 80 })", { connect, host: V4 }),
);
add("net through process.getBuiltinModule", () => connected(process.getBuiltinModule("net").connect(80, V4)), {
  min: 22,
});
add("net through createRequire", () =>
  connected(require("module").createRequire(__filename)("node:net").connect(80, V4)),
);
add("net through import()", async () => connected((await import("node:net")).connect(80, V4)));
add("net through process.mainModule.require", () => connected(process.mainModule.require("net").connect(80, V4)));

// --- tls, https, http2
const INSECURE = { rejectUnauthorized: false };
const cleartext = (promise) =>
  promise.catch((error) => {
    if (error.code === "EACCES") throw error;
    return `arrived: ${error.code}`;
  });
add("tls.connect options", () =>
  cleartext(connected(tls.connect({ host: V4, port: 443, ...INSECURE }), "secureConnect")),
);
add("tls.connect(port, host)", () => cleartext(connected(tls.connect(443, V4, INSECURE), "secureConnect")));
add("tls over a plain socket", () =>
  cleartext(connected(tls.connect({ socket: net.connect(443, V4), ...INSECURE }), "secureConnect")),
);
add("tls lookup", () =>
  cleartext(
    connected(tls.connect({ host: "a.test", port: 443, lookup: lookupTo(V4, 4), ...INSECURE }), "secureConnect"),
  ),
);
add("https.get", () =>
  cleartext(new Promise((resolve, reject) => https.get({ host: V4, ...INSECURE }, resolve).on("error", reject))),
);
add("https.get v6", () =>
  cleartext(new Promise((resolve, reject) => https.get(`https://[${V6}]/`, INSECURE, resolve).on("error", reject))),
);
add("https.Agent", () =>
  cleartext(
    new Promise((resolve, reject) =>
      https.get({ host: V4, agent: new https.Agent({ keepAlive: true, ...INSECURE }) }, resolve).on("error", reject),
    ),
  ),
);
add("fetch https", () =>
  cleartext(
    text(fetch(`https://${V4}/`)).catch((error) => {
      throw error.cause ?? error;
    }),
  ),
);
const session = (client) =>
  cleartext(
    new Promise((resolve, reject) => {
      client.on("connect", () => resolve("connect"));
      client.on("error", reject);
      setTimeout(() => {
        client.destroy();
        resolve("no answer");
      }, 1500);
    }),
  );
add("http2.connect", () => session(http2.connect(`http://${V4}`)));
add("http2.connect v6", () => session(http2.connect(`http://[${V6}]`)));
add("http2.connect https", () => session(http2.connect(`https://${V4}`, INSECURE)));
add("http2 createConnection", () =>
  session(http2.connect("http://a.test", { createConnection: () => net.connect(80, V4) })),
);

// --- http
add(
  "http.request taken early",
  () => new Promise((resolve, reject) => earlyRequest({ host: V4 }, resolve).on("error", reject).end()),
);
add(
  "http.request PUT with a body",
  () =>
    new Promise((resolve, reject) => {
      const request = http.request({ host: V4, method: "PUT", path: "/latest/api/token" }, resolve).on("error", reject);
      request.write("x");
      request.end("y");
    }),
);
add(
  "http.request flushHeaders",
  () =>
    new Promise((resolve, reject) => {
      const request = http.request({ host: V4 }, resolve).on("error", reject);
      request.flushHeaders();
      request.end();
    }),
);
add("http agent keepAlive", () => get({ host: V4, agent: new http.Agent({ keepAlive: true }) }));
add("http agent false", () => get({ host: V4, agent: false }));
add("http agent subclass", () =>
  get({
    host: "a.test",
    agent: new (class extends http.Agent {
      createConnection() {
        return net.connect(80, V4);
      }
    })(),
  }),
);
add("http agent createConnection with callback", () =>
  get({
    host: "a.test",
    agent: Object.assign(new http.Agent(), {
      createConnection: (_, callback) => {
        const socket = net.connect(80, V4);
        socket.once("connect", () => callback(null, socket));
        socket.once("error", callback);
      },
    }),
  }),
);
add("http createConnection", () => get({ host: "a.test", createConnection: () => net.connect(80, V4) }));
add("http lookup sync", () => get({ host: "a.test", lookup: syncLookupTo(V4, 4) }));
add("http lookup sync v6", () => get({ host: "a.test", lookup: syncLookupTo(V6, 6) }));
add("http lookup async", () => get({ host: "a.test", lookup: lookupTo(V4, 4) }));
add("http Host header of somebody else", () => get({ host: V4, headers: { Host: "example.com" } }));
add("http family 6 mapped", () => get({ host: "::ffff:169.254.169.254", family: 6 }));
add("http localAddress", () => get({ host: V4, localAddress: "127.0.0.1" }));
add("http url object", () => get(new URL(`http://${V4}/`)));
add("http url object and options", () => get(new URL("http://a.test/"), { host: V4, hostname: V4 }));
add(
  "http.ClientRequest",
  () => new Promise((resolve, reject) => new http.ClientRequest({ host: V4 }, resolve).on("error", reject).end()),
);
add(
  "http upgrade",
  () =>
    new Promise((resolve, reject) =>
      http
        .get({ host: V4, headers: { Connection: "Upgrade", Upgrade: "x" } }, resolve)
        .on("upgrade", resolve)
        .on("error", reject),
    ),
);
add(
  "http CONNECT",
  () =>
    new Promise((resolve, reject) =>
      http
        .request({ host: V4, method: "CONNECT", path: "a.test:80" })
        .on("connect", resolve)
        .on("response", resolve)
        .on("error", (error) => (error.code === "EACCES" ? reject(error) : resolve(error.code)))
        .end(),
    ),
);
add(
  "http after a redirect of its own",
  () =>
    new Promise((resolve, reject) =>
      http
        .get(`http://127.0.0.1:8080/${encodeURIComponent(`http://${V4}/`)}`, (response) => {
          response.resume();
          resolve(get(response.headers.location));
        })
        .on("error", reject),
    ),
);
add("http defaultPort", () => get({ host: V4, defaultPort: 80 }));
add("http signal and timeout", () => get({ host: V4, timeout: 5000, signal: AbortSignal.timeout(5000) }));

// --- fetch and WebSocket
add("fetch taken early", () => text(earlyFetch(`http://${V4}/`)));
add("fetch a Request", () => text(fetch(new Request(`http://${V4}/`))));
add("fetch a URL", () => text(fetch(new URL(`http://${V4}/`))));
add("fetch PUT token", () =>
  text(
    fetch(`http://${V4}/latest/api/token`, {
      method: "PUT",
      headers: { "x-aws-ec2-metadata-token-ttl-seconds": "60" },
    }),
  ),
);
add("fetch POST with a stream", () =>
  text(
    fetch(`http://${V4}/`, {
      method: "POST",
      duplex: "half",
      body: new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode("x"));
          controller.close();
        },
      }),
    }),
  ),
);
add("fetch redirect", () => text(fetch(`http://127.0.0.1:8080/${encodeURIComponent(`http://${V4}/`)}`)));
add("fetch redirect v6", () =>
  text(fetch(`http://127.0.0.1:8080/${encodeURIComponent("http://[::ffff:a9fe:a9fe]/")}`)),
);
add("fetch redirect to decimal", () =>
  text(fetch(`http://localhost:8080/${encodeURIComponent("http://2852039166/")}`)),
);
add("fetch redirect twice", () =>
  text(
    fetch(
      `http://127.0.0.1:8080/${encodeURIComponent(`http://127.0.0.1:8080/${encodeURIComponent(`http://${V4}/`)}`)}`,
    ),
  ),
);
add("fetch backslashes", () => text(fetch(`http:\\\\${V4}\\latest`)));
add("fetch tabs and newlines", () => text(fetch("http://169.254\t.169\n.254/")));
add("fetch keepalive", () => text(fetch(`http://${V4}/`, { keepalive: true })));
const socketOpened = (socket) =>
  new Promise((resolve, reject) => {
    socket.onopen = () => resolve("open");
    socket.onerror = (event) => setTimeout(() => reject(event.error ?? new Error(event.message ?? "error")), 200);
  });
add("WebSocket", () => socketOpened(new WebSocket(`ws://${V4}/`)), { min: 22, shape: "any" });
add("WebSocket v6", () => socketOpened(new WebSocket(`ws://[${V6}]/`)), { min: 22, shape: "any" });
add("WebSocket name", () => socketOpened(new WebSocket("ws://instance-data/")), { min: 22, shape: "any" });
add("EventSource", () => socketOpened(new EventSource(`http://${V4}/`)), {
  min: 22,
  args: ["--experimental-eventsource"],
  shape: "any",
});

// --- datagrams
const send = (type, ...args) =>
  new Promise((resolve, reject) => {
    const socket = dgram.createSocket(type);
    socket.on("error", reject);
    socket.send(...args, (error) => {
      socket.close();
      if (error) reject(error);
      else resolve("sent");
    });
  });
add("udp send", () => send("udp4", "x", 80, V4));
add("udp send buffer with offset", () => send("udp4", Buffer.from("abc"), 1, 1, 80, V4));
add("udp send list", () => send("udp4", [Buffer.from("a"), Buffer.from("b")], 80, V4));
add("udp send v6", () => send("udp6", "x", 80, V6));
add("udp send mapped", () => send("udp6", "x", 80, "::ffff:169.254.169.254"));
add("udp send name", () => send("udp4", "x", 80, "instance-data"));
add("udp send dns", () => send("udp4", "x", 53, "169.254.169.253"));
add("udp send dns v6", () => send("udp6", "x", 53, "fd00:ec2::253"));
add("udp send lookup", () => send({ type: "udp4", lookup: lookupTo(V4, 4) }, "x", 80, "a.test"));
add(
  "udp send after bind",
  () =>
    new Promise((resolve, reject) => {
      const socket = dgram.createSocket("udp4");
      socket.bind(0, () =>
        socket.send("x", 80, V4, (error) => {
          socket.close();
          if (error) reject(error);
          else resolve("sent");
        }),
      );
    }),
);
add(
  "udp connect",
  () =>
    new Promise((resolve, reject) => {
      const socket = dgram.createSocket("udp4");
      socket.on("error", reject);
      socket.connect(80, V4, (error) => {
        if (error) return reject(error);
        socket.send("x", () => {
          socket.close();
          resolve("sent");
        });
      });
    }),
);
add(
  "udp connect without callback",
  () =>
    new Promise((resolve, reject) => {
      const socket = dgram.createSocket("udp4");
      socket.on("error", reject);
      socket.on("connect", () =>
        socket.send("x", () => {
          socket.close();
          resolve("sent");
        }),
      );
      socket.connect(80, V4);
    }),
);
add(
  "udp connect v6",
  () =>
    new Promise((resolve, reject) => {
      const socket = dgram.createSocket("udp6");
      socket.on("error", reject);
      socket.connect(80, V6, (error) => {
        if (error) return reject(error);
        socket.send("x", () => {
          socket.close();
          resolve("sent");
        });
      });
    }),
);

// --- resolvers of one's own
const query = (resolver) =>
  new Promise((resolve, reject) =>
    resolver.resolve4("a.test", (error) => {
      if (error && error.code !== "ETIMEOUT" && error.code !== "ECANCELLED") reject(error);
      else resolve("asked");
    }),
  );
const asking = (servers, make = () => new dns.Resolver({ timeout: 200, tries: 1 })) => {
  const resolver = make();
  resolver.setServers(servers);
  return query(resolver);
};
add("dns.Resolver", () => asking(["169.254.169.253"]));
add("dns.Resolver port", () => asking(["169.254.169.253:53"]));
add("dns.Resolver v6", () => asking(["[fd00:ec2::253]:53"]));
add("dns.Resolver mapped", () => asking(["::ffff:169.254.169.253"]));
add("dns.Resolver IMDS itself", () => asking([V4]));
add("dns.Resolver second server", () => asking(["127.0.0.1:1", "169.254.169.253"]));
add("dns.promises.Resolver", async () => {
  const resolver = new dns.promises.Resolver({ timeout: 200, tries: 1 });
  resolver.setServers(["169.254.169.253"]);
  return resolver.resolve4("a.test").catch((error) => {
    if (error.code !== "ETIMEOUT") throw error;
    return "asked";
  });
});
add("dns.setServers", () => {
  dns.setServers(["169.254.169.253"]);
  setTimeout(() => process.exit(), 1500);
  return query({
    resolve4: (name, callback) => {
      dns.resolve4(name, callback);
      setTimeout(callback, 1000, Object.assign(new Error(), { code: "ETIMEOUT" }));
    },
  });
});

// --- the native handles themselves
const raw = (method, address, port = 80) =>
  new Promise((resolve, reject) => {
    const { TCP, TCPConnectWrap, constants } = process.binding("tcp_wrap");
    const handle = new TCP(constants.SOCKET);
    const request = new TCPConnectWrap();
    request.oncomplete = (status) => {
      handle.close();
      if (status === 0) resolve("connected");
      else reject(Object.assign(new Error(`status ${status}`), { code: status === -13 ? "EACCES" : status }));
    };
    const error = handle[method](request, address, port);
    if (error) reject(Object.assign(new Error(`returned ${error}`), { code: error }));
  });
add("handle connect", () => raw("connect", V4));
add("handle connect6", () => raw("connect6", V6));
add("handle connect6 mapped", () => raw("connect6", "::ffff:169.254.169.254"));
const { String: Text } = globalThis;
const DISGUISES = {
  "a String": (address) => new Text(address),
  "an object with toString": (address) => ({ toString: () => address }),
  "an address that changes": (address) => {
    let readings = 0;
    return { toString: () => (readings++ === 0 ? "127.0.0.1" : address) };
  },
};
for (const [name, disguise] of Object.entries(DISGUISES)) {
  const address = disguise("169.254.169.253");
  add(
    `udp connect, lookup gives ${name}`,
    () => {
      const socket = dgram.createSocket({
        type: "udp4",
        lookup: (host, family, callback) => callback(null, address, 4),
      });
      return new Promise((resolve, reject) => {
        socket.on("error", reject);
        socket.connect(53, "x.test", (error) => {
          if (error) reject(error);
          else socket.send("x", (failure) => (failure ? reject(failure) : resolve("sent")));
        });
      });
    },
    // Made text of once, so that what changes stays what it was when it was looked at: no metadata address.
    name.includes("changes") ? { control: false, shape: "any" } : {},
  );
}
add("handle connect NUL", () => raw("connect", `${V4}\0junk`));
add("handle connect6 NUL", () => raw("connect6", `${V6}\0junk`));
add("handle connect6 NUL zone", () => raw("connect6", `${V6}%lo\0junk`));
add("handle connect6 cut at 39", () => raw("connect6", "fd00:0ec2:0000:0000:0000:0000:0000:0254zzzz%lo"));
add(
  "handle of a socket",
  () =>
    new Promise((resolve, reject) => {
      const socket = new net.Socket();
      socket.connect({ host: "a.test", port: 1, lookup() {} });
      const request = new (process.binding("tcp_wrap").TCPConnectWrap)();
      request.oncomplete = (status) =>
        status === 0
          ? resolve("connected")
          : reject(Object.assign(new Error(), { code: status === -13 ? "EACCES" : status }));
      socket._handle.connect(request, V4, 80);
    }),
);
add(
  "handle prototype method, called on another",
  () =>
    new Promise((resolve, reject) => {
      const { TCP, TCPConnectWrap, constants } = process.binding("tcp_wrap");
      const request = new TCPConnectWrap();
      request.oncomplete = (status) =>
        status === 0
          ? resolve("connected")
          : reject(Object.assign(new Error(), { code: status === -13 ? "EACCES" : status }));
      Reflect.apply(TCP.prototype.connect, new (class extends TCP {})(constants.SOCKET), [request, V4, 80]);
    }),
);
add(
  "udp handle",
  () =>
    new Promise((resolve, reject) => {
      const { UDP, SendWrap } = process.binding("udp_wrap");
      const handle = new UDP();
      handle.bind("0.0.0.0", 0, 0);
      const status = handle.send(
        Object.assign(new SendWrap(), { oncomplete() {} }),
        [Buffer.from("x")],
        1,
        80,
        V4,
        true,
      );
      if (status < 0) reject(Object.assign(new Error(), { code: status === -13 ? "EACCES" : status }));
      else resolve("sent");
    }),
);

// --- worker threads
const HIT = `require("http").get("http://${V4}/", (response) => response.resume()).on("error", (error) => { process.exitCode = error.code === "EACCES" ? 13 : 1; });`;
const HIT_FILE = join(__dirname, "hit.cjs");
const HIT_MODULE = join(__dirname, "hit.mjs");
const ended = (emitter) =>
  new Promise((resolve, reject) => {
    emitter.once("error", reject);
    emitter.once("exit", (code) =>
      code === 0
        ? resolve("ended")
        : reject(Object.assign(new Error(`exit ${code}`), { code: code === 13 ? "EACCES" : code })),
    );
  });
const thread = (program, options) => ended(new Worker(program, options));
add("worker", () => thread(HIT_FILE));
add("worker module", () => thread(HIT_MODULE));
add("worker eval", () => thread(HIT, { eval: true }));
add("worker execArgv []", () => thread(HIT_FILE, { execArgv: [] }));
add("worker env {}", () => thread(HIT_FILE, { env: {} }));
add("worker execArgv [], env {}", () => thread(HIT_FILE, { execArgv: [], env: {} }));
add("worker eval execArgv [], env {}", () => thread(HIT, { eval: true, execArgv: [], env: {} }));
add("worker module execArgv [], env {}", () => thread(HIT_MODULE, { execArgv: [], env: {} }));
add("worker SHARE_ENV", () => thread(HIT_FILE, { env: SHARE_ENV, execArgv: [] }));
add("worker data: module", () =>
  thread(
    new URL(
      `data:text/javascript,${encodeURIComponent(`import http from "node:http"; http.get("http://${V4}/", (response) => response.resume()).on("error", (error) => { process.exitCode = error.code === "EACCES" ? 13 : 1; });`)}`,
    ),
    { execArgv: [], env: {} },
  ),
);
add("worker in a worker", () =>
  thread(
    `const { Worker } = require("worker_threads"); new Worker(${JSON.stringify(HIT)}, { eval: true, execArgv: [], env: {} }).on("exit", (code) => { process.exitCode = code; });`,
    { eval: true, execArgv: [], env: {} },
  ),
);
add("worker subclass", () => ended(new (class extends Worker {})(HIT_FILE, { execArgv: [], env: {} })));
add("worker by import", async () =>
  ended(new (await import("node:worker_threads")).Worker(HIT_FILE, { execArgv: [], env: {} })),
);
add("worker with an emptied environment", () => {
  for (const name of Object.keys(process.env)) delete process.env[name];
  return thread(HIT_FILE, { execArgv: [] });
});
add("worker fetch", () =>
  thread(`fetch("http://${V4}/").catch((error) => { process.exitCode = error.cause.code === "EACCES" ? 13 : 1; });`, {
    eval: true,
    execArgv: [],
    env: {},
  }),
);
add("worker with a handle of its own", () =>
  thread(
    `const { TCP, TCPConnectWrap, constants } = process.binding("tcp_wrap"); const request = new TCPConnectWrap(); const handle = new TCP(constants.SOCKET); request.oncomplete = (status) => { handle.close(); process.exitCode = status === -13 ? 13 : status === 0 ? 0 : 1; }; handle.connect(request, "${V4}", 80);`,
    { eval: true, execArgv: [], env: {} },
  ),
);

const V8_OPTIONS = { args: ["--max-old-space-size=512", "--title=x"] };
add("worker of a process with options of V8", () => thread(HIT_FILE), V8_OPTIONS);
add("worker of a process with options of V8, env {}", () => thread(HIT_FILE, { env: {} }), V8_OPTIONS);
add("worker of a process with options of V8, SHARE_ENV", () => thread(HIT_FILE, { env: SHARE_ENV }), V8_OPTIONS);
add(
  "worker of a process with options of V8, environment emptied",
  () => {
    for (const name of Object.keys(process.env)) delete process.env[name];
    return thread(HIT, { eval: true, env: SHARE_ENV });
  },
  V8_OPTIONS,
);
add("worker by the constructor of its prototype", () =>
  ended(new Worker.prototype.constructor(HIT_FILE, { execArgv: [], env: {} })),
);

// --- child processes
const node = process.execPath;
const sync = (result) => {
  if (result.status !== 0)
    throw Object.assign(new Error(`exit ${result.status} ${result.stderr}`), {
      code: result.status === 13 ? "EACCES" : result.status,
    });
  return "ended";
};
const { spawn, fork, exec, execFile, spawnSync, execFileSync, execSync } = childProcess;
const byCallback = (error) =>
  error ? Object.assign(new Error(error.message), { code: error.code === 13 ? "EACCES" : error.code }) : undefined;
add("spawn node", () => ended(spawn(node, [HIT_FILE])));
add("spawn node env {}", () => ended(spawn(node, [HIT_FILE], { env: {} })));
add("spawn node -e", () => ended(spawn(node, ["-e", HIT], { env: {} })));
add("spawn node module", () => ended(spawn(node, [HIT_MODULE], { env: {} })));
add("spawn node NODE_OPTIONS emptied", () =>
  ended(spawn(node, [HIT_FILE], { env: { ...process.env, NODE_OPTIONS: "" } })),
);
add("spawn node other NODE_OPTIONS", () => ended(spawn(node, [HIT_FILE], { env: { NODE_OPTIONS: "--no-warnings" } })));
add("spawn node in another directory", () => ended(spawn(node, [HIT_FILE], { cwd: "/", env: {} })));
add("spawn node shell", () => ended(spawn(`"${node}" "${HIT_FILE}"`, { shell: true, env: {} })));
add("spawn node detached", () => ended(spawn(node, [HIT_FILE], { detached: true, env: {} })));
add("spawn sh that starts node", () => ended(spawn("sh", ["-c", `"${node}" "${HIT_FILE}"`], { env: {} })));
add("fork", () => ended(fork(HIT_FILE)));
add("fork execArgv [], env {}", () => ended(fork(HIT_FILE, [], { execArgv: [], env: {} })));
add(
  "exec",
  () =>
    new Promise((resolve, reject) =>
      exec(`"${node}" "${HIT_FILE}"`, { env: {} }, (error) => (error ? reject(byCallback(error)) : resolve("ended"))),
    ),
);
add(
  "execFile",
  () =>
    new Promise((resolve, reject) =>
      execFile(node, [HIT_FILE], { env: {} }, (error) => (error ? reject(byCallback(error)) : resolve("ended"))),
    ),
);
add("spawnSync", () => sync(spawnSync(node, [HIT_FILE])));
add("spawnSync env {}", () => sync(spawnSync(node, [HIT_FILE], { env: {} })));
add("execFileSync env {}", () => {
  try {
    execFileSync(node, [HIT_FILE], { env: {}, stdio: "pipe" });
  } catch (error) {
    throw byCallback({ message: error.message, code: error.status });
  }
});
add("execSync env {}", () => {
  try {
    execSync(`"${node}" "${HIT_FILE}"`, { env: {}, stdio: "pipe" });
  } catch (error) {
    throw byCallback({ message: error.message, code: error.status });
  }
});
add("child of a child", () =>
  ended(
    spawn(
      node,
      [
        "-e",
        `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(HIT)}], { env: {} }).on("exit", (code) => { process.exitCode = code; });`,
      ],
      { env: {} },
    ),
  ),
);
add("child of a worker", () =>
  thread(
    `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(HIT)}], { env: {} }).on("exit", (code) => { process.exitCode = code; });`,
    { eval: true, execArgv: [], env: {} },
  ),
);
add("worker of a child", () =>
  ended(
    spawn(
      node,
      [
        "-e",
        `new (require("worker_threads").Worker)(${JSON.stringify(HIT)}, { eval: true, execArgv: [], env: {} }).on("exit", (code) => { process.exitCode = code; });`,
      ],
      { env: {} },
    ),
  ),
);
add("ChildProcess itself", () => {
  const child = new childProcess.ChildProcess();
  child.spawn({ file: node, args: [node, HIT_FILE], envPairs: [], stdio: "ignore" });
  return ended(child);
});
add(
  "process_wrap with an environment of its own",
  () =>
    new Promise((resolve, reject) => {
      const { Process, constants } = process.binding("process_wrap");
      const child = new Process();
      child.onexit = (code) =>
        code === 0 ? resolve("ended") : reject(Object.assign(new Error(), { code: code === 13 ? "EACCES" : code }));
      const stdio = [{ type: "ignore" }, { type: "ignore" }, { type: "ignore" }];
      // Since Node 24, one argument after the other.
      const status =
        constants === undefined
          ? child.spawn({ file: node, args: [node, HIT_FILE], envPairs: [], stdio, detached: false })
          : child.spawn(node, [node, HIT_FILE], undefined, [], stdio, 0, undefined, undefined);
      if (status !== 0) reject(Object.assign(new Error(), { code: status }));
    }),
);
add(
  "process_wrap without an environment, NODE_OPTIONS deleted",
  () =>
    new Promise((resolve, reject) => {
      const { Process, constants } = process.binding("process_wrap");
      delete process.env.NODE_OPTIONS;
      const child = new Process();
      child.onexit = (code) =>
        code === 0 ? resolve("ended") : reject(Object.assign(new Error(), { code: code === 13 ? "EACCES" : code }));
      const stdio = [{ type: "ignore" }, { type: "ignore" }, { type: "ignore" }];
      const status =
        constants === undefined
          ? child.spawn({ file: node, args: [node, HIT_FILE], stdio, detached: false })
          : child.spawn(node, [node, HIT_FILE], undefined, undefined, stdio, 0, undefined, undefined);
      if (status !== 0) reject(Object.assign(new Error(), { code: status }));
    }),
);
add("spawn_sync without an environment, NODE_OPTIONS deleted", async () => {
  delete process.env.NODE_OPTIONS;
  const stdio = [{ type: "ignore" }, { type: "ignore" }, { type: "ignore" }];
  const { status } = process.binding("spawn_sync").spawn({ file: node, args: [node, HIT_FILE], stdio });
  if (status !== 0) throw Object.assign(new Error(), { code: status === 13 ? "EACCES" : status });
});
add(
  "cluster",
  () => {
    const cluster = require("cluster");
    cluster.setupPrimary({ exec: HIT_FILE, execArgv: [] });
    return ended(cluster.fork());
  },
  { shape: "any" },
);
add(
  "execve",
  () =>
    process.execve(
      node,
      [
        node,
        "-e",
        HIT.replace("response.resume()", '{ response.resume(); console.log(\'{"value":"reached"}\') }').replace(
          "process.exitCode =",
          "console.log(JSON.stringify({ code: error.code })); process.exitCode =",
        ),
      ],
      { PATH: "/" },
    ),
  { min: 24 },
);
add("child with an emptied environment", () => {
  for (const name of Object.keys(process.env)) delete process.env[name];
  return ended(spawn(node, [HIT_FILE]));
});
add("NODE_OPTIONS deleted", () => {
  delete process.env.NODE_OPTIONS;
  return ended(spawn(node, [HIT_FILE]));
});

// --- tampering by code that means no harm to the guard in particular: polyfills, mocks, pollution
const TAMPERING = {
  "String.prototype": () => {
    for (const name of [
      "charCodeAt",
      "startsWith",
      "includes",
      "slice",
      "split",
      "indexOf",
      "replace",
      "toLowerCase",
      "at",
      "match",
      "trim",
    ])
      String.prototype[name] = () => "";
  },
  "Array.prototype": () => {
    for (const name of ["includes", "some", "every", "find", "filter", "indexOf", "join"])
      Array.prototype[name] = () => false;
  },
  "Array iterator": () => {
    const it = Object.getPrototypeOf([][Symbol.iterator]());
    const { next } = it;
    it.next = function () {
      return { ...Reflect.apply(next, this, []) };
    };
  },
  "RegExp.prototype": () => {
    RegExp.prototype[Symbol.replace] = () => "";
    RegExp.prototype[Symbol.split] = () => [];
    RegExp.prototype[Symbol.match] = RegExp.prototype[Symbol.matchAll] = () => null;
  },
  "Map and Set": () => {
    globalThis.Map = globalThis.Set = class {
      has() {
        return false;
      }
      get() {}
      set() {}
      add() {}
    };
    Map.prototype.has = () => false;
    Set.prototype.has = () => false;
  },
  "WeakSet.prototype.has": () => {
    WeakSet.prototype.has = () => true;
  },
  "WeakSet.prototype.add": () => {
    WeakSet.prototype.add = () => undefined;
    globalThis.WeakSet = class {
      has() {
        return true;
      }
    };
  },
  "WeakMap.prototype": () => {
    WeakMap.prototype.get = () => undefined;
    WeakMap.prototype.set = () => undefined;
    WeakMap.prototype.has = () => true;
  },
  "Number and parseInt": () => {
    globalThis.Number = () => 0;
    globalThis.parseInt = () => 0;
    Number.isInteger = () => false;
  },
  "Reflect.apply": () => {
    const { apply } = Reflect;
    Reflect.apply = (target, self, args) => (args?.[1] === V4 ? undefined : apply(target, self, args));
  },
  "Function.prototype.call": () => {
    const { call } = Function.prototype;
    const { apply } = Reflect;
    Function.prototype.call = function (...args) {
      return apply(call, this, args);
    };
  },
  "Object statics": () => {
    Object.getOwnPropertySymbols = () => [];
    Object.defineProperty = (target) => target;
    Object.freeze = (target) => target;
  },
  "Object.prototype": () => {
    Object.prototype.service = undefined;
    Object.prototype.blocked = false;
    Object.prototype.allow = ["gcp"];
    Object.prototype.mode = "off";
  },
  "Uint8Array.prototype": () => {
    Uint8Array.prototype.fill = () => undefined;
    Uint8Array.prototype.set = () => undefined;
    Object.getPrototypeOf(Uint8Array.prototype).subarray = () => new Uint8Array(4);
  },
  "Error.stackTraceLimit": () => {
    Error.stackTraceLimit = 0;
  },
  "Error.prepareStackTrace": () => {
    Error.prepareStackTrace = () => {
      throw new Error("no stack");
    };
  },
  "Error frozen": () => {
    Object.freeze(Error);
  },
  "Symbol.hasInstance": () => {
    Object.defineProperty(Error, Symbol.hasInstance, {
      value: () => {
        throw new Error("no");
      },
      configurable: true,
    });
  },
  setImmediate: () => {
    globalThis.setImmediate = () => undefined;
    require("timers").setImmediate = () => undefined;
  },
  "performance and Date": () => {
    globalThis.performance = {
      now: () => {
        throw new Error("no clock");
      },
    };
    Date.now = () => {
      throw new Error("no clock");
    };
  },
  "JSON and crypto": () => {
    JSON.stringify = (
      (original) =>
      (value, ...rest) => {
        if (value?.probe === undefined && value?.code === "firewall.connection_blocked") throw new Error("no JSON");
        return original(value, ...rest);
      }
    )(JSON.stringify);
  },
  "process.binding": () => {
    process.binding = () => {
      throw new Error("gone");
    };
  },
  "Socket.prototype.connect deleted and put back": () => {
    const { connect: original } = net.Socket.prototype;
    delete net.Socket.prototype.connect;
    net.Socket.prototype.connect = original;
  },
  "net.isIP": () => {
    net.isIP = () => 0;
  },
  "firewall symbol deleted": () => {
    try {
      delete globalThis[Symbol.for("imds-guard.firewall")];
    } catch {
      /* strict mode */
    }
  },
  "firewall symbol replaced": () => {
    try {
      globalThis[Symbol.for("imds-guard.firewall")] = { own() {} };
    } catch {
      /* strict mode */
    }
  },
  "settings changed": () => {
    Object.assign(process.env, {
      IMDS_GUARD_FIREWALL: "off",
      IMDS_GUARD_FIREWALL_ALLOW: "gcp,azure,openstack,ecs,eks,dns,ntp",
      NO_PROXY: "",
    });
  },
  "module cache emptied": () => {
    for (const key of Object.keys(require.cache)) if (key !== __filename) delete require.cache[key];
  },
  "diagnostics channels": () => {
    const channels = require("diagnostics_channel");
    channels.channel("http.client.request.start").publish = () => undefined;
    channels.Channel.prototype.publish = () => undefined;
  },
  "EventEmitter emit": () => {
    const { emit } = require("events").prototype;
    require("events").prototype.emit = function (...args) {
      return Reflect.apply(emit, this, args);
    };
  },
};
for (const [what, tamper] of Object.entries(TAMPERING)) {
  add(
    `tampered ${what}: net`,
    () => {
      tamper();
      return connect(80, V4);
    },
    { shape: "any" },
  );
  add(
    `tampered ${what}: net v6`,
    () => {
      tamper();
      return connect(80, "::ffff:a9fe:a9fe");
    },
    { shape: "any" },
  );
}
add(
  "handle connect deleted",
  () => {
    const { TCP } = process.binding("tcp_wrap");
    delete TCP.prototype.connect;
    return connect(80, V4);
  },
  { shape: "any", control: false },
);
add(
  "handle connect assigned",
  () => {
    const { TCP } = process.binding("tcp_wrap");
    try {
      TCP.prototype.connect = () => 0;
    } catch {
      /* not writable */
    }
    return connect(80, V4);
  },
  { shape: "any", control: false },
);
add(
  "handle connect redefined",
  () => {
    const { TCP } = process.binding("tcp_wrap");
    try {
      Object.defineProperty(TCP.prototype, "connect", { value: () => 0 });
    } catch {
      /* not configurable */
    }
    return connect(80, V4);
  },
  { shape: "any", control: false },
);
add("frozen intrinsics", () => connect(80, V4), { args: ["--frozen-intrinsics"], shape: "any" });
add("prototype of the handle replaced", () => {
  const { TCP, TCPConnectWrap, constants } = process.binding("tcp_wrap");
  const handle = Object.setPrototypeOf(new TCP(constants.SOCKET), Object.create(TCP.prototype));
  return new Promise((resolve, reject) => {
    const request = new TCPConnectWrap();
    request.oncomplete = (status) =>
      status === 0
        ? resolve("connected")
        : reject(Object.assign(new Error(), { code: status === -13 ? "EACCES" : status }));
    handle.connect(request, V4, 80);
  });
});

// --- races
const many = async (make, count = 100) => {
  const results = await Promise.allSettled(Array.from({ length: count }, make));
  const rejected = results.find(({ status }) => status === "rejected");
  if (rejected) throw rejected.reason;
};
add("race: 100 at once", () => many(() => connect(80, V4)));
add("race: mixed with loopback", () => many((_, index) => (index % 2 ? connect(80, V4) : connect(8080, "127.0.0.1"))));
add("race: 50 fetches", () => many(() => text(fetch(`http://${V4}/`)), 50));
add("race: destroyed at once", async () => {
  net.connect(80, V4).destroy();
  return connect(80, V4);
});
add("race: destroyed a tick later", async () => {
  const socket = net.connect(80, V4);
  socket.on("error", () => {});
  setImmediate(() => socket.destroy());
  return connect(80, V4);
});
add("race: rebinding between lookups", () => {
  let count = 0;
  const lookup = (_, options, callback) => {
    count += 1;
    const address = count === 1 ? "127.0.0.1" : V4;
    callback(null, options.all ? [{ address, family: 4 }] : address, 4);
  };
  return get({ host: "a.test", port: 8080, path: "/ok", lookup }).then(() => get({ host: "a.test", port: 80, lookup }));
});
add("race: lookup answers twice", () =>
  connect({
    host: "a.test",
    port: 80,
    lookup: (_, options, callback) => {
      callback(null, options.all ? [{ address: V4, family: 4 }] : V4, 4);
      setImmediate(() => {
        try {
          callback(null, options.all ? [{ address: V4, family: 4 }] : V4, 4);
        } catch {
          /* a second answer is nobody's */
        }
      });
    },
  }),
);
add("race: worker and main at once", async () => {
  const results = await Promise.allSettled([thread(HIT_FILE, { execArgv: [], env: {} }), connect(80, V4)]);
  const rejected = results.find(({ status }) => status === "rejected");
  if (rejected) throw rejected.reason;
});
add("race: unref'd socket", () => {
  const keep = setTimeout(() => {}, 1000);
  return connected(net.connect(80, V4).unref()).finally(() => clearTimeout(keep));
});
add("race: paused, corked, written before it connects", () => {
  const socket = net.connect(80, V4);
  socket.cork();
  socket.write("GET / HTTP/1.0\r\n\r\n");
  socket.uncork();
  return connected(socket);
});

// --- proxies
const PROXY = "http://127.0.0.1:3128";
const ENV_PROXY = { NODE_USE_ENV_PROXY: "1", HTTP_PROXY: PROXY, http_proxy: PROXY, HTTPS_PROXY: PROXY };
for (const [form, host] of Object.entries({
  dotted: V4,
  decimal: "2852039166",
  mapped: "[::ffff:a9fe:a9fe]",
  nat64: "[64:ff9b::a9fe:a9fe]",
  v6: `[${V6}]`,
  hex: "0xa9fea9fe",
})) {
  add(
    `environment proxy http: ${form}`,
    () =>
      get(`http://${host}/`).then((status) => {
        if (status === "status 502") throw new Error("502");
        return status;
      }),
    { env: ENV_PROXY },
  );
  add(`environment proxy fetch: ${form}`, () => text(fetch(`http://${host}/`)), { env: ENV_PROXY });
}
add(
  "environment proxy, NO_PROXY emptied later",
  () => {
    process.env.NO_PROXY = "";
    return get(`http://${V4}/`);
  },
  { env: ENV_PROXY },
);
add("proxy absolute-form", () =>
  get({ host: "127.0.0.1", port: 3128, path: `http://${V4}/latest`, headers: { Host: V4 } }),
);
add("proxy absolute-form decimal", () => get({ host: "127.0.0.1", port: 3128, path: "http://2852039166/latest" }));
add("proxy absolute-form v6", () => get({ host: "127.0.0.1", port: 3128, path: `http://[${V6}]/latest` }));
add(
  "proxy CONNECT by http",
  () =>
    new Promise((resolve, reject) =>
      http
        .request({ host: "127.0.0.1", port: 3128, method: "CONNECT", path: `${V4}:80` })
        .on("connect", () => resolve("tunnel"))
        .on("error", reject)
        .end(),
    ),
);
add(
  "proxy agent that tunnels",
  () =>
    get({
      host: V4,
      agent: Object.assign(new http.Agent(), {
        createConnection: (options, callback) => {
          const socket = net.connect(3128, "127.0.0.1", () => socket.write(`CONNECT ${V4}:80 HTTP/1.1\r\n\r\n`));
          socket.once("data", () => callback(null, socket));
        },
      }),
    }),
  { tunnel: true },
);
add("http.Agent proxyEnv", () => get({ host: V4, agent: new http.Agent({ proxyEnv: { HTTP_PROXY: PROXY } }) }), {
  min: 24,
});

// --- libraries, where they are installed
const library = (name) => require(require.resolve(name, { paths: [process.env.PROBE_MODULES ?? __dirname] }));
const lib = (name, how, run, options = {}) =>
  add(`${name}${how && `: ${how}`}`, () => run(library(name)), { lib: name, ...options });
const viaProxy = (make) => make(PROXY);
lib("axios", "", (axios) => axios.get(`http://${V4}/`));
lib("axios", "decimal", (axios) => axios.get("http://2852039166/"));
lib("axios", "mapped", (axios) => axios.get("http://[::ffff:a9fe:a9fe]/"));
lib("axios", "redirect", (axios) => axios.get(`http://127.0.0.1:8080/${encodeURIComponent(`http://${V4}/`)}`));
lib("axios", "fetch adapter", (axios) => axios.get(`http://${V4}/`, { adapter: "fetch" }));
lib("axios", "proxy", (axios) => axios.get(`http://${V4}/`, { proxy: { host: "127.0.0.1", port: 3128 } }));
lib("axios", "lookup", (axios) =>
  axios.get("http://a.test/", { lookup: (name, options, callback) => callback(null, [{ address: V4, family: 4 }]) }),
);
lib("got", "", async () =>
  (
    await import(
      require("url").pathToFileURL(require.resolve("got", { paths: [process.env.PROBE_MODULES ?? __dirname] }))
    )
  ).default(`http://${V4}/`, { retry: { limit: 0 } }),
);
lib("node-fetch", "", (fetch) => text((fetch.default ?? fetch)(`http://${V4}/`)));
lib("node-fetch", "redirect", (fetch) =>
  text((fetch.default ?? fetch)(`http://127.0.0.1:8080/${encodeURIComponent(`http://${V4}/`)}`)),
);
lib("undici", "fetch", ({ fetch }) => text(fetch(`http://${V4}/`)));
lib("undici", "request", async ({ request }) => (await request(`http://${V4}/`)).statusCode);
lib(
  "undici",
  "Client",
  async ({ Client }) => (await new Client(`http://${V4}`).request({ path: "/", method: "GET" })).statusCode,
);
lib(
  "undici",
  "Pool",
  async ({ Pool }) => (await new Pool(`http://${V4}`).request({ path: "/", method: "GET" })).statusCode,
);
lib(
  "undici",
  "Agent with connect",
  async ({ Agent, request }) =>
    (
      await request("http://a.test/", {
        dispatcher: new Agent({
          connect: (options, callback) => {
            const socket = net.connect(80, V4);
            socket.once("connect", () => callback(null, socket));
            socket.once("error", callback);
          },
        }),
      })
    ).statusCode,
);
lib(
  "undici",
  "Agent lookup",
  async ({ Agent, request }) =>
    (await request("http://a.test/", { dispatcher: new Agent({ connect: { lookup: lookupTo(V4, 4) } }) })).statusCode,
);
lib(
  "undici",
  "ProxyAgent",
  async ({ ProxyAgent, request }) =>
    (await request(`http://${V4}/`, { dispatcher: viaProxy((uri) => new ProxyAgent(uri)) })).statusCode,
);
lib(
  "undici",
  "ProxyAgent mapped",
  async ({ ProxyAgent, request }) =>
    (await request("http://[::ffff:a9fe:a9fe]/", { dispatcher: viaProxy((uri) => new ProxyAgent(uri)) })).statusCode,
);
lib("undici", "stream", ({ stream }) =>
  stream(
    `http://${V4}/`,
    { method: "GET" },
    () =>
      new (require("stream").Writable)({
        write(chunk, encoding, done) {
          done();
        },
      }),
  ),
);
lib("undici", "WebSocket", ({ WebSocket }) => socketOpened(new WebSocket(`ws://${V4}/`)), { shape: "any" });
lib("undici", "dispatcher of the global fetch", ({ Agent }) =>
  text(fetch(`http://${V4}/`, { dispatcher: new Agent() })),
);
lib(
  "ws",
  "",
  (WebSocket) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://${V4}/`);
      socket.on("open", resolve);
      socket.on("error", (error) => (error.code === "EACCES" ? reject(error) : resolve(error.message)));
    }),
);
lib("superagent", "", (superagent) => superagent.get(`http://${V4}/`));
lib("needle", "", (needle) => needle("get", `http://${V4}/`));
lib(
  "follow-redirects",
  "",
  ({ http: following }) =>
    new Promise((resolve, reject) =>
      following.get(`http://127.0.0.1:8080/${encodeURIComponent(`http://${V4}/`)}`, resolve).on("error", reject),
    ),
);
lib("https-proxy-agent", "", ({ HttpsProxyAgent }) => get({ host: V4, agent: new HttpsProxyAgent(PROXY) }), {
  tunnel: true,
});
lib("http-proxy-agent", "", ({ HttpProxyAgent }) => get(`http://${V4}/`, { agent: new HttpProxyAgent(PROXY) }));
lib("http-proxy-agent", "decimal", ({ HttpProxyAgent }) =>
  get({ host: "2852039166", agent: new HttpProxyAgent(PROXY) }),
);
lib(
  "socket.io-client",
  "",
  ({ io }) =>
    new Promise((resolve, reject) =>
      io(`http://${V4}/`, { reconnection: false, timeout: 2000 })
        .on("connect", resolve)
        .on("connect_error", (error) => reject(error)),
    ),
  { shape: "any" },
);
lib(
  "ioredis",
  "",
  (Redis) =>
    new Promise((resolve, reject) =>
      new (Redis.default ?? Redis)({ host: V4, port: 80, retryStrategy: null, lazyConnect: true, connectTimeout: 2000 })
        .on("error", reject)
        .connect()
        .then(resolve, reject),
    ),
);
lib("pg", "", ({ Client }) => new Client({ host: V4, port: 80, connectionTimeoutMillis: 2000 }).connect());
lib("nodemailer", "", (nodemailer) =>
  nodemailer.createTransport({ host: V4, port: 80, connectionTimeout: 2000, greetingTimeout: 2000 }).verify(),
);

// --- what the threat model names: these still arrive, and a test says so
add("documented: a relay on loopback", () => get({ host: "127.0.0.1", port: 8081 }), {
  documented: "the destination is the relay",
});
add("documented: a relay behind a Unix socket", () => get({ host: "a.test", socketPath: process.env.RELAY }), {
  documented: "the destination is a file",
});
add(
  "documented: a tunnel spoken by hand",
  () =>
    new Promise((resolve, reject) => {
      const socket = net.connect(3128, "127.0.0.1", () => socket.write(`CONNECT ${V4}:80 HTTP/1.1\r\n\r\n`));
      socket.on("data", () => {
        socket.destroy();
        resolve("tunnel");
      });
      socket.on("error", reject);
    }),
  { documented: "text that only the proxy understands" },
);
add("documented: another program", () => ended(spawn("bash", ["-c", `exec 3<>/dev/tcp/${V4}/80`])), {
  documented: "not Node.js",
});
add(
  "documented: code that takes the guard's own mark",
  () => {
    const socket = net.connect({ host: V4, port: 80, autoSelectFamily: false });
    Object.getPrototypeOf(socket._handle)[Symbol.for("imds-guard.firewall")]?.own(socket);
    return connected(socket);
  },
  { documented: "hostile code in the process" },
);
add(
  "documented: libc through node:ffi",
  () => {
    const { functions } = require("node:ffi").dlopen("libc.so.6", {
      socket: { arguments: ["i32", "i32", "i32"], return: "i32" },
      connect: { arguments: ["i32", "buffer", "u32"], return: "i32" },
    });
    // struct sockaddr_in: family, port in network order, address.
    const status = functions.connect(
      functions.socket(2, 1, 0),
      Buffer.from([2, 0, 0, 80, 169, 254, 169, 254, 0, 0, 0, 0, 0, 0, 0, 0]),
      16,
    );
    if (status !== 0) throw new Error(`connect: ${status}`);
    return "connected";
  },
  { min: 26, documented: "calls into libc" },
);

// --- what has to go on working
const works = (name, run, options = {}) => add(`works: ${name}`, run, { ...options, works: true });
works("http on loopback", () => get("http://127.0.0.1:8080/ok"));
works("http on ::1", () => get({ host: "::1", port: 80 }));
works("fetch on loopback", () => text(fetch("http://127.0.0.1:8080/ok")));
works("fetch by name", () => text(fetch("http://localhost:8080/ok")));
works("net on loopback", () => connect(8080, "127.0.0.1"));
works("proxy to loopback", () => get({ host: "127.0.0.1", port: 3128, path: "http://127.0.0.1:8080/ok" }));
works("environment proxy to a name", () => text(fetch("http://localhost:8080/ok")), { env: ENV_PROXY });
works("keep-alive", async () => {
  const agent = new http.Agent({ keepAlive: true });
  await get({ host: "127.0.0.1", port: 8080, path: "/ok", agent });
  return get({ host: "127.0.0.1", port: 8080, path: "/ok", agent });
});
works("worker", () => thread("require('worker_threads').parentPort.unref()", { eval: true }));
works(
  "worker workerData and env",
  () =>
    new Promise((resolve, reject) =>
      new Worker(
        "require('worker_threads').parentPort.postMessage([require('worker_threads').workerData, process.env.X, process.execArgv.filter((a) => !a.includes('register')).join()].join())",
        { eval: true, workerData: 7, env: { X: "y" }, execArgv: ["--no-warnings"] },
      )
        .on("message", (message) => (message === "7,y,--no-warnings" ? resolve(message) : reject(new Error(message))))
        .on("error", reject),
    ),
);
works("child with env", () => {
  const out = execFileSync(node, ["-p", "process.env.X"], { env: { X: "y" }, encoding: "utf8" }).trim();
  if (out !== "y") throw new Error(out);
  return out;
});
works("dns.getServers and back", () => {
  const servers = dns.getServers();
  dns.setServers(servers);
  return servers.length;
});
works("a connection that the system refuses", () =>
  connect(1, "127.0.0.1").then(
    () => {
      throw new Error("connected");
    },
    (error) => {
      if (error.code !== "ECONNREFUSED" || error.cause) throw error;
      return error.code;
    },
  ),
);

module.exports = { probes, major };

if (require.main === module) {
  if (process.argv[2] === "--list") {
    process.stdout.write(
      JSON.stringify(Object.fromEntries(Object.entries(probes).map(([name, { run, ...options }]) => [name, options]))),
    );
  } else {
    const { stringify } = JSON;
    const { write } = process.stdout;
    const print = (value) => Reflect.apply(write, process.stdout, [`${stringify(value)}\n`]);
    const exit = process.exit.bind(process);
    process.on("uncaughtException", (error) => {
      print({ uncaught: true, code: error?.code, message: String(error?.stack).slice(0, 600) });
      exit(70);
    });
    const shape = (error) => ({
      name: error?.name,
      code: error?.code,
      syscall: error?.syscall,
      address: error?.address,
      port: error?.port,
      message: `${error?.message}`.slice(0, 200),
      cause:
        error?.cause === undefined
          ? undefined
          : {
              code: error.cause.code,
              cause: error.cause.cause === undefined ? undefined : { code: error.cause.cause.code },
            },
    });
    const { run } = probes[process.argv[2]];
    (async () => run())().then(
      (value) => {
        print({ value: typeof value === "string" || typeof value === "number" ? value : "resolved" });
        exit(0);
      },
      (error) => {
        print(shape(error));
        exit(0);
      },
    );
  }
}
