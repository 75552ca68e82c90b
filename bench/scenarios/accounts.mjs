// @ts-check
/** What it costs to look for accounts: in logs, in keys, and in the requests of a process. */
import { channel } from "node:diagnostics_channel";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { builtApart } from "../build-modules.mjs";
import { writeEveLog } from "../eve-log.mjs";
import { oursAtLeast, oursAtMost } from "../figures.mjs";

const MODULES = [
  "detection/scan",
  "detection/log-stream",
  "detection/account-judge",
  "aws/access-key",
  "firewall/egress",
];
const MB = 1e6;
const OWN = "218007301253";
const KEY = "ASIATFQR7NSCTM3XVF6B"; // of that account
const SIGNED = `AWS4-HMAC-SHA256 Credential=${KEY}/20261128/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=${"a".repeat(64)}`;

/** Seconds of processor time. @param {() => unknown} work */
async function cpuSeconds(work) {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** @param {import("../figures.mjs").Extent} extent @returns {Promise<import("../figures.mjs").Section[]>} */
export async function accounts({ short }) {
  const runs = short ? 1 : 7;
  const { urls, remove } = await builtApart(MODULES);
  const work = mkdtempSync(join(tmpdir(), "imds-guard-bench-"));
  try {
    const [{ scan }, { openLog }, { createAccountJudge }, { accountOfAccessKey }, { watchEgress }] = await Promise.all(
      Object.values(urls).map((url) => import(url)),
    );
    const megabytes = short ? 5 : 50;
    const log = join(work, "eve.json");
    writeEveLog(log, megabytes * MB);
    const scanned = (/** @type {readonly object[]} */ judges) => () =>
      scan([{ name: "eve.json", stream: openLog(log) }], { judges });
    const withJudge = () => [createAccountJudge({ accounts: [OWN] })];
    await scanned(withJudge())();
    const shares = [];
    for (let run = 0; run < runs; run++) {
      const plain = await cpuSeconds(scanned([]));
      shares.push(plain / (await cpuSeconds(scanned(withJudge()))));
    }
    const rates = [];
    const times = 500_000;
    for (let run = 0; run < runs; run++) {
      const seconds = await cpuSeconds(() => {
        for (let n = 0; n < times; n++) accountOfAccessKey(KEY);
      });
      rates.push((times * KEY.length) / MB / seconds);
    }
    watchEgress({ expectedAccounts: [OWN], report: () => undefined });
    const start = channel("http.client.request.start");
    const asked = async (/** @type {string} */ host) => {
      const request = { host, getHeader: () => SIGNED };
      const found = [];
      for (let run = 0; run < runs; run++)
        found.push(
          ((await cpuSeconds(() => {
            for (let n = 0; n < times; n++) start.publish({ request });
          })) /
            times) *
            1e6,
        );
      return found;
    };
    return [
      {
        title: `Looking for accounts (a log of ${megabytes} MB; processor time)`,
        rows: [
          { what: "throughput of scan --accounts, of that of scan", unit: "", ours: shares, goals: [oursAtLeast(0.8)] },
          { what: "accounts of keys", unit: "MB/s", ours: rates, goals: [oursAtLeast(100)] },
          {
            what: "the reader in the process, a request elsewhere",
            unit: "us",
            ours: await asked("example.com"),
            goals: [oursAtMost(1)],
          },
          {
            what: "the reader in the process, a signed request to AWS",
            unit: "us",
            ours: await asked("b.s3.eu-central-1.amazonaws.com"),
            goals: [oursAtMost(5)],
          },
        ],
      },
    ];
  } finally {
    rmSync(work, { recursive: true, force: true });
    remove();
  }
}
