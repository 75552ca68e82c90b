/** What is told of an attempt: the error behind a refusal, and its event. */
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ImdsRefusedError } from "../../src/base/errors.js";
import type { MetadataService } from "../../src/firewall/classify.js";
import type { Attempt } from "../../src/firewall/refusal.js";
import { stackHere } from "../../src/firewall/refusal.js";
import { attemptDetails, blockedError, callers, MAX_FRAMES } from "../../src/firewall/attempt-reporter.js";
import { golden, wordingOf } from "../support/wording.js";

const ATTEMPT: Attempt = { literal: "169.254.169.254", port: 80, service: "imds", via: "tcp", stack: undefined };

describe("blockedError", () => {
  it("says what was blocked and what to do", () => {
    const error = blockedError(ATTEMPT);
    expect(error).toBeInstanceOf(ImdsRefusedError);
    expect(error).toMatchObject({
      code: "ERR_IMDS_CONNECTION_BLOCKED",
      message:
        "A connection to the instance metadata service at 169.254.169.254 port 80 was blocked. See docs/errors.md#ERR_IMDS_CONNECTION_BLOCKED",
    });
    expect(blockedError({ ...ATTEMPT, literal: "169.254.169.253", port: undefined, service: "dns" }).advice).toContain(
      "IMDS_GUARD_FIREWALL_ALLOW=dns",
    );
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
  const LITERALS: Readonly<Record<MetadataService, string>> = {
    imds: "169.254.169.254",
    dns: "169.254.169.253",
    ntp: "169.254.169.123",
    ecs: "169.254.170.2",
    eks: "fd00:ec2::23",
    openstack: "fe80::a9fe:a9fe%2",
    reserved: "fd00:ec2::1",
  };
  const STACK = "Error\n    at fetchIt (/app/a.js:1:2)\n    at /app/b.js:3:4\n    at node:internal/c:5:6";

  it("of every service, as error and as event", async () => {
    const texts: Record<string, object> = {};
    for (const [service, literal] of Object.entries(LITERALS) as [MetadataService, string][]) {
      for (const [name, port, stack, blocked, unreported] of [
        ["blocked", 80, STACK, true, 0],
        ["seen, after others", 80, STACK, false, 7],
        ["without port and stack", undefined, undefined, true, 1],
      ] as const) {
        const attempt: Attempt = { literal, port, service, via: service === "dns" ? "dns-server" : "tcp", stack };
        const error = blockedError(attempt);
        const event = withArguments(["/usr/bin/node", "/app/a.js"], () =>
          attemptDetails(attempt, error, blocked, unreported),
        );
        texts[`${service}, ${name}`] = {
          error: wordingOf(error),
          event: JSON.parse(JSON.stringify(event).replaceAll(`pid ${process.pid}`, "pid 4711")),
        };
      }
    }
    await expect(golden(texts)).toMatchFileSnapshot("golden/refusals.json");
  });
});

describe("the command line in an event", () => {
  const commandLine = (...argv: string[]): string | undefined =>
    withArguments(argv, () => attemptDetails(ATTEMPT, blockedError(ATTEMPT), true, 0).evidence?.[1]?.says);

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
    [["node", "--password.x", "x"], "node --password.x ***"],
    [["node", "x--password", "x"], "node x--password x"],
    [["node", "--port", "80"], "node --port 80"],
    [["node", "--password=x y"], "node --password=***"],
    [["node", "DB_SECRET_1=x\ny"], "node DB_SECRET_1=***"],
    [["node", "Token=x"], "node Token=***"],
    [["node", "a=token"], "node a=token"],
    [["node", "token:x"], "node token:***"],
    [["node", "http://user:x@h/a"], "node http://***@h/a"],
    [["node", "http://user:x@h/http://user:y@i/"], "node http://***@i/"],
    [["node", "http://h/a@b"], "node http://***@b"],
    [["node", "//a b@c"], "node //a b@c"],
    [["node", "http://@h/"], "node http://***@h/"],
    [[], ""],
    [["node", "x".repeat(500)], `node ${"x".repeat(392)}...`],
  ])("%j is %j", (argv, says) => {
    expect(commandLine(...argv)).toBe(says);
  });
});

describe("callers", () => {
  it("leaves out the frames of this package, and what is no frame", () => {
    const own = fileURLToPath(new URL("../../src/firewall/connection-hooks.ts", import.meta.url));
    const stack = [
      "Error: at first (/app/no.js:1:1)",
      "    at hook (" + own + ":1:1)",
      "    at a (/app/firewall/connection-hooks.ts:1:1)",
      "at b (/app/b.js:1:1)",
      "\tat c (/app/c.js:1:1)",
      "    at new Promise (<anonymous>)",
      "    at Array.map (<anonymous>)",
      "    at <anonymous>",
      "    at d (node:internal/x/y-z.js:10:2)",
      "    at node:net:1:1",
      "    at e (/app/node:net.js)",
      "    at g (node:fs)",
      "    at Object.<anonymous> (/app/h.js:1:1)",
      "    at async Promise.all (index 0)",
      "    at ",
    ].join("\n");
    expect(callers(stack)).toEqual([
      "a (/app/firewall/connection-hooks.ts:1:1)",
      "c (/app/c.js:1:1)",
      "e (/app/node:net.js)",
      "g (node:fs)",
      "Object.<anonymous> (/app/h.js:1:1)",
      "async Promise.all (index 0)",
    ]);
  });

  it("names the frames of the program and leaves out Node's own", () => {
    const stack = [
      "Error",
      "    at Object.get (/app/fetch.js:7:12)",
      "    at new Promise (<anonymous>)",
      "    at node:internal/process/task_queues:95:5",
      "    at fetch (node:internal/bootstrap/web/exposed-window-or-worker:72:12)",
      "    at async file:///app/main.mjs:3:1",
    ].join("\n");
    expect(callers(stack)).toEqual(["Object.get (/app/fetch.js:7:12)", "async file:///app/main.mjs:3:1"]);
  });

  it("falls back to Node's, and keeps a bounded number", () => {
    expect(callers("Error\n    at net:1:1 (node:net:1:1)")).toEqual(["net:1:1 (node:net:1:1)"]);
    expect(callers(`Error\n${"    at f (/a.js:1:1)\n".repeat(50)}`)).toHaveLength(MAX_FRAMES);
    expect(callers(undefined)).toEqual([]);
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
    expect(details).toContain("attempt-reporter.test.ts");
    expect(details).toContain("3 earlier attempts");
  });

  it("masks what looks like a secret", () => {
    const details = detailsWith([
      "node",
      "a.js",
      "--api-key",
      "s3cret1",
      "--password=s3cret2",
      "token=s3cret3",
      "https://user:s3cret4@example.com/",
    ]);
    expect(details).not.toContain("s3cret");
  });
});
