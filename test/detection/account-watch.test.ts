/** Logs that grow, are renamed, cut and replaced: each request of a stranger's account is counted once, and told. */
import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { realSystem } from "../../src/base/system.js";
import { MOST_COUNTED, watchAccounts } from "../../src/detection/account-watch.js";
import type { AccountWatch } from "../../src/detection/account-watch.js";
import { startOfKeyIds } from "../../src/aws/access-key.js";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { createReporter } from "../../src/events/reporter.js";

const OWN = "218007301253";
const FOREIGN_KEY = "ASIAY34FZKBOKMUTVV7A"; // of account 609629065308
const OWN_KEY = "ASIATFQR7NSCTM3XVF6B";
const signed = (key: string): string =>
  `10.0.0.7 - - [28/Nov/2026:10:00:00 +0000] "PUT /b/k HTTP/1.1" 200 5 "-" "aws-sdk-js/3" "AWS4-HMAC-SHA256 Credential=${key}/20261128/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=${"a".repeat(64)}"\n`;

let folder: string;
let log: string;
let watch: AccountWatch | undefined;
let events: GuardEvent[];
let states: (string | undefined)[];
let clock: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "imds-guard-follow-"));
  log = join(folder, "access.log");
  events = [];
  states = [];
  clock = 0;
});
afterEach(async () => {
  await watch?.close();
  watch = undefined;
  rmSync(folder, { recursive: true });
});

function start(): AccountWatch {
  const system = { ...realSystem, monotonic: () => clock };
  const reporter = createReporter({ system, sinks: [{ write: (event) => void events.push(event) }] });
  watch = watchAccounts({
    logs: [log],
    accounts: [OWN],
    system,
    reporter,
    everyMs: 5,
    onState: (_, code) => void states.push(code),
  });
  return watch;
}

const total = (): number => watch!.status().counts.reduce((sum, { count }) => sum + count, 0);
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}
const readable = (): Promise<void> => until(() => watch!.status().logs[0]!.readable);

test("what is appended is told once and counted each time; what stood there is not", async () => {
  writeFileSync(log, signed(FOREIGN_KEY).repeat(3));
  const { status } = start();
  await readable();
  appendFileSync(log, signed(FOREIGN_KEY) + signed(OWN_KEY));
  appendFileSync(log, signed(FOREIGN_KEY));
  await until(() => total() === 2);
  expect(status()).toMatchObject({
    expected: 1,
    counts: [{ account: "609629065308", form: "sigv4", level: "high", count: 2 }],
    logs: [{ log, readable: true }],
    reported: 1,
  });
  expect(events).toHaveLength(1);
  expect(events[0]).toMatchObject({
    code: "egress.foreign_account",
    severity: "error",
    action: "observed",
    claimed: { accountId: "609629065308", accessKeyId: "ASIA************VV7A", region: "eu-central-1" },
  });
  expect(events[0]?.message).toContain("access.log shows a request to s3 in eu-central-1");
  expect(events[0]?.evidence).toContainEqual(expect.objectContaining({ source: "client", value: "10.0.0.7" }));
  expect(JSON.stringify(events)).not.toContain(FOREIGN_KEY);
  expect(JSON.stringify(events)).not.toContain("aaaaaaaa");
  clock = 3_600_001;
  appendFileSync(log, signed(FOREIGN_KEY));
  await until(() => events.length === 2);
  expect(events[1]?.message).toContain("1 more since the last report");
});

test("through a rename, a cut and a while without a log, nothing is missed and nothing read twice", async () => {
  start();
  await until(() => states.includes("ENOENT"));
  writeFileSync(log, signed(FOREIGN_KEY));
  await until(() => total() === 1);
  // As logrotate does it, with a last line that has no end, and what the writer adds before it opens the new file.
  renameSync(log, `${log}.1`);
  appendFileSync(`${log}.1`, signed(FOREIGN_KEY) + signed(FOREIGN_KEY).trimEnd());
  await until(() => total() >= 2);
  writeFileSync(log, signed(FOREIGN_KEY) + signed(OWN_KEY));
  await until(() => total() === 4);
  truncateSync(log);
  appendFileSync(log, signed(FOREIGN_KEY));
  await until(() => total() === 5);
  rmSync(log);
  writeFileSync(log, signed(FOREIGN_KEY));
  await until(() => total() === 6);
  expect(states).toEqual(["ENOENT", undefined]);
});

test("the heading of a log that is followed from its end tells its columns", async () => {
  writeFileSync(log, "time,account_id,action\n2026-11-28T09:00:00Z,609629065308,old\n");
  start();
  await readable();
  appendFileSync(log, "2026-11-28T10:00:00Z,609629065308,new\n");
  await until(() => total() === 1);
  expect(watch!.status().counts).toEqual([{ account: "609629065308", form: "account-id", level: "low", count: 1 }]);
  expect(events).toEqual([]);
});

test("the time series of many accounts are bounded", async () => {
  writeFileSync(log, "");
  start();
  await readable();
  const many = MOST_COUNTED + 50;
  for (let n = 0; n < many; n++)
    appendFileSync(log, signed(`AKIA${startOfKeyIds(String(300_000_000_000 + 2 * n)).slice(0, 8)}AAAAAAAA`));
  await until(() => total() === many);
  const { counts } = watch!.status();
  expect(counts).toHaveLength(MOST_COUNTED + 1);
  expect(counts.at(-1)).toEqual({ account: "other", form: "sigv4", level: "high", count: 50 });
});

test("a folder is no log, and the others are followed all the same", async () => {
  const system = realSystem;
  const reporter = createReporter({ system, sinks: [{ write: (event) => void events.push(event) }] });
  writeFileSync(log, "");
  watch = watchAccounts({ logs: [folder, log], accounts: [OWN], system, reporter, everyMs: 5 });
  await until(() => watch!.status().logs[1]!.readable);
  appendFileSync(log, signed(FOREIGN_KEY));
  await until(() => total() === 1);
  expect(watch.status().logs.map((one) => one.readable)).toEqual([false, true]);
});
