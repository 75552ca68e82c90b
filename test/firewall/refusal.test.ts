import { createServer } from "node:http";
import { connect, Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { ImdsRefusedError } from "../../src/errors.js";
import { attemptDetails, blockedError, callers, MAX_FRAMES, stackHere, withCause } from "../../src/firewall/refusal.js";
import type { Attempt } from "../../src/firewall/refusal.js";

const ATTEMPT: Attempt = { literal: "169.254.169.254", port: 80, service: "imds", way: "tcp", stack: undefined };

describe("blockedError", () => {
  it("says what was blocked and what to do", () => {
    const error = blockedError(ATTEMPT);
    expect(error).toBeInstanceOf(ImdsRefusedError);
    expect(error).toMatchObject({ code: "ERR_IMDS_CONNECTION_BLOCKED", message: "A connection to the instance metadata service at 169.254.169.254 port 80 was blocked" });
    expect(blockedError({ ...ATTEMPT, literal: "169.254.169.253", port: undefined, service: "dns" }).advice).toContain("IMDS_GUARD_FIREWALL_ALLOW=dns");
  });
});

describe("callers", () => {
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
  const detailsWith = (argv: readonly string[]): string => {
    const before = process.argv;
    try {
      process.argv = [...argv];
      const hook = (): string | undefined => stackHere(hook);
      return JSON.stringify(attemptDetails({ ...ATTEMPT, stack: hook() }, blockedError(ATTEMPT), true, 3));
    } finally {
      process.argv = before;
    }
  };

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
