/**
 * Hours of faults in a minute: an impersonator that comes, moves and goes while outputs die, return and run full. Every
 * finding once, none lost.
 */
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { canUnshare } from "../support/machine.mjs";
import type { Machine } from "./rig.js";
import { withMachine } from "./rig.js";

const CLI = process.env["RIG_CLI"] ?? fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const RECEIVER = fileURLToPath(new URL("./syslog-receiver.mjs", import.meta.url));
/** At most 100: the small disk has to hold the events of all. */
const CYCLES = Math.min(100, Number(process.env["RIG_SOAK_CYCLES"] ?? 16));
const INTERVAL = "0.1";
const PATIENCE_MS = 60_000;
/**
 * What a process may grow by once it is warm; a leak of one event a look would be far above in the hours that this
 * stands for.
 */
const MAX_GROWTH = 48 * 1024 * 1024;
/** Each cycle: both addresses are taken over, the IPv4 responder moves, both go. */
const EACH_CYCLE = {
  "imds.impersonation_detected": 2,
  "monitor.responder_changed": 1,
  "monitor.responder_gone": 2,
} as const;

const able = canUnshare();
const missing = !able.ok
  ? `no machines can be made here: ${able.reason}`
  : existsSync(CLI)
    ? undefined
    : "dist/cli.js is not built";
if (missing !== undefined) console.log(`e2e (monitor): skipped, ${missing}`);

interface Told {
  readonly id: string;
  readonly code: string;
  readonly message: string;
}

describe.skipIf(missing !== undefined)("a monitor that runs for long", () => {
  it("reports every finding once and loses none", { timeout: 600_000 }, async () => {
    await withMachine({ host: "laptop", network: "neighbour", lifetimeMs: 590_000 }, async (machine) => {
      const sh = (script: string, ...args: string[]): Promise<string> =>
        machine.command("sh", ["-ec", script, "sh", ...args]);
      const told = async (file: string): Promise<Told[]> => readLines(await sh(READ_EVENTS, file));
      const startReceiver = (): Promise<string> =>
        sh(
          '"$1" "$2" 6514 "$HOME/syslog" > "$HOME/receiver" 2>&1 & echo $! > "$HOME/receiver-pid"; until grep -q ready "$HOME/receiver"; do sleep 0.02; done',
          process.execPath,
          RECEIVER,
        );
      const killReceiver = (): Promise<string> => sh('kill -9 "$(cat "$HOME/receiver-pid")"; : > "$HOME/receiver"');
      const fillDisk = (): Promise<string> =>
        sh('dd if=/dev/zero of="$HOME/small/ballast" bs=1k count=4096 2>/dev/null || true');
      const freeDisk = (): Promise<string> => sh('rm "$HOME/small/ballast"');
      await machine.serve({ kind: "nobody" });
      // The machine's own processes, so that the neighbour can be found among them.
      await sh("mount -t proc none /proc");
      await sh('mkdir "$HOME/small"; mount -t tmpfs -o size=1m none "$HOME/small"');
      await startReceiver();
      await sh(
        `"$1" "$2" monitor --interval ${INTERVAL} --no-dns --json --file "$HOME/small/events" --rotate-mib 1 --syslog tcp://127.0.0.1:6514 --metrics-port 9910 > "$HOME/out" 2> "$HOME/said" & echo $! > "$HOME/monitor-pid"
         until grep -q watching "$HOME/said"; do sleep 0.02; done`,
        process.execPath,
        CLI,
      );

      const expected: Record<string, number> = { "monitor.host_route": 2, "monitor.neighbour_appeared": 1 };
      const settle = (): Promise<void> =>
        until(
          async () => covers(count(await told("out")), expected),
          async () =>
            `${JSON.stringify(expected)} but ${JSON.stringify(count(await told("out")))}; ${await sh('cat "$HOME/said"')}`,
        );
      const expectMore = (code: keyof typeof EACH_CYCLE): Promise<void> => {
        expected[code] = (expected[code] ?? 0) + EACH_CYCLE[code];
        return settle();
      };
      await settle();
      let warm = 0;
      let breaks = 0;
      for (let cycle = 0; cycle < CYCLES; cycle += 1) {
        const fault = cycle % 4;
        if (fault === 1) {
          await killReceiver();
          breaks += 1;
        }
        if (fault === 2) await fillDisk();
        await machine.serve({ kind: "behaviour", name: "flawless" });
        await expectMore("imds.impersonation_detected");
        if (fault === 1) await startReceiver();
        await moveTo(machine, `02:00:00:00:${cycle.toString(16).padStart(2, "0")}:01`);
        await expectMore("monitor.responder_changed");
        if (fault === 2) await freeDisk();
        await machine.serve({ kind: "nobody" });
        await expectMore("monitor.responder_gone");
        if (cycle === 3) warm = (await metrics(machine)).rss;
      }
      const { rss, looks, dropped } = await metrics(machine);
      // Nobody waits for it, so its entry stays behind.
      await sh(
        'pid=$(cat "$HOME/monitor-pid"); kill -TERM "$pid"; until grep -q "^State:.Z" "/proc/$pid/status" 2>/dev/null || ! test -d "/proc/$pid"; do sleep 0.05; done',
      );

      const out = await told("out");
      expect(count(out), "on stdout").toEqual(expected);
      const ids = out.map(({ id }) => id);
      expect(
        (await told("small/events")).map(({ id }) => id),
        "in the file",
      ).toEqual(ids);
      // Syslog knows no receipts: after a break a receiver may be told again, and never in vain.
      const received = (await told("syslog")).map(({ id }) => id);
      expect([...new Set(received)].toSorted(), "by syslog").toEqual(ids.toSorted());
      expect(Math.max(...Object.values(tally(received)))).toBeLessThanOrEqual(breaks + 1);
      expect(dropped).toBe(0);
      expect(rss - warm).toBeLessThan(MAX_GROWTH);
      console.log(
        `e2e (monitor): ${CYCLES} cycles, ${looks} looks, ${ids.length} events, each once on stdout and in the file; by syslog ${received.length} (${received.length - ids.length} told again), none lost; memory ${mib(warm)} -> ${mib(rss)} MiB`,
      );
    });
  });
});

/** The responder takes another MAC, and the host learns it. */
async function moveTo(machine: Machine, mac: string): Promise<void> {
  await machine.command("sh", [
    "-ec",
    'for pid in $(pgrep -f responder.mjs); do nsenter -t "$pid" -n ip link set peer address "$1" 2>/dev/null && break; done; ip neigh flush dev uplink',
    "sh",
    mac,
  ]);
}

const METRICS = 'const r = await fetch("http://127.0.0.1:9910/metrics"); console.log(await r.text());';

async function metrics(machine: Machine): Promise<{ rss: number; looks: number; dropped: number }> {
  const { stdout: text, stderr } = await machine.run("", {
    execArgv: ["--input-type=module", "-e", METRICS],
    timeoutMs: 60_000,
  });
  if (text === "") throw new Error(`no metrics: ${stderr}`);
  const values = (name: string): number[] =>
    [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (.+)$`, "gm"))].map(([, value]) => Number(value));
  return {
    rss: values("process_resident_memory_bytes")[0] as number,
    looks: values("imds_guard_looks_total")[0] as number,
    dropped: values("imds_guard_output_dropped_total").reduce((sum, value) => sum + value, 0),
  };
}

/**
 * Id, code and the beginning of the message of each whole line. One of which a full disk took a part has no such end.
 */
const READ_EVENTS = String.raw`sed -n 's/^{"id":"\([^"]*\)".*"code":"\([^"]*\)".*"message":"\([^"]\{0,120\}\).*"refs":\[[^]]*\]}$/\1 \2 \3/p' "$HOME/$1" 2>/dev/null || true`;

function readLines(text: string): Told[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [id = "", code = "", ...message] = line.split(" ");
      return { id, code, message: message.join(" ") };
    });
}

/**
 * By code. A probe that comes while the impersonator is still putting on its costume sees somebody who says nothing,
 * which is a finding of its own.
 */
const count = (events: readonly Told[]): Record<string, number> =>
  tally(events.filter(({ message }) => !message.includes("not as IMDSv2")).map(({ code }) => code));

function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

function covers(counts: Readonly<Record<string, number>>, expected: Readonly<Record<string, number>>): boolean {
  return Object.entries(expected).every(([code, wanted]) => (counts[code] ?? 0) >= wanted);
}

async function until(condition: () => Promise<boolean>, state: () => Promise<string>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${await state()}`);
    await sleep(50);
  }
}

const mib = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);
