import { createServer } from "node:http";
import { connect, Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ImdsRefusedError } from "../../src/errors.js";
import type { MetadataService } from "../../src/firewall/classify.js";
import { attemptDetails, blockedError, callers, captureHere, MAX_FRAMES, stackHere, withCause, writtenOut } from "../../src/firewall/refusal.js";
import type { Attempt } from "../../src/firewall/refusal.js";
import { golden, wordingOf } from "../support/wording.js";

const ATTEMPT: Attempt = { literal: "169.254.169.254", port: 80, service: "imds", way: "tcp", stack: undefined };

describe("blockedError", () => {
  it("says what was blocked and what to do", () => {
    const error = blockedError(ATTEMPT);
    expect(error).toBeInstanceOf(ImdsRefusedError);
    expect(error).toMatchObject({ code: "ERR_IMDS_CONNECTION_BLOCKED", message: "A connection to the instance metadata service at 169.254.169.254 port 80 was blocked" });
    expect(blockedError({ ...ATTEMPT, literal: "169.254.169.253", port: undefined, service: "dns" }).advice).toContain("IMDS_GUARD_FIREWALL_ALLOW=dns");
  });
});

/** Runs with a command line of its own. */
function withArguments<Result>(argv: readonly string[], run: () => Result): Result {
  const before = process.argv;
  try {
    process.argv = [...argv];
    return run();
  } finally {
    process.argv = before;
  }
}

describe("the wording of a refusal", () => {
  const LITERALS: Readonly<Record<MetadataService, string>> = { imds: "169.254.169.254", dns: "169.254.169.253", ntp: "169.254.169.123", ecs: "169.254.170.2", eks: "fd00:ec2::23", openstack: "fe80::a9fe:a9fe%2", reserved: "fd00:ec2::1" };
  const STACK = "Error\n    at fetchIt (/app/a.js:1:2)\n    at /app/b.js:3:4\n    at node:internal/c:5:6";

  it("of every service, as error and as event", async () => {
    const texts: Record<string, object> = {};
    for (const [service, literal] of Object.entries(LITERALS) as [MetadataService, string][]) {
      for (const [name, port, stack, blocked, unreported] of [["blocked", 80, STACK, true, 0], ["seen, after others", 80, STACK, false, 7], ["without port and stack", undefined, undefined, true, 1]] as const) {
        const attempt: Attempt = { literal, port, service, way: service === "dns" ? "dns-server" : "tcp", stack };
        const error = blockedError(attempt);
        const event = withArguments(["/usr/bin/node", "/app/a.js"], () => attemptDetails(attempt, error, blocked, unreported));
        texts[`${service}, ${name}`] = { error: wordingOf(error), event: JSON.parse(JSON.stringify(event).replaceAll(`pid ${process.pid}`, "pid 4711")) };
      }
    }
    await expect(golden(texts)).toMatchFileSnapshot("golden/refusals.json");
  });
});

describe("the command line in an event", () => {
  const commandLine = (...argv: string[]): string | undefined => withArguments(argv, () => attemptDetails(ATTEMPT, blockedError(ATTEMPT), true, 0).evidence?.[1]?.says);

  it.each([
    [["node", "a.js"], "node a.js"],
    [["node", "--password", "x", "y"], "node --password *** y"],
    [["node", "-password", "x"], "node -password ***"],
    [["node", "--db-secret-file", "x"], "node --db-secret-file ***"],
    [["node", "--API_TOKEN", "x"], "node --API_TOKEN ***"],
    [["node", "--key", "x"], "node --key ***"],
    [["node", "--authorization", "x"], "node --authorization ***"],
    [["node", "--credentials", "x"], "node --credentials ***"],
    [["node", "password", "x"], "node password x"],
    [["node", "---password", "x"], "node ---password ***"],
    [["node", "--password.x", "x"], "node --password.x x"],
    [["node", "x--password", "x"], "node x--password x"],
    [["node", "--port", "80"], "node --port 80"],
    [["node", "--password=x y"], "node --password=***"],
    [["node", "DB_SECRET_1=x\ny"], "node DB_SECRET_1=***"],
    [["node", "Token=x"], "node Token=***"],
    [["node", "a=token"], "node a=token"],
    [["node", "token:x"], "node token:x"],
    [["node", "http://user:x@h/a"], "node http://***@h/a"],
    [["node", "http://user:x@h/http://user:y@i/"], "node http://***@h/http://***@i/"],
    [["node", "http://h/a@b"], "node http://h/a@b"],
    [["node", "//a b@c"], "node //a b@c"],
    [["node", "http://@h/"], "node http://***@h/"],
    [[], ""],
    [["node", "x".repeat(500)], `node ${"x".repeat(395)}`],
  ])("%j is %j", (argv, says) => {
    expect(commandLine(...argv)).toBe(says);
  });
});

describe("a capture", () => {
  it("leaves out what is above, and Error as it was", () => {
    const { stackTraceLimit } = Error;
    try {
      Error.stackTraceLimit = 3;
      const inner = (): string | undefined => writtenOut(captureHere(inner));
      const outer = (): string | undefined => inner();
      const lines = outer()?.split("\n") ?? [];
      expect(lines[1]).toContain("at outer (");
      expect(lines.length).toBeGreaterThan(5);
      expect(Error.stackTraceLimit).toBe(3);
      // Of somebody who is not in the stack there is nothing.
      expect(stackHere(inner)?.split("\n")).toHaveLength(1);
      const far = (depth: number): string | undefined => {
        const top = (): string | undefined => stackHere(top);
        return depth === 0 ? top() : far(depth - 1);
      };
      expect(far(100)?.split("\n")).toHaveLength(65);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  });

  it("is empty where a program keeps Error to itself", () => {
    const before = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit") as PropertyDescriptor;
    try {
      Object.defineProperty(Error, "stackTraceLimit", { value: 10, writable: false, configurable: true });
      const here = (): string | undefined => stackHere(here);
      expect(here()).toBeUndefined();
    } finally {
      Object.defineProperty(Error, "stackTraceLimit", before);
    }
  });
});

describe("callers", () => {
  it("leaves out the frames of this package, and what is no frame", () => {
    const own = fileURLToPath(new URL("../../src/firewall/handles.ts", import.meta.url));
    const stack = [
      "Error: at first (/app/no.js:1:1)", "    at hook (" + own + ":1:1)", "    at a (/app/firewall/handles.ts:1:1)", "at b (/app/b.js:1:1)", "\tat c (/app/c.js:1:1)", "    at new Promise (<anonymous>)",
      "    at Array.map (<anonymous>)", "    at <anonymous>", "    at d (node:internal/x/y-z.js:10:2)", "    at node:net:1:1", "    at e (/app/node:net.js)", "    at g (node:fs)", "    at Object.<anonymous> (/app/h.js:1:1)", "    at async Promise.all (index 0)", "    at ",
    ].join("\n");
    expect(callers(stack)).toEqual(["a (/app/firewall/handles.ts:1:1)", "c (/app/c.js:1:1)", "e (/app/node:net.js)", "g (node:fs)", "Object.<anonymous> (/app/h.js:1:1)", "async Promise.all (index 0)"]);
  });

  it("names the frames of the program and leaves out Node's own", () => {
    const stack = [
      "Error", "    at Object.get (/app/fetch.js:7:12)", "    at new Promise (<anonymous>)", "    at node:internal/process/task_queues:95:5",
      "    at fetch (node:internal/bootstrap/web/exposed-window-or-worker:72:12)", "    at async file:///app/main.mjs:3:1",
    ].join("\n");
    expect(callers(stack)).toEqual(["Object.get (/app/fetch.js:7:12)", "async file:///app/main.mjs:3:1"]);
  });

  it("falls back to Node's, and keeps a bounded number", () => {
    expect(callers("Error\n    at net:1:1 (node:net:1:1)")).toEqual(["net:1:1 (node:net:1:1)"]);
    expect(callers(`Error\n${"    at f (/a.js:1:1)\n".repeat(50)}`)).toHaveLength(MAX_FRAMES);
    expect(callers(undefined)).toEqual([]);
  });

  it("sees through a program that spoils stacks", () => {
    const { prepareStackTrace } = Error;
    try {
      Error.prepareStackTrace = () => {
        throw new Error("no");
      };
      expect(stackHere(() => undefined)).toBeUndefined();
      Error.prepareStackTrace = () => 7;
      expect(stackHere(() => undefined)).toBeUndefined();
    } finally {
      Error.prepareStackTrace = prepareStackTrace as NonNullable<typeof prepareStackTrace>;
    }
  });
});

describe("attemptDetails", () => {
  const detailsWith = (argv: readonly string[]): string =>
    withArguments(argv, () => {
      const hook = (): string | undefined => stackHere(hook);
      return JSON.stringify(attemptDetails({ ...ATTEMPT, stack: hook() }, blockedError(ATTEMPT), true, 3));
    });

  it("tells pid, command line and stack", () => {
    const details = detailsWith(["/usr/bin/node", "/app/server.js", "--port", "80"]);
    expect(details).toContain(`pid ${process.pid}`);
    expect(details).toContain("/usr/bin/node /app/server.js --port 80");
    expect(details).toContain("refusal.test.ts");
    expect(details).toContain("3 earlier attempts");
  });

  it("masks what looks like a secret", () => {
    const details = detailsWith(["node", "a.js", "--api-key", "s3cret1", "--password=s3cret2", "token=s3cret3", "https://user:s3cret4@example.com/"]);
    expect(details).not.toContain("s3cret");
  });
});

describe("withCause", () => {
  it("gives the error of a failing socket its cause, and leaves the socket as it was", async () => {
    const cause = new Error("why");
    const socket = new Socket();
    const seen = new Promise<Error>((resolve) => socket.once("error", resolve));
    withCause(socket, cause, () => socket.destroy(new Error("connect EACCES")));
    expect((await seen).cause).toBe(cause);
    expect(Object.hasOwn(socket, "destroy") || Object.hasOwn(socket, "emit")).toBe(false);
  });

  it("reaches the members of an AggregateError, keeps a cause that is there, and survives a frozen error", async () => {
    const cause = new Error("why");
    const own = new Error("mine", { cause: "other" });
    const aggregate = new AggregateError([new Error("one"), own]);
    const socket = new Socket();
    const seen = new Promise<unknown>((resolve) => socket.once("error", resolve));
    withCause(socket, cause, () => socket.destroy(aggregate));
    expect(await seen).toBe(aggregate);
    expect([aggregate.cause, (aggregate.errors[0] as Error).cause, own.cause]).toEqual([cause, cause, "other"]);
    const other = new Socket();
    const frozen = Object.freeze(new Error("frozen"));
    const frozenSeen = new Promise<unknown>((resolve) => other.once("error", resolve));
    withCause(other, cause, () => other.destroy(frozen));
    expect(await frozenSeen).toBe(frozen);
  });

  const CAUSE = new Error("why");
  /** The simplest thing that errors come to. */
  const owner = () => {
    const seen: unknown[] = [];
    return {
      seen,
      destroy(this: unknown, ...args: unknown[]) {
        seen.push([this, ...args]);
        return "destroyed";
      },
      emit(this: unknown, ...args: unknown[]) {
        seen.push([this, ...args]);
        return "emitted";
      },
    };
  };

  it.each(["destroy", "emit"] as const)("passes everything on through %s, which is then what it was", (name) => {
    const socket = owner();
    const before = Object.getOwnPropertyDescriptor(socket, name);
    const error = new Error("connect EACCES");
    const answers: unknown[] = [];
    withCause(socket, CAUSE, () => {
      expect(Object.getOwnPropertyDescriptor(socket, name)).toMatchObject({ configurable: true, writable: true, enumerable: false });
      answers.push(socket[name]("error", 7, error));
    });
    expect(answers).toEqual([name === "destroy" ? "destroyed" : "emitted"]);
    expect(socket.seen).toEqual([[socket, "error", 7, error]]);
    expect(Object.getOwnPropertyDescriptor(error, "cause")).toEqual({ value: CAUSE, configurable: true, writable: true, enumerable: false });
    expect(Object.getOwnPropertyDescriptor(socket, name)).toEqual(before);
    const later = new Error("later");
    socket[name](later);
    expect("cause" in later).toBe(false);
  });

  it("takes its hands off what fails", () => {
    const socket = Object.create(owner()) as ReturnType<typeof owner>;
    expect(() =>
      withCause(socket, CAUSE, () => {
        throw new TypeError("no");
      }),
    ).toThrow(TypeError);
    expect(Reflect.ownKeys(socket)).toEqual([]);
  });

  it.each([undefined, null, 7, "text", {}, { destroy: 7, emit: null }])("runs for %j, too", (socket) => {
    let ran = 0;
    withCause(socket, CAUSE, () => {
      ran++;
    });
    expect(ran).toBe(1);
    expect(socket).toEqual(structuredClone(socket));
  });

  it("gives nothing where there is no cause", () => {
    const socket = owner();
    const error = new Error("connect EACCES");
    withCause(socket, undefined, () => socket.destroy(error));
    expect("cause" in error).toBe(false);
  });

  it("leaves alone what can be redefined by nobody, and intercepts the other", () => {
    const socket = owner();
    Object.defineProperty(socket, "destroy", { configurable: false });
    const [one, two] = [new Error("one"), new Error("two")];
    withCause(socket, CAUSE, () => {
      socket.destroy(one);
      socket.emit("error", two);
    });
    expect(["cause" in one, two.cause]).toEqual([false, CAUSE]);
  });

  it.each([
    ["the cause itself", CAUSE],
    ["what only looks like an error", { message: "no", errors: [new Error("one")] }],
    ["text", "error"],
    ["nothing", undefined],
  ])("is no cause of %s", (_, given) => {
    const socket = owner();
    withCause(socket, CAUSE, () => socket.destroy(given));
    expect(socket.seen).toEqual([[socket, given]]);
    expect("cause" in CAUSE).toBe(false);
    if (typeof given === "object" && "errors" in given) expect("cause" in (given.errors[0] as Error)).toBe(false);
  });

  it("keeps a cause that is undefined, and looks into nothing but lists of errors", () => {
    const socket = owner();
    const own = new Error("mine", { cause: undefined });
    const odd = Object.assign(new Error("odd"), { errors: "text" });
    const nested = new AggregateError([new AggregateError([new Error("inner")]), "text", null]);
    withCause(socket, CAUSE, () => socket.emit(own, odd, nested));
    expect([own.cause, odd.cause, ((nested.errors[0] as AggregateError).errors[0] as Error).cause]).toEqual([undefined, CAUSE, CAUSE]);
  });

  it("is nothing to a socket that works", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    withCause(socket, new Error("why"), () => undefined);
    await new Promise((resolve) => socket.once("connect", resolve));
    socket.destroy();
    server.close();
  });
});
