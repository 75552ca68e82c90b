// @ts-nocheck
/**
 * Makes the first connection of a process, by a name that leads to a metadata address, and prints what became of it and
 * what was told.
 */
"use strict";
const [way, ...gone] = process.argv.slice(2);
const events = [];
require("node:diagnostics_channel").subscribe("imds-guard:event", (event) => events.push(event));
const loaded = () =>
  ["net", "dgram", "http", "tls", "child_process", "dns"].filter((name) =>
    process.moduleLoadList.includes(`NativeModule ${name}`),
  );
const before = loaded();
const IMDS = "169.254.169.254";
// As a resolver answers: by then nobody who asked is on the stack.
const lookup = (name, options, callback) => {
  const address = name === "name.test" ? IMDS : name;
  setImmediate(() => callback(null, options.all ? [{ address, family: 4 }] : address, 4));
};
const failure = (emitter) => new Promise((resolve) => emitter.on("error", resolve));
const ways = {
  nothing: async () => undefined,
  net: async function theProgram() {
    return failure(require("node:net").connect({ host: "name.test", port: 80, lookup }));
  },
  "socket made before": async function theProgram() {
    const socket = new (require("node:net").Socket)();
    await new Promise(setImmediate);
    return failure(socket.connect({ host: "name.test", port: 80, lookup }));
  },
  tls: async function theProgram() {
    return failure(require("node:tls").connect({ host: "name.test", port: 443, lookup }));
  },
  http: async function theProgram() {
    return failure(require("node:http").get({ host: "name.test", lookup }));
  },
  https: async function theProgram() {
    return failure(require("node:https").get({ host: "name.test", lookup }));
  },
  dgram: async function theProgram() {
    const socket = require("node:dgram").createSocket({ type: "udp4", lookup });
    let done;
    const failed = new Promise((resolve) => {
      done = resolve;
    });
    socket.send("x", 123, "name.test", done);
    return failed;
  },
  /** Whatever else a program makes first; none of it may be the worse for it. */
  others: async () => {
    const { createServer, connect } = require("node:net");
    const server = createServer((socket) => socket.end("hello"));
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const answer = await new Promise((resolve, reject) =>
      connect(server.address().port, "127.0.0.1").on("data", resolve).on("error", reject),
    );
    server.close();
    const [one, two] = ["a", "b"].map(() => require("node:dgram").createSocket("udp4"));
    await new Promise((resolve) => one.bind(0, "127.0.0.1", resolve));
    two.send("hello", one.address().port, "127.0.0.1");
    const [message] = await require("node:events").once(one, "message");
    one.close();
    two.close();
    const { stdout } = require("node:child_process").spawnSync("echo", ["hello"], { encoding: "utf8" });
    return { code: [answer, message, stdout.trim()].join(" ") };
  },
  /** Every way to a child, each with an environment that says nothing; exit code 13 is a refusal. */
  children: async () => {
    const { execFile, fork, spawn, spawnSync } = require("node:child_process");
    const hit = require("node:path").join(__dirname, "hit.cjs");
    const ended = (child) => new Promise((resolve) => child.on("exit", resolve));
    const codes = [
      await ended(spawn(process.execPath, [hit], { env: {} })),
      await ended(fork(hit, { env: {}, execArgv: [] })),
      await ended(execFile(process.execPath, [hit], { env: {} })),
      spawnSync(process.execPath, [hit], { env: {} }).status,
    ];
    return { code: codes.join(" ") };
  },
  "after others": async function theProgram() {
    const { connect } = require("node:net");
    await failure(connect({ host: "127.0.0.1", port: 9 }));
    return failure(connect({ host: "name.test", port: 80, lookup }));
  },
  /**
   * The package is replaced while a program runs: `gone` is where it was, once a connection was made and some time has
   * passed.
   */
  gone: async function theProgram() {
    const { connect } = require("node:net");
    if (gone[1] === "late") {
      await failure(connect({ host: "127.0.0.1", port: 9 }));
      await new Promise((resolve) => setTimeout(resolve, 2_000));
    }
    require("node:fs").rmSync(gone[0], { recursive: true });
    return failure(connect({ host: IMDS, port: 80 }));
  },
};
ways[way]().then((error) => {
  const told = events.map(({ code, evidence }) => ({
    code,
    caller: evidence.find(({ source }) => source === "stack 1")?.value,
  }));
  process.stdout.write(
    JSON.stringify({ before, error: error && { code: error.code, cause: error.cause?.code }, told }),
  );
  process.exit();
});
