/**
 * The operating system's side for tests of the firewall's hooks: handles and ways to a child that note what reaches
 * them, dial nothing and start nothing, made anew for every test. Has to be imported before anything of src/firewall.
 */
import { ChildProcess } from "node:child_process";
import { Socket as DatagramSocket } from "node:dgram";
import diagnosticsChannel from "node:diagnostics_channel";
import fs from "node:fs";
import { EventEmitter } from "node:events";
import { Agent } from "node:http";
import { syncBuiltinESMExports } from "node:module";
import { Socket } from "node:net";
import workerThreads from "node:worker_threads";
import { afterEach, beforeEach, expect } from "vitest";

export const FIREWALL = Symbol.for("imds-guard.firewall");

export type Method = (...args: unknown[]) => unknown;

/** A call that came as far as the operating system. */
export interface Arrived {
  readonly method: string;
  readonly self: unknown;
  readonly args: readonly unknown[];
}

interface Handle {
  [symbol: symbol]: unknown;
}
export interface TcpHandle extends Handle {
  connect: Method;
  connect6: Method;
}
export interface UdpHandle extends TcpHandle {
  send: Method;
  send6: Method;
}
export interface ResolverHandle extends Handle {
  setServers: Method;
  getServers: Method;
}

export interface Kernel {
  readonly arrived: Arrived[];
  readonly TCP: new () => TcpHandle;
  readonly UDP: new () => UdpHandle;
  readonly ChannelWrap: new () => ResolverHandle;
  readonly Process: new () => { spawn: Method };
  /** `process.binding` gives these; a test may take one away. */
  readonly bindings: Record<string, Record<string, unknown> | undefined>;
  /** What `getServers` of every resolver says. */
  servers: unknown;
  /** What {@link FIREWALL} was published with. */
  published: PropertyDescriptor | undefined;
  /** Whether a preload is found beside a module. Default: as the disk says. */
  preload: boolean | undefined;
  /** By listeners of diagnostics channels. A test in which there is any fails. */
  readonly thrown: unknown[];
}

const { defineProperty, getOwnPropertyDescriptor } = Object;

/** That of the test that is running. */
export let kernel: Kernel;

// A firewall is never taken away; the next test needs one of its own.
Object.defineProperty = <T>(target: T, key: PropertyKey, descriptor: PropertyDescriptor): T => {
  if (key !== FIREWALL) return defineProperty(target, key, descriptor);
  kernel.published = descriptor;
  return defineProperty(target, key, { ...descriptor, configurable: true });
};

/** Everything outside of src/firewall that its hooks, or these tests, put something else in the place of. */
const CHANGED: readonly (readonly [object, string | symbol])[] = [
  [Socket.prototype, "connect"],
  [DatagramSocket.prototype, "send"],
  [DatagramSocket.prototype, "connect"],
  [ChildProcess.prototype, "spawn"],
  [Agent.prototype, "addRequest"],
  [EventEmitter.prototype, "addRequest"],
  [workerThreads, "Worker"],
  [performance, "now"],
  ...[
    "binding",
    "execve",
    "versions",
    "argv",
    "execArgv",
    "getBuiltinModule",
    "_getActiveHandles",
    "moduleLoadList",
    "noDeprecation",
  ].map((name) => [process, name] as const),
];
const before = CHANGED.map(([object, key]) => getOwnPropertyDescriptor(object, key));
const environment = { ...process.env };

/** Puts `value` there until the test is over. */
export function put(object: object, key: string, value: unknown): void {
  if (!CHANGED.some(([known, name]) => known === object && name === key))
    throw new TypeError(`nobody puts ${key} back`);
  defineProperty(object, key, { value, writable: true, configurable: true, enumerable: true });
}

/** What was there when this file was loaded. */
export function putBack(object: object, key: string | symbol): void {
  const descriptor = before[CHANGED.findIndex(([known, name]) => known === object && name === key)];
  if (descriptor === undefined) Reflect.deleteProperty(object, key);
  else defineProperty(object, key, descriptor);
}

/** A method that notes that it was called. */
export function noting(method: string, answer: unknown = `answer of ${method}`): Method {
  return function (this: unknown, ...args) {
    kernel.arrived.push({ method, self: this, args });
    return answer;
  };
}

/** Methods that came as far as the operating system, in order. */
export function arrivals(): string[] {
  return kernel.arrived.map(({ method }) => method);
}

function boot(): Kernel {
  const handles = (binding: string, names: readonly string[]) => {
    const handle = function () {
      // Nothing of its own.
    };
    for (const name of names)
      defineProperty(handle.prototype as object, name, {
        value: noting(`${binding}.${name}`),
        writable: true,
        configurable: true,
        enumerable: true,
      });
    return handle as unknown;
  };
  const TCP = handles("tcp", ["connect", "connect6"]) as Kernel["TCP"];
  const UDP = handles("udp", ["connect", "connect6", "send", "send6"]) as Kernel["UDP"];
  const ChannelWrap = handles("cares", ["setServers"]) as Kernel["ChannelWrap"];
  defineProperty(ChannelWrap.prototype, "getServers", { value: () => kernel.servers, configurable: true });
  const Process = handles("process", ["spawn"]) as Kernel["Process"];
  const bindings = {
    tcp_wrap: { TCP },
    udp_wrap: { UDP },
    cares_wrap: { ChannelWrap },
    process_wrap: { Process },
    spawn_sync: { spawn: noting("spawn_sync.spawn") },
  };
  return {
    arrived: [],
    TCP,
    UDP,
    ChannelWrap,
    Process,
    bindings,
    servers: [],
    published: undefined,
    preload: undefined,
    thrown: [],
  };
}

const subscriptions: (readonly [string | symbol, diagnosticsChannel.ChannelListener])[] = [];
let standIn: unknown;
const { subscribe } = diagnosticsChannel;
const { existsSync } = fs;
diagnosticsChannel.subscribe = (name, listener) => {
  // What a listener throws ends a program.
  const watched: typeof listener = (message, of) => {
    try {
      listener(message, of);
    } catch (error) {
      kernel.thrown.push(error);
    }
  };
  subscriptions.push([name, watched]);
  subscribe(name, watched);
};
fs.existsSync = (path) =>
  kernel?.preload !== undefined && String(path).endsWith("register.cjs") ? kernel.preload : existsSync(path);
syncBuiltinESMExports();

beforeEach(() => {
  kernel = boot();
  put(process, "binding", (name: string) => {
    const binding = kernel.bindings[name];
    if (binding === undefined)
      throw Object.assign(new Error(`No such binding: ${name}`), { code: "ERR_INVALID_MODULE" });
    return binding;
  });
  put(
    Socket.prototype,
    "connect",
    function connect(this: unknown, _options: unknown, _port: unknown, ...rest: unknown[]) {
      return Reflect.apply(noting("Socket.connect"), this, [_options, _port, ...rest]);
    },
  );
  put(DatagramSocket.prototype, "send", noting("dgram.send"));
  put(DatagramSocket.prototype, "connect", noting("dgram.connect"));
  put(ChildProcess.prototype, "spawn", noting("ChildProcess.spawn"));
  put(process, "execve", noting("execve"));
  put(workerThreads, "Worker", function Worker(this: object, ...args: unknown[]) {
    kernel.arrived.push({ method: "Worker", self: this, args });
  });
  standIn = workerThreads.Worker;
  put(Agent.prototype, "addRequest", noting("Agent.addRequest"));
  put(process, "_getActiveHandles", () => []);
  for (const name of ["NODE_OPTIONS", "NO_PROXY", "no_proxy", "AWS_PROFILE"]) delete process.env[name];
  for (const name of Object.keys(process.env))
    if (/^(?:IMDS_GUARD|AWS_CONTAINER)_/.test(name)) delete process.env[name];
  process.env["AWS_CONFIG_FILE"] = process.env["AWS_SHARED_CREDENTIALS_FILE"] = "/nonexistent/aws";
});

afterEach(() => {
  for (const [name, listener] of subscriptions.splice(0)) diagnosticsChannel.unsubscribe(name, listener);
  const exported = workerThreads.Worker !== standIn;
  for (const [object, key] of CHANGED) putBack(object, key);
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  Object.assign(process.env, environment);
  // What takes the time; only the hook of the workers has anything exported.
  if (exported) syncBuiltinESMExports();
  expect(kernel.thrown).toEqual([]);
});
