/** What becomes of a refused connection: who asked for it, and how its error comes by its cause. */
import { createServer } from "node:http";
import { connect, Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { captureHere, stackHere, withCause, writtenOut } from "../../src/firewall/refusal.js";

describe("a capture", () => {
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
      expect(Object.getOwnPropertyDescriptor(socket, name)).toMatchObject({
        configurable: true,
        writable: true,
        enumerable: false,
      });
      answers.push(socket[name]("error", 7, error));
    });
    expect(answers).toEqual([name === "destroy" ? "destroyed" : "emitted"]);
    expect(socket.seen).toEqual([[socket, "error", 7, error]]);
    expect(Object.getOwnPropertyDescriptor(error, "cause")).toEqual({
      value: CAUSE,
      configurable: true,
      writable: true,
      enumerable: false,
    });
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
    expect([own.cause, odd.cause, ((nested.errors[0] as AggregateError).errors[0] as Error).cause]).toEqual([
      undefined,
      CAUSE,
      CAUSE,
    ]);
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
