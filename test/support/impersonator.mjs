// @ts-check
/** Whoever answers at the metadata address without being it: a raw socket server that plays one behaviour at a time. */
import { createServer } from "node:net";
import { accessKeyIdFor } from "./access-keys.mjs";
import { identityDocument, profileInfo } from "./imds-server.mjs";

/**
 * @typedef {"protocol" | "content" | "timing" | "transport" | "network" | "identity" | "configuration" | "mid-life"}
 * Kind
 *   what an attack turns upon: the rules of IMDSv2, what is said, when, how the bytes travel, by which way, as whom,
 * what
 *   the victim is set up with, or what changes once it trusts
 */

/** @typedef {"token" | "list" | "credentials" | "identity" | "region" | "other"} Step What a request is after. */

/**
 * @typedef {object} RawRequest
 * @property {string} method
 * @property {string} path
 * @property {Record<string, string>} headers lower-case names
 * @property {Step} step
 */

/** @typedef {(socket: import("node:net").Socket, request: RawRequest, play: Play) => void} Answer */

/**
 * @typedef {object} Persona Who the impersonator claims to be.
 * @property {string} account
 * @property {string} accessKeyId
 * @property {string} secretAccessKey
 * @property {string} sessionToken
 * @property {string} roleName
 * @property {string} instanceId
 * @property {string} region
 * @property {number} expiresInMs
 * @property {string} rsa2048 body of the signed identity document; the default is base64 of nothing in particular
 */

/**
 * @typedef {object} Play One behaviour on stage.
 * @property {Persona} persona
 * @property {Record<Step, number>} visits requests seen so far, this one included
 * @property {Record<string, Persona>} personas further ones that a behaviour may switch to
 * @property {(step: Step, persona?: Persona) => string} body what a flawless impersonator says at that step
 */

/**
 * @typedef {object} Behaviour
 * @property {string} name
 * @property {string} category
 * @property {Kind} kind
 * @property {string} sentence what it does, for a person
 * @property {Partial<Record<Step, Answer>>} [on] what differs from a flawless impersonator, by step
 * @property {(socket: import("node:net").Socket, play: Play) => boolean} [connect] runs before a byte is read; true:
 * that was all
 * @property {boolean} [v1] answers without a token as well
 * @property {boolean} [genuineLike] well formed: a client that asks for no proof may take its credentials
 * @property {number} [refreshes] how often a client has to ask before the behaviour shows; 1 unless told
 * @property {Partial<Persona>} [persona] what it claims instead of the usual
 */

/**
 * @typedef {object} Impersonator
 * @property {readonly { host: string, port: number }[]} endpoints
 * @property {(behaviour: Behaviour) => void} play drops every connection and starts this behaviour afresh
 * @property {() => { connections: number, requests: Record<string, number>, bytes: number }} seen since the behaviour
 * started
 * @property {() => Promise<void>} close
 */

export const ATTACKER_ACCOUNT = "666666666666";
export const SECOND_ATTACKER_ACCOUNT = "777777777777";
/** The token a flawless impersonator gives out: 56 characters, as the genuine one. */
export const ATTACKER_TOKEN = `AQAEA${"x".repeat(49)}==`;
const MAX_HEAD = 64 * 1024;

/** @param {string} account @param {Partial<Persona>} [change] @returns {Persona} */
export function personaOf(account, change = {}) {
  return {
    account,
    accessKeyId: accessKeyIdFor(account, "attacker"),
    secretAccessKey: "attackerSecretAccessKey00000000000000000",
    sessionToken: `IQoJb3JpZ2luX2VjEAttacker${"B".repeat(300)}==`,
    roleName: "app-server",
    instanceId: "i-0bad0bad0bad0bad0",
    region: "us-east-1",
    expiresInMs: 6 * 3_600_000,
    rsa2048: Buffer.alloc(900, "not a signature ").toString("base64").replace(/.{64}/g, "$&\n"),
    ...change,
  };
}

/** The credentials document of a persona as an object, for behaviours that spoil it. @param {Persona} persona */
export function credentialFields(persona) {
  const now = Date.now();
  return {
    Code: "Success",
    LastUpdated: new Date(now - 60_000).toISOString(),
    Type: "AWS-HMAC",
    AccessKeyId: persona.accessKeyId,
    SecretAccessKey: persona.secretAccessKey,
    Token: persona.sessionToken,
    Expiration: new Date(now + persona.expiresInMs).toISOString().replace(/\.\d{3}Z$/, "Z"),
  };
}

/** @param {string} method @param {string} path @returns {Step} */
function stepOf(method, path) {
  if (path.includes("/api/token")) return method === "PUT" ? "token" : "other";
  if (/\/iam\/security-credentials\/?$/.test(path)) return "list";
  if (path.includes("/iam/security-credentials")) return "credentials";
  if (path.includes("/instance-identity/")) return "identity";
  return path.endsWith("/placement/region") ? "region" : "other";
}

/** @param {Step} step @param {Persona} persona @param {string} path */
function flawlessBody(step, persona, path) {
  switch (step) {
    case "token":
      return ATTACKER_TOKEN;
    case "list":
      return persona.roleName;
    case "credentials":
      return JSON.stringify(credentialFields(persona), null, 2);
    case "identity":
      return path.endsWith("/document") ? identityDocument(persona) : persona.rsa2048;
    case "region":
      return persona.region;
    default:
      if (path.endsWith("/iam/info")) return profileInfo(persona, persona.roleName);
      return path.endsWith("/instance-id") ? persona.instanceId : "";
  }
}

/**
 * A complete answer as bytes. @param {number} status @param {string | Buffer} body @param {Record<string, string>}
 * [headers]
 */
export function answerBytes(status, body, headers = {}) {
  const content = Buffer.isBuffer(body) ? body : Buffer.from(body);
  const fields = {
    "Content-Type": "text/plain",
    "Content-Length": String(content.length),
    Connection: "close",
    Server: "EC2ws",
    ...headers,
  };
  const head = Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} Answer\r\n${head}\r\n`, "latin1"), content]);
}

/**
 * What a flawless impersonator answers to this request. @type {(request: RawRequest, play: Play, v1: boolean) =>
 * Buffer}
 */
export function flawlessBytes(request, play, v1) {
  const ttl = { "X-Aws-Ec2-Metadata-Token-Ttl-Seconds": "21600" };
  if (request.step === "token") return answerBytes(200, ATTACKER_TOKEN, ttl);
  if (!v1 && request.headers["x-aws-ec2-metadata-token"] !== ATTACKER_TOKEN) return answerBytes(401, "");
  const body = flawlessBody(request.step, play.persona, request.path);
  return body === "" ? answerBytes(404, "") : answerBytes(200, body, ttl);
}

/**
 * Starts an impersonator that plays nothing yet (it accepts and says nothing).
 *
 * @param {readonly { host: string, port?: number }[]} [listen]
 * @returns {Promise<Impersonator>}
 */
export async function startImpersonator(listen = [{ host: "127.0.0.1" }]) {
  /** @type {Set<import("node:net").Socket>} */
  const sockets = new Set();
  /** @type {import("node:net").Server[]} */
  const servers = [];
  /** @type {{ host: string, port: number }[]} */
  const endpoints = [];
  /** @type {Behaviour | undefined} */
  let behaviour;
  let play = newPlay(undefined);
  let seen = { connections: 0, requests: /** @type {Record<string, number>} */ ({}), bytes: 0 };

  const accept = (/** @type {import("node:net").Socket} */ socket) => {
    sockets.add(socket);
    // A client that runs away is the expected end of most behaviours.
    socket.on("error", () => {});
    socket.on("close", () => {
      sockets.delete(socket);
    });
    socket.on("data", (chunk) => {
      seen.bytes += chunk.length;
    });
    seen.connections += 1;
    const current = behaviour;
    if (current === undefined || current.connect?.(socket, play) === true) return;
    readRequests(socket, (request) => {
      if (behaviour !== current) return;
      const key = `${request.method} ${request.path}`;
      seen.requests[key] = (seen.requests[key] ?? 0) + 1;
      play.visits[request.step] += 1;
      const answer = current.on?.[request.step];
      if (answer !== undefined) answer(socket, request, play);
      else socket.end(flawlessBytes(request, play, current.v1 === true));
    });
  };

  for (const { host, port = 0 } of listen) {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, accept);
    await /** @type {Promise<void>} */ (
      new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, 4096, resolve);
      })
    );
    servers.push(server);
    endpoints.push({ host, port: /** @type {import("node:net").AddressInfo} */ (server.address()).port });
  }
  const dropAll = () => {
    for (const socket of sockets) socket.destroy();
  };

  return {
    endpoints,
    play: (next) => {
      dropAll();
      behaviour = next;
      play = newPlay(next.persona);
      seen = { connections: 0, requests: {}, bytes: 0 };
    },
    seen: () => ({ ...seen }),
    close: async () => {
      dropAll();
      for (const server of servers)
        await new Promise((resolve) => {
          server.close(resolve);
        });
    },
  };
}

/** @param {Partial<Persona> | undefined} change @returns {Play} */
function newPlay(change) {
  const persona = personaOf(ATTACKER_ACCOUNT, change);
  /** @type {Play} */
  const play = {
    persona,
    personas: {
      victim: personaOf("111122223333", { expiresInMs: 2_000 }),
      second: personaOf(SECOND_ATTACKER_ACCOUNT),
    },
    visits: { token: 0, list: 0, credentials: 0, identity: 0, region: 0, other: 0 },
    body: (step, who = persona) => flawlessBody(step, who, step === "identity" ? "/rsa2048" : ""),
  };
  return play;
}

/**
 * Reads request heads off a socket; bodies do not occur. @param {import("node:net").Socket} socket @param {(request:
 * RawRequest) => void} onRequest
 */
function readRequests(socket, onRequest) {
  let pending = "";
  socket.on("data", (chunk) => {
    pending += chunk.toString("latin1");
    for (;;) {
      const end = pending.indexOf("\r\n\r\n");
      if (end === -1) {
        if (pending.length > MAX_HEAD) socket.destroy();
        return;
      }
      const [line = "", ...fields] = pending.slice(0, end).split("\r\n");
      pending = pending.slice(end + 4);
      const [method = "", path = ""] = line.split(" ");
      const headers = Object.fromEntries(
        fields.map((field) => {
          const colon = field.indexOf(":");
          return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
        }),
      );
      onRequest({ method, path, headers, step: stepOf(method, path) });
    }
  });
}
