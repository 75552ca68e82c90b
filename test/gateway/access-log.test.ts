/** The access log: its lines in each form, its rotation, and what becomes of lines that cannot be written. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EventFormat } from "../../src/events/catalogue.js";
import { openAccessLog, recordOf, ROTATE_BYTES } from "../../src/gateway/access-log.js";
import type { Exchange } from "../../src/gateway/responder.js";
import type { Caller } from "../../src/gateway/rules.js";
import { exchange } from "./exchange.js";

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "imds-guard-log-"));
  path = join(folder, "access.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true }));

const CONTAINER = "0123456789ab".padEnd(64, "c");
const LOCAL: Partial<Caller> = { unit: "web.service", container: CONTAINER };
const BRIDGED: Partial<Caller> = { uid: undefined, user: undefined, pid: undefined, program: undefined, bridge: "br0" };
const DENIED: Partial<Exchange> = { method: "PUT", version: 1, status: 403, outcome: "denied", reason: "no rule" };

async function written(format: EventFormat, given: Partial<Exchange>, who: Partial<Caller>): Promise<unknown> {
  const log = openAccessLog(path, format, () => undefined);
  log.write(recordOf(exchange(given, who), 1_000));
  await log.close();
  const text = readFileSync(path, "utf8");
  expect(text.endsWith("}\n")).toBe(true);
  return JSON.parse(text);
}

describe("a line", () => {
  it.each<[Partial<Exchange>, Partial<Caller>, object]>([
    [
      {},
      LOCAL,
      {
        time: "1970-01-01T00:00:01.000Z",
        method: "GET",
        path: "/latest/meta-data/mac",
        version: 2,
        status: 200,
        outcome: "answered",
        user: "web",
        uid: 1_500,
        pid: 7,
        program: "curl",
        unit: "web.service",
        container: CONTAINER,
        address: "10.0.0.5",
      },
    ],
    [
      DENIED,
      BRIDGED,
      {
        time: "1970-01-01T00:00:01.000Z",
        method: "PUT",
        path: "/latest/meta-data/mac",
        version: 1,
        status: 403,
        outcome: "denied",
        reason: "no rule",
        address: "10.0.0.5",
        bridge: "br0",
      },
    ],
  ])("of our own: %j of %j", async (given, who, expected) => {
    expect(await written("json", given, who)).toEqual(expected);
  });

  const ecs = (type: string, action: string, outcome: string) => ({
    kind: "event",
    category: ["web"],
    type: ["access", type],
    action,
    outcome,
    dataset: "imds_guard.gateway",
  });
  it.each<[Partial<Exchange>, Partial<Caller>, object]>([
    [
      {},
      LOCAL,
      {
        "@timestamp": "1970-01-01T00:00:01.000Z",
        ecs: { version: "8.17.0" },
        event: ecs("allowed", "imds-v2-request", "success"),
        http: { request: { method: "GET" }, response: { status_code: 200 } },
        url: { path: "/latest/meta-data/mac" },
        source: { ip: "10.0.0.5" },
        destination: { ip: "169.254.169.254", port: 80 },
        user: { id: "1500", name: "web" },
        process: { pid: 7, name: "curl" },
        service: { name: "web.service" },
        container: { id: CONTAINER },
        observer: { ingress: { interface: {} }, product: "imds-guard" },
      },
    ],
    [
      DENIED,
      BRIDGED,
      {
        "@timestamp": "1970-01-01T00:00:01.000Z",
        ecs: { version: "8.17.0" },
        event: { ...ecs("denied", "imds-v1-request", "failure"), reason: "no rule" },
        http: { request: { method: "PUT" }, response: { status_code: 403 } },
        url: { path: "/latest/meta-data/mac" },
        source: { ip: "10.0.0.5" },
        destination: { ip: "169.254.169.254", port: 80 },
        user: {},
        process: {},
        service: {},
        container: {},
        observer: { ingress: { interface: { name: "br0" } }, product: "imds-guard" },
      },
    ],
  ])("of ECS: %j of %j", async (given, who, expected) => {
    expect(await written("ecs", given, who)).toEqual(expected);
  });

  it.each<[Partial<Exchange>, Partial<Caller>, object]>([
    [
      {},
      LOCAL,
      {
        activity_id: 3,
        category_uid: 4,
        class_uid: 4002,
        type_uid: 400_203,
        severity_id: 1,
        time: 1_000,
        metadata: { version: "1.4.0", product: { name: "imds-guard", vendor_name: "imds-guard" } },
        action_id: 1,
        disposition_id: 1,
        status_id: 1,
        http_request: { http_method: "GET", url: { path: "/latest/meta-data/mac" }, args: "IMDSv2" },
        http_response: { code: 200 },
        src_endpoint: { ip: "10.0.0.5" },
        dst_endpoint: { ip: "169.254.169.254", port: 80 },
        actor: { user: { uid: "1500", name: "web" }, process: { pid: 7, name: "curl" } },
        device: { type_id: 0, container: { uid: CONTAINER } },
        unmapped: { unit: "web.service" },
      },
    ],
    [
      DENIED,
      BRIDGED,
      {
        activity_id: 7,
        category_uid: 4,
        class_uid: 4002,
        type_uid: 400_207,
        severity_id: 3,
        time: 1_000,
        metadata: { version: "1.4.0", product: { name: "imds-guard", vendor_name: "imds-guard" } },
        action_id: 2,
        disposition_id: 2,
        status_id: 2,
        status_detail: "no rule",
        http_request: { http_method: "PUT", url: { path: "/latest/meta-data/mac" }, args: "IMDSv1" },
        http_response: { code: 403 },
        src_endpoint: { ip: "10.0.0.5", interface_name: "br0" },
        dst_endpoint: { ip: "169.254.169.254", port: 80 },
        actor: { user: {}, process: {} },
        unmapped: {},
      },
    ],
  ])("of OCSF: %j of %j", async (given, who, expected) => {
    expect(await written("ocsf", given, who)).toEqual(expected);
  });

  it.each([
    ["HEAD", 4],
    ["POST", 99],
    ["constructor", 99],
  ])("of OCSF for %s has activity %i", async (method, activity) => {
    expect(await written("ocsf", { method }, {})).toMatchObject({
      activity_id: activity,
      type_uid: 400_200 + activity,
    });
  });
});

describe("the file", () => {
  const size = (name: string): number | undefined =>
    existsSync(join(folder, name)) ? statSync(join(folder, name)).size : undefined;
  const record = (path: string) => recordOf(exchange({ path }), 0);
  const paths = (): string[] =>
    readFileSync(path, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { path: string }).path);

  it("has every line in its place, and is no stranger's to read", async () => {
    const log = openAccessLog(path, "json", () => undefined);
    for (let index = 0; index < 100; index += 1) log.write(record(`/${index}`));
    await log.close();
    log.write(record("/late"));
    await log.close();
    expect(paths()).toEqual([...Array.from({ length: 100 }, (_, index) => `/${index}`), "/late"]);
    expect(log.lost()).toBe(0);
    expect(statSync(path).mode & 0o777).toBe(0o640 & ~process.umask());
  });

  it("is rotated when it is full, and five rotated ones stay", async () => {
    const write = async (): Promise<void> => {
      const log = openAccessLog(path, "json", () => undefined);
      log.write(record("/new"));
      await log.close();
    };
    for (const [index, name] of ["", ".1", ".2", ".3", ".4", ".5"].entries())
      writeFileSync(path + name, "x".repeat(index));
    truncateSync(path, ROTATE_BYTES - 1);
    await write();
    expect(size("access.jsonl.1")).toBe(1);
    const full = size("access.jsonl");
    expect(full).toBeGreaterThan(ROTATE_BYTES);
    await write();
    expect(paths()).toEqual(["/new"]);
    expect([1, 2, 3, 4, 5, 6].map((index) => size(`access.jsonl.${index}`))).toEqual([full, 1, 2, 3, 4, undefined]);
    rmSync(`${path}.2`);
    truncateSync(path, ROTATE_BYTES);
    await write();
    expect([1, 2, 3, 4, 5, 6].map((index) => size(`access.jsonl.${index}`))).toEqual([
      ROTATE_BYTES,
      full,
      undefined,
      2,
      3,
      undefined,
    ]);
  });

  it("that cannot be written is told of once for each row of failures, and lines wait for it", async () => {
    const said: string[] = [];
    path = join(folder, "later", "access.jsonl");
    const log = openAccessLog(path, "json", (code) => said.push(code));
    const settled = () => new Promise((resolve) => setTimeout(resolve, 20));
    log.write(record("/1"));
    await expect.poll(() => said, { timeout: 20_000 }).toEqual(["ENOENT"]);
    log.write(record("/2"));
    await settled();
    log.write(record("/3"));
    await settled();
    expect(said).toEqual(["ENOENT"]);
    mkdirSync(join(folder, "later"));
    log.write(record("/4"));
    await log.close();
    expect(paths()).toEqual(["/1", "/2", "/3", "/4"]);
    rmSync(join(folder, "later"), { recursive: true });
    log.write(record("/5"));
    await log.close();
    expect([said, log.lost()]).toEqual([["ENOENT", "ENOENT"], 1]);
    // What is lost is not written later, either.
    mkdirSync(join(folder, "later"));
    log.write(record("/6"));
    await log.close();
    expect([paths(), log.lost()]).toEqual([["/6"], 1]);
  });

  it("keeps as many lines waiting as it says, and counts the others", async () => {
    const said: string[] = [];
    path = join(folder, "later", "access.jsonl");
    const log = openAccessLog(path, "json", (code) => said.push(code));
    // The first is being written while the others come, of which the last two find no room.
    for (let index = 0; index < 1 + 4_096 + 2; index += 1) log.write(record(`/${index}`));
    await expect.poll(() => said, { timeout: 20_000 }).toEqual(["ENOENT"]);
    // With the first, which was not written, there is one too many.
    expect(log.lost()).toBe(3);
    mkdirSync(join(folder, "later"));
    await log.close();
    expect(paths()).toEqual(Array.from({ length: 4_096 }, (_, index) => `/${index + 1}`));
    expect(log.lost()).toBe(3);
  });
});
