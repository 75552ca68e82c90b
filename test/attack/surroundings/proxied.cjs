// @ts-check
"use strict";
/**
 * What a library does that puts an agent on every request of the process (`global-agent` 3 is one): it replaces the request
 * functions and the global agents, and whatever a request says of an agent or a connection of its own is overridden. The
 * proxy that it leads to answers like IMDS. Required with `-r`, or once our modules are there.
 */
const http = require("node:http");
const https = require("node:https");
const net = require("node:net");
const stranger = require("./stranger.cjs");

const { port } = stranger(process.env["ATTACK_STRANGER"] ?? "");

class ProxyAgent extends http.Agent {
  /** @override */
  createConnection() {
    return net.connect(port(), "127.0.0.1");
  }
}
const agent = new ProxyAgent();

/** @param {(...parts: any[]) => import("node:http").ClientRequest} request */
const throughTheProxy =
  (request) =>
  (/** @type {any[]} */ ...parts) => {
    const [first, second] = parts;
    const url = typeof first === "string" || first instanceof URL ? first : undefined;
    const options = url === undefined ? first : typeof second === "object" ? second : {};
    const done = parts.find((part) => typeof part === "function");
    const { createConnection: _own, ...kept } = options ?? {};
    const forced = { ...kept, agent, protocol: "http:" };
    return url === undefined ? request(forced, done) : request(url, forced, done);
  };
for (const module of [http, https]) {
  const request = throughTheProxy(http.request);
  Object.assign(module, {
    request,
    get: (/** @type {any[]} */ ...parts) => {
      const sent = request(...parts);
      sent.end();
      return sent;
    },
  });
  Object.defineProperty(module, "globalAgent", { value: agent, writable: true, configurable: true, enumerable: true });
}
