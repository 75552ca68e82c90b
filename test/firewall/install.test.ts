/**
 * The firewall as a whole in one process, over handles that dial nothing: modes, events, their limits, and what it says
 * it cannot close.
 */
import { channel } from "node:diagnostics_channel";
import { setImmediate as turn } from "node:timers/promises";
import { createContext, runInContext } from "node:vm";
import { beforeEach, describe, expect, it } from "vitest";
import { golden } from "../support/wording.js";
import { arrivals, FIREWALL, kernel, put } from "./kernel.js";
import { installFirewall } from "../../src/firewall/index.js";
import type { Installation } from "../../src/firewall/install.js";
import { install } from "../../src/firewall/install.js";
import { EACCES } from "../../src/firewall/refusal.js";
import { createAttemptReporter, MAX_REPORTED, REPORT_WINDOW_MS } from "../../src/firewall/attempt-reporter.js";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { ALLOW_WORDS } from "../../src/settings/options.js";
import { ImdsRefusedError } from "../../src/base/errors.js";
import { firewallAt } from "../../src/base/own-sockets.js";

type Report = Parameters<typeof createAttemptReporter>[0];
let told: Parameters<Report>[];

function installed({
  report = (...event) => void told.push(event),
  ...options
}: Partial<Installation> & { readonly report?: Report } = {}) {
  return install({ mode: "block", allow: [], early: false, reporter: () => createAttemptReporter(report), ...options });
}

beforeEach(() => {
  told = [];
});

const IMDS = "169.254.169.254";
const WHERE = {
  imds: IMDS,
  "imds over IPv6": "fd00:ec2::254",
  dns: "169.254.169.253",
  ntp: "169.254.169.123",
  ecs: "169.254.170.2",
  eks: "169.254.170.23",
  "eks over IPv6": "fd00:ec2::23",
  openstack: "fe80::a9fe:a9fe%2",
  reserved: "fd00:ec2::1",
};

/** Dials as Node does. */
function dial(address: string): boolean {
  return new kernel.TCP()[address.includes(":") ? "connect6" : "connect"]({}, address, 80) === 0;
}

const refusedOnes = (): string[] =>
  Object.entries(WHERE)
    .filter(([, address]) => dial(address))
    .map(([name]) => name);
const codes = (): string[] => told.map(([code]) => code);

describe("a mode", () => {
  it.each([
    ["block", Object.keys(WHERE), "firewall.connection_blocked"],
    ["report", [], "firewall.connection_seen"],
  ] as const)("%s", (mode, refused, code) => {
    expect(installed({ mode })).toMatchObject({ mode, allow: [], alreadyInstalled: false });
    expect(refusedOnes()).toEqual(refused);
    expect(dial("192.0.2.1")).toBe(false);
    expect(codes()).toEqual(Object.keys(WHERE).map(() => code));
    expect(told.map(([, { endpoint }]) => endpoint)).toEqual(
      Object.values(WHERE).map((address) => ({ address, port: 80 })),
    );
  });

  it("off is no firewall", () => {
    expect(installed({ mode: "off", allow: ["dns"] })).toEqual({
      mode: "off",
      allow: ["dns"],
      alreadyInstalled: false,
      notClosed: ["anything: the firewall is switched off by a setting"],
    });
    expect(refusedOnes()).toEqual([]);
    expect(firewallAt(kernel.TCP.prototype)).toBeUndefined();
    expect(told).toEqual([]);
  });
});

describe("an allowed service", () => {
  it.each([
    ["gcp", ["imds"]],
    ["azure", ["imds"]],
    ["openstack", ["imds", "openstack"]],
    ["ecs", ["ecs"]],
    ["eks", ["eks", "eks over IPv6"]],
    ["dns", ["dns"]],
    ["ntp", ["ntp"]],
  ] as const)("%s lets %j pass", (word, open) => {
    expect(installed({ allow: [word] }).allow).toEqual([word]);
    expect(refusedOnes()).toEqual(Object.keys(WHERE).filter((name) => !(open as readonly string[]).includes(name)));
  });

  it("is every one that there is a word for", () => {
    installed({ allow: ALLOW_WORDS });
    expect(refusedOnes()).toEqual(["imds over IPv6", "reserved"]);
  });
});

describe("a container service", () => {
  it.each([
    [{}, []],
    [{ RELATIVE_URI: "/v2/credentials/x" }, ["ecs"]],
    [{ RELATIVE_URI: "" }, []],
    [{ FULL_URI: "" }, []],
    [{ FULL_URI: "http://169.254.170.2/v2/credentials/x" }, ["ecs"]],
    [{ FULL_URI: "HTTP://169.254.170.2:80/x" }, ["ecs"]],
    [{ FULL_URI: "https://169.254.170.2:80?x" }, ["ecs"]],
    [{ FULL_URI: "https://169.254.170.2?x" }, []],
    [{ FULL_URI: "http://169.254.170.2:8080/x" }, []],
    [{ FULL_URI: "http://169.254.170.2#x" }, ["ecs"]],
    [{ FULL_URI: "http://169.254.170.23/v1/credentials" }, ["eks", "eks over IPv6"]],
    [{ FULL_URI: "http://[fd00:ec2::23]/v1/credentials" }, ["eks", "eks over IPv6"]],
    [{ FULL_URI: "http://localhost/169.254.170.2" }, []],
    [{ FULL_URI: "http://127.0.0.1/?http://169.254.170.2/" }, []],
    [{ FULL_URI: "ftp://169.254.170.2/" }, []],
    [{ FULL_URI: "see http://169.254.170.2/" }, []],
    [{ FULL_URI: "http://169.254.169.254/" }, []],
    [{ RELATIVE_URI: "/x", FULL_URI: "http://169.254.170.23/" }, ["ecs", "eks", "eks over IPv6"]],
  ])("named by AWS_CONTAINER_CREDENTIALS_* as %j opens %j, and only while it is", (settings, open) => {
    installed();
    for (const [name, value] of Object.entries(settings)) process.env[`AWS_CONTAINER_CREDENTIALS_${name}`] = value;
    expect(refusedOnes()).toEqual(Object.keys(WHERE).filter((name) => !(open as readonly string[]).includes(name)));
    for (const name of Object.keys(settings)) delete process.env[`AWS_CONTAINER_CREDENTIALS_${name}`];
    expect(refusedOnes()).toEqual(Object.keys(WHERE));
  });
});

describe("a second installation", () => {
  it.each([
    ["block", "block", "block"],
    ["block", "report", "block"],
    ["block", "off", "block"],
    ["report", "block", "block"],
    ["report", "report", "report"],
    ["report", "off", "report"],
  ] as const)("of %s with %s makes it %s, and nothing else", (first, second, mode) => {
    const before = installed({ mode: first, allow: ["dns"] });
    const after = installed({ mode: second, allow: ["ntp"], report: () => told.push(["settings.invalid", {}]) });
    expect(after).toEqual({ mode, allow: ["dns"], alreadyInstalled: true, notClosed: before.notClosed });
    expect([dial(IMDS), dial(WHERE.ntp), dial(WHERE.dns)]).toEqual([mode === "block", mode === "block", false]);
    expect(codes()).toEqual(
      Array<string>(2).fill(mode === "block" ? "firewall.connection_blocked" : "firewall.connection_seen"),
    );
  });

  it("finds that of another version, which may know less", () => {
    Object.defineProperty(kernel.TCP.prototype, FIREWALL, { value: { protocol: 9, own: () => undefined } });
    expect(installed({ allow: ["dns"] })).toEqual({
      mode: "block",
      allow: [],
      alreadyInstalled: true,
      notClosed: [expect.stringContaining("none that this version of imds-guard knows")],
    });
    expect(dial(IMDS)).toBe(false);
  });

  it("leaves handles alone that somebody guards in another way", () => {
    Object.defineProperty(kernel.TCP.prototype, "connect", { value: () => -13, configurable: false });
    expect(installed()).toMatchObject({ mode: "block", alreadyInstalled: true });
  });

  it("reports where another realm asked for it last, and never takes it from a preload", () => {
    const realm = createContext({ told });
    const elsewhere = (early: boolean) => {
      const report = runInContext("(code) => void told.push(['another realm', code])", realm) as Report;
      const reporter = createAttemptReporter(report);
      const other = runInContext("(value) => () => value", realm) as <T>(value: T) => () => T;
      return install({ mode: "block", allow: [], early, reporter: other(reporter) });
    };
    installed();
    expect(elsewhere(false)).toMatchObject({ alreadyInstalled: true });
    dial(IMDS);
    expect(told).toMatchObject([["another realm", "firewall.connection_blocked"]]);
  });

  it("is heard of by whoever asks for it after a preload", () => {
    installed({ early: true });
    const heard: string[] = [];
    installFirewall({ onEvent: ({ code }) => void heard.push(code) });
    channel("imds-guard:event").publish({ code: "firewall.connection_blocked" });
    channel("imds-guard:event").publish({ code: "decision.refused" });
    expect(heard).toEqual(["firewall.connection_blocked"]);
  });
});

describe("options", () => {
  it.each([
    ["null", null],
    ["a list", []],
    ["a word", "block"],
    ["an unknown one", { modes: "block" }],
    ["no function", { onEvent: 7 }],
  ])("that are %s are a mistake of the caller", (_, options) => {
    expect(() => installFirewall(options as never)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }));
  });

  it("are those that were given, and none that are inherited", () => {
    expect(installFirewall(Object.create({ mode: "report", allow: ["gcp"] }) as object)).toMatchObject({
      mode: "block",
      allow: [],
    });
  });
});

describe("a runtime without native handles", () => {
  it("is named, and what it means", async () => {
    const texts: Record<string, object> = {};
    for (const [name, versions, early] of [
      ["Bun", { bun: "1.3.0", node: "24.3.0" }, false],
      ["Bun, preloaded", { bun: "1.3.0" }, true],
      ["Deno", { deno: "2.5.0", node: "24.2.0" }, false],
      ["Deno, preloaded", { deno: "2.5.0" }, true],
    ] as const) {
      told = [];
      put(process, "versions", versions);
      const report = installed({ early, allow: ["dns"] });
      texts[name] = { report, events: told };
      expect(dial(IMDS)).toBe(false);
    }
    await expect(golden(texts)).toMatchFileSnapshot("golden/foreign-runtimes.json");
  });

  it("is none of the reporter's", () => {
    put(process, "versions", { bun: "1.3.0" });
    const report = installed({
      report: () => {
        throw new Error("full");
      },
    });
    expect(report.mode).toBe("off");
  });
});

describe("what cannot be closed", () => {
  const handles = (...addresses: readonly unknown[]): void =>
    put(process, "_getActiveHandles", () => addresses.map((remoteAddress) => ({ remoteAddress })));
  const withoutFfi = (): void =>
    put(process, "getBuiltinModule", (name: string) => ({
      isBuiltin: (asked: string) => name === "node:module" && asked !== "node:ffi",
    }));
  const SITUATIONS: Readonly<Record<string, { readonly options?: Partial<Installation>; readonly when?: () => void }>> =
    {
      late: {},
      "before any module": { options: { early: true } },
      "with open connections elsewhere": { when: () => handles("192.0.2.1", undefined, 7, "::1") },
      "with an open connection": { when: () => handles("192.0.2.1", IMDS) },
      "with open connections": { when: () => handles("fd00:ec2::254", WHERE.ecs) },
      "early, whatever is open": { options: { early: true }, when: () => handles(IMDS) },
      "without process._getActiveHandles": { when: () => put(process, "_getActiveHandles", undefined) },
      "with node:ffi": {
        when: () =>
          put(process, "getBuiltinModule", (name: string) => ({
            isBuiltin: (asked: string) => name === "node:module" && asked === "node:ffi",
          })),
      },
      "without process.getBuiltinModule": { when: () => put(process, "getBuiltinModule", undefined) },
      "with the preload beside it": { when: () => (kernel.preload = true) },
      "with the preload, without spawn_sync": {
        when: () => {
          kernel.preload = true;
          kernel.bindings["spawn_sync"] = undefined;
        },
      },
    };

  it("is said, in each situation", async () => {
    const texts: Record<string, object> = {};
    const versions = { ...process.versions, node: "24.0.0" };
    for (const [name, { options, when }] of Object.entries(SITUATIONS)) {
      put(process, "versions", versions);
      put(process, "_getActiveHandles", () => []);
      withoutFfi();
      kernel.preload = false;
      when?.();
      // Fresh handles for each: a hook cannot be put over a hook.
      kernel.bindings["tcp_wrap"] = { TCP: class extends kernel.TCP {} };
      kernel.bindings["udp_wrap"] = { UDP: class extends kernel.UDP {} };
      kernel.bindings["cares_wrap"] = { ChannelWrap: class extends kernel.ChannelWrap {} };
      texts[name] = installed(options).notClosed;
    }
    await expect(golden(texts)).toMatchFileSnapshot("golden/not-closed.json");
  });
});

describe("children", () => {
  it.each([
    ["block", [], ["IMDS_GUARD_FIREWALL=block"]],
    ["report", [], ["IMDS_GUARD_FIREWALL=report"]],
    ["block", ["dns", "ntp"], ["IMDS_GUARD_FIREWALL=block", "IMDS_GUARD_FIREWALL_ALLOW=dns,ntp"]],
  ] as const)("of a process in mode %s that allows %j are given %j", (mode, allow, pairs) => {
    kernel.preload = true;
    installed({ mode, allow });
    (kernel.bindings["spawn_sync"] as { spawn(options: object): void }).spawn({ envPairs: ["A=1"] });
    const { envPairs } = kernel.arrived[0]?.args[0] as { envPairs: string[] };
    expect(envPairs.map((pair) => pair.replace(/(--require ).*[\\/]/, "$1"))).toEqual([
      "A=1",
      "NODE_OPTIONS=--require register.cjs",
      ...pairs,
    ]);
  });
});

describe("the parts of a firewall", () => {
  it("are all there", async () => {
    installed();
    const ended: unknown[] = [];
    channel("http.client.request.start").publish({
      request: { host: IMDS, path: "/", protocol: "http:", destroy: (error: unknown) => ended.push(error) },
    });
    expect(ended).toMatchObject([{ code: "EACCES", cause: { code: "ERR_IMDS_CONNECTION_BLOCKED" } }]);
    expect(new kernel.UDP().send({}, [], 1, 123, WHERE.ntp, true)).toBe(EACCES);
    expect(new kernel.ChannelWrap().setServers([[4, WHERE.dns, 53]])).toBe(6);
    const seen: unknown[] = [];
    const handle = new kernel.TCP();
    const owner = { destroy: (error: Error) => seen.push(error.cause) };
    handle[Symbol("owner_symbol")] = owner;
    handle.connect({ oncomplete: () => owner.destroy(new Error("connect EACCES")) }, IMDS, 80);
    await turn();
    expect(seen).toMatchObject([{ code: "ERR_IMDS_CONNECTION_BLOCKED" }]);
    expect(seen[0]).toBeInstanceOf(ImdsRefusedError);
    expect(told.map(([, { evidence }]) => evidence?.[0]?.source)).toEqual(["http", "udp", "dns-server", "tcp"]);
    expect(process.env["NO_PROXY"]).toContain(IMDS);
    expect(arrivals()).toEqual([]);
  });

  it("refuse what cannot be told", () => {
    installed({
      report: () => {
        throw new Error("full");
      },
    });
    expect(dial(IMDS)).toBe(true);
    const { now } = performance;
    try {
      performance.now = () => {
        throw new Error("replaced");
      };
      expect(dial(IMDS)).toBe(true);
    } finally {
      performance.now = now;
    }
  });
});

describe("many attempts", () => {
  let clock: number;
  beforeEach(() => {
    clock = 1_000;
  });

  /** Runs with a clock of the test's own, which the runner of the tests is not shown. */
  function timed(run: () => void): void {
    put(performance, "now", () => clock);
    try {
      run();
    } finally {
      Reflect.deleteProperty(performance, "now");
    }
  }
  const earlier = (): (string | undefined)[] =>
    told.map(([, { evidence = [] }]) => evidence.find(({ source }) => source === "imds-guard")?.says);

  it("are told one by one up to a limit, then counted, in each window anew", () => {
    timed(() => {
      installed();
      for (let count = 0; count < MAX_REPORTED + 5; count++) dial(IMDS);
      expect(told).toHaveLength(MAX_REPORTED);
      clock += REPORT_WINDOW_MS - 1;
      dial(IMDS);
      expect(told).toHaveLength(MAX_REPORTED);
      clock += 1;
      dial(IMDS);
      dial(IMDS);
    });
    expect(told).toHaveLength(MAX_REPORTED + 2);
    expect(earlier()).toEqual([
      ...Array<undefined>(MAX_REPORTED),
      "6 earlier attempts were not reported one by one",
      undefined,
    ]);
  });

  it("fill the next window no sooner than the first", () => {
    timed(() => {
      installed();
      dial(IMDS);
      clock += REPORT_WINDOW_MS;
      for (let count = 0; count < MAX_REPORTED + 5; count++) dial(IMDS);
    });
    expect(told).toHaveLength(MAX_REPORTED + 1);
  });

  const program = {
    request: (host: string): void =>
      channel("undici:request:create").publish({ request: { origin: `http://${host}`, path: "/" } }),
  };
  /**
   * What undici does for a request, in a stack of one place only: the request is ended, and dialled for all the same.
   */
  const both = (steps: readonly string[]): void => {
    for (const step of steps) {
      const [what, host = IMDS] = step.split(" ");
      if (what === "request") program.request(host);
      else if (what === "dial") dial(host);
      else if (what === "send") new kernel.UDP().send({}, [], 1, 123, host, true);
      else clock += REPORT_WINDOW_MS;
    }
  };
  // Both come from the same place of a program; here that is all the frames there are.
  const sameStack = (run: () => void): void => {
    const { prepareStackTrace } = Error;
    try {
      Error.prepareStackTrace = () => "Error\n    at program (/app/main.js:1:1)";
      run();
    } finally {
      Error.prepareStackTrace = prepareStackTrace as NonNullable<typeof prepareStackTrace>;
    }
  };

  it.each([
    [["request", "dial"], ["http"]],
    [
      ["request", "dial", "dial"],
      ["http", "tcp"],
    ],
    [
      ["request", "request", "dial", "dial"],
      ["http", "http", "tcp"],
    ],
    [
      ["dial", "dial"],
      ["tcp", "tcp"],
    ],
    [
      ["dial", "request"],
      ["tcp", "http"],
    ],
    [
      ["request", "dial 169.254.170.2"],
      ["http", "tcp"],
    ],
    [
      ["request 169.254.170.2", "request", "dial", "dial 169.254.170.2"],
      ["http", "http"],
    ],
    [
      ["request", "send", "dial"],
      ["http", "udp"],
    ],
    [
      ["request", "later", "dial"],
      ["http", "tcp"],
    ],
  ])("of undici are one where it dials for what was ended: %j are %j", (steps, ways) => {
    timed(() => {
      installed();
      sameStack(() => both(steps));
    });
    expect(told.map(([, { evidence }]) => evidence?.[0]?.source)).toEqual(ways);
  });

  it("from two places of a program are two", () => {
    installed();
    program.request(IMDS);
    dial(IMDS);
    expect(told).toHaveLength(2);
  });

  it("remember a bounded number of requests that were ended", () => {
    const hosts = Array.from({ length: MAX_REPORTED + 1 }, (_, index) => `[fd00:ec2::1:${index.toString(16)}]`);
    timed(() => {
      installed();
      sameStack(() => {
        both(hosts.map((host) => `request ${host}`));
        told = [];
        clock += 1;
        both(hosts.map((host) => `dial ${host.slice(1, -1)}`));
        // The last one was not remembered, and is counted.
        clock += REPORT_WINDOW_MS;
        both(["dial"]);
      });
    });
    expect(earlier()).toEqual(["2 earlier attempts were not reported one by one"]);
  });
});

describe("installFirewall", () => {
  beforeEach(() => {
    process.env["IMDS_GUARD_LOG"] = "off";
  });

  it.each([
    [{ mode: "off" }, "mode"],
    [{ allow: ["off"] }, "allow"],
    [{ mode: "off" }, "block, report"],
    [{ mode: "BLOCK" }, "block, report"],
    [{ mode: null }, "block, report"],
    [{ allow: "dns" }, "gcp, azure, openstack, ecs, eks, dns, ntp"],
    [{ allow: ["dns", "imds"] }, "gcp, azure, openstack, ecs, eks, dns, ntp"],
    [{ allow: [undefined] }, "a list of "],
    [{ allow: null }, "a list of "],
  ])("refuses %j", (options, allowed) => {
    expect(() => installFirewall(options as never)).toThrow(
      expect.objectContaining({
        name: "TypeError",
        code: "ERR_INVALID_ARG_VALUE",
        message: expect.stringContaining(allowed),
      }),
    );
    expect(firewallAt(kernel.TCP.prototype)).toBeUndefined();
  });

  it.each([
    [undefined, {}, "block", []],
    [{}, {}, "block", []],
    [{ mode: "report" }, {}, "report", []],
    [{}, { FIREWALL: "report", FIREWALL_ALLOW: "dns,ntp" }, "report", ["dns", "ntp"]],
    [{ mode: "report" }, { FIREWALL: "block" }, "block", []],
    [{ mode: "block" }, { FIREWALL: "report" }, "block", []],
    [{ allow: ["ecs"] }, { FIREWALL_ALLOW: "dns" }, "block", ["ecs"]],
    [{ allow: [] }, { FIREWALL_ALLOW: "dns" }, "block", ["dns"]],
    [{ allow: ["ecs", "eks"], mode: undefined }, {}, "block", ["ecs", "eks"]],
    [{}, { FIREWALL: "off" }, "off", []],
  ] as const)("with %j and the settings %j is %s and allows %j", (options, settings, mode, allow) => {
    for (const [name, value] of Object.entries(settings)) process.env[`IMDS_GUARD_${name}`] = value;
    expect(installFirewall(options)).toMatchObject({ mode, allow, alreadyInstalled: false });
    expect(dial(IMDS)).toBe(mode === "block");
  });

  it("refuses a setting that nobody understands", () => {
    process.env["IMDS_GUARD_FIREWALL"] = "blok";
    expect(() => installFirewall()).toThrow(expect.objectContaining({ code: "ERR_IMDS_GUARD_SETTING" }));
  });

  it("is not early, and tells its events to whoever asked", () => {
    const events: GuardEvent[] = [];
    const { notClosed } = installFirewall({ onEvent: (event) => events.push(event) });
    expect(notClosed[0]).toContain("keep-alive");
    dial(IMDS);
    expect(events).toMatchObject([{ code: "firewall.connection_blocked", endpoint: { address: IMDS, port: 80 } }]);
  });
});
