/**
 * Measures the log scanner: megabytes a second of JSON lines and memory, beside jq with the same filter and
 * grep, where they are installed.
 *
 *   node bench/scan.mjs [gigabytes of the generated stream, default 1] [--json]
 *
 * CPU seconds are what is compared: on a shared machine the clock on the wall tells how busy the others are.
 */
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildModules } from "./build-modules.mjs";

const MB = 1e6;
const FILE_BYTES = 200 * MB;
const CHUNK = 64 * 1024;
const gigabytes = Number(process.argv.slice(2).find((argument) => !argument.startsWith("--")) ?? 1);

/** Zeek conn records; one in ten thousand goes to the metadata service. */
function block(bytes) {
  const lines = [];
  for (let index = 0, length = 0; length < bytes; index++) {
    const imds = index % 10_000 === 9_999;
    const line = JSON.stringify({
      ts: 1763719200 + index / 1000,
      uid: `C${((index * 2654435761) % 2 ** 32).toString(36)}aBcD`,
      "id.orig_h": `10.20.${(index >> 8) % 256}.${index % 256}`,
      "id.orig_p": 32768 + (index % 28000),
      "id.resp_h": imds ? "169.254.169.254" : `203.0.113.${index % 251}`,
      "id.resp_p": imds ? 80 : 443,
      proto: "tcp",
      service: "ssl",
      duration: (index % 997) / 100,
      orig_bytes: index % 4096,
      resp_bytes: imds ? 0 : index % 65536,
      conn_state: imds ? "S0" : "SF",
      local_orig: true,
      local_resp: false,
      missed_bytes: 0,
      history: imds ? "S" : "ShADadFf",
      orig_pkts: 12,
      orig_ip_bytes: 1800,
      resp_pkts: 11,
      resp_ip_bytes: 6000,
    });
    lines.push(line);
    length += line.length + 1;
  }
  return Buffer.from(`${lines.join("\n")}\n`);
}

async function* repeated(content, bytes) {
  for (let sent = 0; sent < bytes;) {
    for (let from = 0; from < content.length && sent < bytes; from += CHUNK) {
      const chunk = content.subarray(from, from + CHUNK);
      sent += chunk.length;
      yield chunk;
    }
  }
}

async function measure(run) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const summary = await run();
  const { user, system } = process.cpuUsage(cpu);
  return { summary, cpuSeconds: (user + system) / 1e6, wallSeconds: (performance.now() - start) / 1000 };
}

const work = mkdtempSync(join(tmpdir(), "imds-guard-bench-"));
try {
  await buildModules(["src/detection/scan.ts", "src/detection/log-stream.ts"], join(work, "dist"));
  const load = (name) => import(pathToFileURL(join(work, "dist", `${name}.mjs`)).href);
  const [{ scan }, { openLog }] = await Promise.all([load("scan"), load("log-stream")]);
  const content = block(8 * MB);
  const results = [];
  const add = (name, bytes, { cpuSeconds, wallSeconds }, extra = {}) =>
    results.push({
      name,
      megabytes: Math.round(bytes / MB),
      cpuSeconds: Number(cpuSeconds.toFixed(2)),
      mbPerCpuSecond: Math.round(bytes / MB / cpuSeconds),
      mbPerSecond: Math.round(bytes / MB / wallSeconds),
      ...extra,
    });

  const file = join(work, "conn.log");
  const fd = openSync(file, "w");
  let written = 0;
  while (written < FILE_BYTES) written += writeSync(fd, content);
  closeSync(fd);

  const fromFile = await measure(() => scan([{ name: file, stream: openLog(file) }]));
  add("scan, file", written, fromFile, { findings: fromFile.summary.findings });

  const peak = { rss: 0, early: 0 };
  const total = gigabytes * 1e9;
  const streamed = await measure(() =>
    scan([{ name: "stream", stream: repeated(content, total) }], {
      onProgress({ bytes }) {
        const { rss } = process.memoryUsage();
        if (bytes < total / 4) peak.early = Math.max(peak.early, rss);
        else peak.rss = Math.max(peak.rss, rss);
      },
    }),
  );
  add(`scan, stream of ${gigabytes} GB`, streamed.summary.bytes, streamed, {
    findings: streamed.summary.findings,
    rssFirstQuarterMb: Math.round(peak.early / MB),
    rssRestMb: Math.round(peak.rss / MB),
  });

  const thorough = await measure(() => scan([{ name: file, stream: openLog(file) }], { thorough: true }));
  add("scan, file, every line parsed", written, thorough, { findings: thorough.summary.findings });

  const filter =
    'select(."id.resp_h" == "169.254.169.254" or ."id.resp_h" == "fd00:ec2::254" or ."id.orig_h" == "169.254.169.254" or ."id.orig_h" == "fd00:ec2::254")';
  measureBeside("jq, file", `jq -c '${filter}' "$1" | wc -l`);
  // The address in one spelling, in the locale in which grep is fastest.
  measureBeside("grep -F, file", `LC_ALL=C grep -cF 169.254.169.254 "$1"`);

  /** Runs somebody else's program on the same file. @param {string} name @param {string} command */
  function measureBeside(name, command) {
    const start = performance.now();
    const run = spawnSync("bash", ["-c", `TIMEFORMAT='%U %S'; time ${command}`, "bash", file], { encoding: "utf8" });
    if (run.status !== 0 || !/^[\d.]+ [\d.]+$/m.test(run.stderr)) {
      process.stderr.write(`${name} did not run: nothing to compare with\n`);
      return;
    }
    const [user = "0", system = "0"] = run.stderr.trim().split("\n").at(-1).split(" ");
    const cpuSeconds = Math.max(0.001, Number(user) + Number(system));
    add(
      name,
      written,
      { cpuSeconds, wallSeconds: (performance.now() - start) / 1000 },
      { findings: Number(run.stdout) },
    );
  }

  if (process.argv.includes("--json"))
    process.stdout.write(`${JSON.stringify({ node: process.versions.node, results }, null, 2)}\n`);
  else console.table(results);
} finally {
  rmSync(work, { recursive: true, force: true });
}
