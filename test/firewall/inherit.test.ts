/** What workers and children are given, in the words of the calls that start them; nothing is started. */
import { ChildProcess } from "node:child_process";

import { fileURLToPath } from "node:url";
import workerThreads, { SHARE_ENV, Worker as exported } from "node:worker_threads";
import { beforeEach, describe, expect, it } from "vitest";
import { arrivals, kernel, put } from "./kernel.js";
import { coverChildren, preloadPath } from "../../src/firewall/inherit.js";

const PATH = "/srv/node_modules/imds-guard/dist/register.cjs";
const OPTION = `--require ${PATH}`;
const INHERITED = { IMDS_GUARD_FIREWALL: "block" };
const ADDED = "IMDS_GUARD_FIREWALL=block";

describe("preloadPath", () => {
  it("is in the folder of the package, where it is there", () => {
    expect(preloadPath()).toBeUndefined();
    kernel.preload = true;
    expect(preloadPath()).toBe(fileURLToPath(new URL("../../src/register.cjs", import.meta.url)));
    kernel.preload = false;
    expect(preloadPath()).toBeUndefined();
  });
});

describe("NODE_OPTIONS of this process", () => {
  it.each([
    [undefined, OPTION],
    ["", OPTION],
    ["  ", OPTION],
    ["--max-old-space-size=4096", `--max-old-space-size=4096 ${OPTION}`],
    [OPTION, OPTION],
    [`--inspect ${OPTION} --trace-warnings`, `--inspect ${OPTION} --trace-warnings`],
    ["--require /srv/other.cjs", `--require /srv/other.cjs ${OPTION}`],
    [`${OPTION} --inspect`, `${OPTION} --inspect`],
    [`--inspect ${OPTION}`, `--inspect ${OPTION}`],
    [`${OPTION}.old`, `${OPTION}.old ${OPTION}`],
    [`--title=${OPTION}`, `--title=${OPTION} ${OPTION}`],
  ])("%j becomes %j", (given, becomes) => {
    if (given !== undefined) process.env["NODE_OPTIONS"] = given;
    expect(coverChildren(PATH, INHERITED)).toEqual([]);
    expect(process.env["NODE_OPTIONS"]).toBe(becomes);
  });

  it.each([
    ["/a/register.cjs", "--require /a/register.cjs"],
    ["/a b/register.cjs", '--require "/a b/register.cjs"'],
    ["/a\tb", '--require "/a\tb"'],
    ['/a"b', String.raw`--require "/a\"b"`],
    [String.raw`C:\app\register.cjs`, String.raw`--require "C:\\app\\register.cjs"`],
    [String.raw`C:\my app\"x"`, String.raw`--require "C:\\my app\\\"x\""`],
    ["/\u00fc/'a'", "--require /\u00fc/'a'"],
  ])("names %s as Node reads it", (path, option) => {
    coverChildren(path, INHERITED);
    expect(process.env["NODE_OPTIONS"]).toBe(option);
  });
});

/** Environments as pairs, as they are given, and as they go on. */
const PAIRS: readonly (readonly [readonly unknown[], readonly unknown[]])[] = [
  [[], [`NODE_OPTIONS=${OPTION}`, ADDED]],
  [["PATH=/bin"], ["PATH=/bin", `NODE_OPTIONS=${OPTION}`, ADDED]],
  [
    ["NODE_OPTIONS=--inspect", "PATH=/bin"],
    ["PATH=/bin", `NODE_OPTIONS=--inspect ${OPTION}`, ADDED],
  ],
  [[`NODE_OPTIONS=${OPTION}`], [`NODE_OPTIONS=${OPTION}`, ADDED]],
  [["NODE_OPTIONS="], [`NODE_OPTIONS=${OPTION}`, ADDED]],
  // What stands there first is what a program reads.
  [
    ["NODE_OPTIONS=--a", "NODE_OPTIONS=--b"],
    [`NODE_OPTIONS=--a ${OPTION}`, ADDED],
  ],
  [
    ["NODE_OPTIONS_X=1", "XNODE_OPTIONS=2"],
    ["NODE_OPTIONS_X=1", "XNODE_OPTIONS=2", `NODE_OPTIONS=${OPTION}`, ADDED],
  ],
  // A child's own setting stays.
  [["IMDS_GUARD_FIREWALL=report"], ["IMDS_GUARD_FIREWALL=report", `NODE_OPTIONS=${OPTION}`]],
  [["IMDS_GUARD_FIREWALL_ALLOW=dns"], ["IMDS_GUARD_FIREWALL_ALLOW=dns", `NODE_OPTIONS=${OPTION}`, ADDED]],
  [
    [7, null, "A=1"],
    [7, null, "A=1", `NODE_OPTIONS=${OPTION}`, ADDED],
  ],
];

function ofThisProcess(): string[] {
  const { NODE_OPTIONS: _, ...rest } = process.env;
  return [...Object.entries(rest).map(([name, value]) => `${name}=${value}`), `NODE_OPTIONS=${OPTION}`, ADDED];
}

interface Spawner {
  spawn(options: unknown): unknown;
}

describe.each([
  ["spawn", "process.spawn", () => kernel.Process.prototype as Spawner],
  ["spawnSync", "spawn_sync.spawn", () => kernel.bindings["spawn_sync"] as unknown as Spawner],
  [
    "spawn, without the binding",
    "ChildProcess.spawn",
    () => {
      kernel.bindings["process_wrap"] = undefined;
      return ChildProcess.prototype as unknown as Spawner;
    },
  ],
  [
    "spawn, of a Node that nobody knows yet",
    "ChildProcess.spawn",
    () => {
      put(process, "versions", { ...process.versions, node: "27.0.0" });
      return ChildProcess.prototype as unknown as Spawner;
    },
  ],
  [
    "spawn, with a binding of another make",
    "ChildProcess.spawn",
    () => {
      kernel.bindings["process_wrap"] = { Process: { prototype: {} } };
      return ChildProcess.prototype as unknown as Spawner;
    },
  ],
] as const)("a child of %s", (_, arrived, spawner) => {
  let self: Spawner;
  beforeEach(() => {
    self = spawner();
  });
  const start = (options: unknown): unknown => self.spawn(options);
  it.each(PAIRS)("is given %j as %j", (given, becomes) => {
    coverChildren(PATH, INHERITED);
    const options = { file: "/bin/true", envPairs: [...given] };
    expect(start(options)).toBe(`answer of ${arrived}`);
    expect(kernel.arrived).toEqual([{ method: arrived, self, args: [{ file: "/bin/true", envPairs: becomes }] }]);
    expect(kernel.arrived[0]?.args[0]).toBe(options);
    expect(kernel.arrived[0]?.self).toBe(self);
  });

  it.each(PAIRS)("is given %j as %j, one argument after the other", (given, becomes) => {
    coverChildren(PATH, INHERITED);
    const own = self as unknown as { spawn(...args: unknown[]): unknown };
    expect(own.spawn("/bin/true", ["true"], "/", given, [], 0)).toBe(`answer of ${arrived}`);
    own.spawn("/bin/true", ["true"], "/", undefined, [], 0);
    own.spawn("/bin/true", ["true"], [...given]);
    expect(kernel.arrived.map(({ args }) => args)).toEqual([
      ["/bin/true", ["true"], "/", becomes, [], 0],
      ["/bin/true", ["true"], "/", ofThisProcess(), [], 0],
      ["/bin/true", ["true"], given, ofThisProcess()],
    ]);
  });

  it.each([{ file: "/bin/true" }, { envPairs: undefined }, { envPairs: null }])(
    "is given the environment of this process with %j, where our option may be gone",
    (options) => {
      coverChildren(PATH, INHERITED);
      delete process.env["NODE_OPTIONS"];
      start(options);
      expect(kernel.arrived[0]?.args).toEqual([{ ...options, envPairs: ofThisProcess() }]);
    },
  );

  it.each([{ envPairs: "A=1" }, undefined, null])("is the system's with %j", (options) => {
    coverChildren(PATH, INHERITED);
    const copy = structuredClone(options);
    expect(start(options)).toBe(`answer of ${arrived}`);
    expect(kernel.arrived[0]?.args).toEqual([copy]);
  });

  it("is given every setting that is handed down", () => {
    coverChildren(PATH, { ...INHERITED, IMDS_GUARD_FIREWALL_ALLOW: "dns,ntp" });
    start({ envPairs: ["IMDS_GUARD_FIREWALL_ALLOW=ecs"] });
    start({ envPairs: [] });
    expect(kernel.arrived.map(({ args }) => args)).toEqual([
      [{ envPairs: ["IMDS_GUARD_FIREWALL_ALLOW=ecs", `NODE_OPTIONS=${OPTION}`, ADDED] }],
      [{ envPairs: [`NODE_OPTIONS=${OPTION}`, ADDED, "IMDS_GUARD_FIREWALL_ALLOW=dns,ntp"] }],
    ]);
  });
});

describe("spawnSync without a binding to guard", () => {
  it("is named as not closed", () => {
    kernel.bindings["spawn_sync"] = undefined;
    expect(coverChildren(PATH, INHERITED)).toEqual([
      "children of spawnSync, execSync and execFileSync that are given an environment without NODE_OPTIONS",
    ]);
  });

  it("was looked for without a warning", () => {
    const { bindings } = kernel;
    const told: unknown[] = [];
    put(process, "binding", (name: string) => {
      told.push(name, process.noDeprecation);
      return bindings[name];
    });
    expect(coverChildren(PATH, INHERITED)).toEqual([]);
    expect(told).toEqual(["process_wrap", true, "spawn_sync", true]);
  });
});

describe("process.execve", () => {
  const execve = (...args: unknown[]): unknown =>
    (process as unknown as { execve(...args: unknown[]): unknown }).execve(...args);

  it.each([
    [
      ["/bin/node", ["a"], { A: "1" }],
      ["/bin/node", ["a"], { A: "1", NODE_OPTIONS: OPTION, ...INHERITED }],
    ],
    [
      ["/bin/node", ["a"], { NODE_OPTIONS: "--inspect" }],
      ["/bin/node", ["a"], { NODE_OPTIONS: `--inspect ${OPTION}`, ...INHERITED }],
    ],
    [
      ["/bin/node", ["a"], { IMDS_GUARD_FIREWALL: "report" }],
      ["/bin/node", ["a"], { IMDS_GUARD_FIREWALL: "report", NODE_OPTIONS: OPTION }],
    ],
  ])("%j goes on as %j", (given, becomes) => {
    coverChildren(PATH, INHERITED);
    expect(execve(...given)).toBe("answer of execve");
    expect(kernel.arrived).toEqual([{ method: "execve", self: process, args: becomes }]);
  });

  it("takes the environment of this process where none is given", () => {
    process.env["NODE_OPTIONS"] = "--inspect";
    process.env["A_SETTING"] = "7";
    coverChildren(PATH, INHERITED);
    execve("/bin/node");
    expect(kernel.arrived[0]?.args).toEqual([
      "/bin/node",
      [],
      expect.objectContaining({ A_SETTING: "7", NODE_OPTIONS: `--inspect ${OPTION}`, ...INHERITED }),
    ]);
  });

  it.each([undefined, 7])("stays away where Node has none (%j)", (absent) => {
    put(process, "execve", absent);
    coverChildren(PATH, INHERITED);
    expect((process as { execve?: unknown }).execve).toBe(absent);
  });
});

describe("a worker", () => {
  const start = (...args: unknown[]): object =>
    new (workerThreads.Worker as unknown as new (...args: unknown[]) => object)(...args);
  const NAMED = `--require=${PATH}`;

  it.each([
    [["a.js"], ["a.js", { execArgv: [NAMED, "--of-this-process"] }]],
    [
      ["a.js", {}],
      ["a.js", { execArgv: [NAMED, "--of-this-process"] }],
    ],
    [
      ["a.js", { eval: true, execArgv: [] }],
      ["a.js", { eval: true, execArgv: [NAMED] }],
    ],
    [
      ["a.js", { execArgv: ["--its-own"] }],
      ["a.js", { execArgv: [NAMED, "--its-own"] }],
    ],
    [
      ["a.js", { execArgv: "--text" }],
      ["a.js", { execArgv: [NAMED, "--of-this-process"] }],
    ],
    [
      ["a.js", { env: { A: "1" } }],
      ["a.js", { env: { A: "1" }, execArgv: [NAMED, "--of-this-process"] }],
    ],
  ])("of %j is started with %j", (given, becomes) => {
    put(process, "execArgv", ["--of-this-process"]);
    const original = workerThreads.Worker;
    coverChildren(PATH, INHERITED);
    const worker = start(...given);
    expect(worker).toBeInstanceOf(original);
    expect(kernel.arrived).toEqual([{ method: "Worker", self: worker, args: becomes }]);
    expect(exported).toBe(workerThreads.Worker);
    expect(workerThreads.Worker).not.toBe(original);
  });

  it("of a class that extends it is of that class", () => {
    coverChildren(PATH, INHERITED);
    class Own extends (workerThreads.Worker as unknown as new (...args: unknown[]) => object) {}
    expect(new Own("a.js")).toBeInstanceOf(Own);
    expect(kernel.arrived).toMatchObject([{ args: ["a.js", { execArgv: expect.arrayContaining([NAMED]) }] }]);
  });

  /** A worker that takes no `execArgv`, or fails for another reason. */
  function failing(error: unknown, always = false): void {
    put(workerThreads, "Worker", function Worker(this: object, ...args: unknown[]) {
      kernel.arrived.push({ method: "Worker", self: this, args });
      if (always || (args[1] as { execArgv?: unknown } | undefined)?.execArgv !== undefined) throw error;
    });
    coverChildren(PATH, INHERITED);
  }
  const INVALID = Object.assign(new Error("not for a worker"), { code: "ERR_WORKER_INVALID_EXEC_ARGV" });

  it.each([
    [["a.js"], undefined],
    [["a.js", { eval: true }], undefined],
    [["a.js", { env: null }], undefined],
    [["a.js", { env: { A: "1" } }], { A: "1", NODE_OPTIONS: OPTION }],
    [["a.js", { env: { NODE_OPTIONS: "--inspect" } }], { NODE_OPTIONS: `--inspect ${OPTION}` }],
  ])("of %j inherits what cannot be named for it, and reads the preload from its environment", (given, env) => {
    failing(INVALID);
    expect(start(...given)).toBe(kernel.arrived[1]?.self);
    expect(arrivals()).toEqual(["Worker", "Worker"]);
    const [program, options = {}] = given as [string, object?];
    expect(kernel.arrived[1]?.args).toEqual([program, { ...options, env: env ?? { ...process.env } }]);
    expect((kernel.arrived[1]?.args[1] as { env: { NODE_OPTIONS: string } }).env.NODE_OPTIONS).toContain(OPTION);
  });

  it("that shares the environment is started with what may be named for it", () => {
    put(process, "execArgv", ["--title=x", "--no-warnings"]);
    put(workerThreads, "Worker", function Worker(this: object, ...args: unknown[]) {
      kernel.arrived.push({ method: "Worker", self: this, args });
      const { execArgv } = args[1] as { execArgv: string[] };
      if (execArgv.length > left)
        throw Object.assign(new Error(`Initiated Worker with invalid execArgv flags: ${named}`), {
          code: "ERR_WORKER_INVALID_EXEC_ARGV",
        });
    });
    coverChildren(PATH, INHERITED);
    let [left, named] = [2, "--title=x"];
    start("a.js", { env: SHARE_ENV });
    expect(kernel.arrived.at(-1)?.args).toEqual(["a.js", { env: SHARE_ENV, execArgv: [NAMED, "--no-warnings"] }]);
    // However Node words it, the preload is not left out.
    [left, named] = [1, "something else"];
    start("a.js", { env: SHARE_ENV });
    expect(kernel.arrived.at(-1)?.args).toEqual(["a.js", { env: SHARE_ENV, execArgv: [NAMED] }]);
  });

  it("is made by the constructor of its prototype, too", () => {
    coverChildren(PATH, INHERITED);
    expect(workerThreads.Worker.prototype.constructor).toBe(workerThreads.Worker);
  });

  it.each([
    ["its own execArgv is refused", INVALID, ["a.js", { execArgv: ["--title=x"] }]],
    ["it fails for another reason", new TypeError("no"), ["a.js"]],
    ["it throws what is no error", null, ["a.js"]],
    ["it throws nothing", undefined, ["a.js"]],
  ])("fails as it does anywhere where %s", (_, error, args) => {
    failing(error, true);
    let thrown: unknown = "nothing";
    try {
      start(...args);
    } catch (caught) {
      thrown = caught;
    }
    expect(thrown).toBe(error);
    expect(arrivals()).toEqual(["Worker"]);
  });
});
