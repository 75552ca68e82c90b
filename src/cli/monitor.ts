/** `imds-guard monitor`: watches the metadata addresses and delivers what it finds to a SIEM. */
import { once } from "node:events";
import { terminalLine } from "../base/text.js";
import type { GuardEvent } from "../events/catalogue.js";
import { atLeast } from "../events/weights.js";
import { toText } from "../events/text.js";
import { createGuard } from "../guard/create-guard.js";
import { servicesOf } from "../guard/guard.js";
import type { MonitorStatus } from "../monitor/monitor.js";
import type { Output } from "../monitor/output.js";
import type { LoopbackServer } from "../serving/loopback-server.js";
import type { AccountWatch } from "../detection/account-watch.js";
import type { Reporter } from "../events/reporter.js";
import { ACCOUNTS_OPTION, accountsOf } from "./account-list.js";
import type { Command, CommandContext, ExitCode } from "./command.js";
import { UsageError } from "./command.js";
import { portOf, seconds, wholeNumber } from "./numbers.js";
import { wrap } from "./ui.js";

const FORMATS = ["text", "json", "ecs", "ocsf"] as const;
type Format = (typeof FORMATS)[number];

const DEFAULT_FILE_MIB = 10;
const DEFAULT_KEEP = 5;
const MIB = 1024 * 1024;
/** Together shorter than what service managers grant before they kill. */
const CLOSE_MS = 5_000;

export const command: Command = {
  name: "monitor",
  summary: "watch who answers as IMDS, and by which way, and report what changes",
  usage: "[--interval SECONDS] [--once] [--format FORMAT] [--file PATH] [--syslog URL] [--log PATH] [--metrics-port N]",
  description: [
    "Looks at once and then in every interval: asks both metadata addresses for a token (a request without a secret, User-Agent imds-guard-probe/1), and reads routes, neighbours, interfaces and connections of this host; in every tenth look it resolves the names under which programs look for IMDS. What is there is reported once, and again when it changes (another MAC, interface or gateway) or is gone for three looks.",
    "Events go to stdout as lines of the chosen format, and to any of these besides: a file of JSON lines (rotated by size, findings flushed to the device), a syslog receiver (RFC 5424: over TCP with octet counting, or over a unix stream socket with line breaks; not over datagrams, which Node.js cannot send to a unix socket, nor TLS). An output that is away does not lose events: up to 1024 wait for each (256 for the file), later ones are counted as dropped. A syslog receiver may get an event twice after it was away; the id tells.",
    "With --log it follows that log, too (of a proxy, a mesh, an SDK), through renaming and cutting, and holds every AWS account in it against --accounts, or the expected accounts of the profile: a request signed with a key of another account is an event, egress.foreign_account, once for each key and again after an hour. What stands in the log already is for imds-guard scan.",
    "Metrics for Prometheus are served on loopback only: http://127.0.0.1:N/metrics. Each account that is not yours is counted, by form and level.",
    "Runs until SIGINT or SIGTERM, then delivers what waits and ends with 0. With --once it looks once and ends with 1 where there is something of severity warning or above, otherwise with 0. Exit code 3 where the monitor cannot start, or when nobody reads stdout any more. --json is the same as --format json.",
  ],
  options: [
    {
      name: "interval",
      value: "SECONDS",
      summary: "time between looks, 0.05 to 86400, a tenth more or less; default 30",
    },
    { name: "once", summary: "look once and end" },
    {
      name: "format",
      value: "FORMAT",
      words: FORMATS,
      summary: "form of an event on stdout, json being this package's own (default text)",
    },
    {
      name: "file",
      value: "PATH",
      summary: "also append events to this file, as JSON lines of the format (json for text)",
    },
    {
      name: "rotate-mib",
      value: "N",
      summary: `size in MiB at which the file is rotated, 1 to 10000; default ${DEFAULT_FILE_MIB}`,
    },
    {
      name: "rotate-keep",
      value: "N",
      summary: `how many rotated files stay, 0 to 100 (0: never rotate); default ${DEFAULT_KEEP}`,
    },
    { name: "syslog", value: "URL", summary: "also send events to tcp://HOST[:PORT] or unix:/PATH" },
    { name: "log", value: "PATH", multiple: true, summary: "also follow this log, for accounts that are not yours" },
    ACCOUNTS_OPTION,
    { name: "metrics-port", value: "N", summary: "serve metrics on this port of 127.0.0.1" },
    { name: "no-stdout", summary: "do not print events; warnings and above then go to stderr" },
    { name: "no-probe", summary: "ask nobody; look at this host's own tables alone" },
    { name: "no-dns", summary: "resolve no names" },
    { name: "profile", short: "p", value: "NAME", summary: "shared config profile with settings" },
  ],
  examples: [
    { command: "imds-guard monitor --once", does: "is anything wrong right now" },
    { command: "imds-guard monitor --format ecs --file /var/log/imds-guard/events.jsonl", does: "for a log shipper" },
    {
      command: "imds-guard monitor --log /var/log/squid/access.log --accounts 111122223333",
      does: "also, whose keys do our hosts sign with",
    },
    {
      command: "imds-guard monitor --no-stdout --syslog tcp://siem.example:601 --metrics-port 9910",
      does: "as a service",
    },
  ],
  async run(context) {
    const { options, words, json, ui, system, signal } = context;
    if (words.length > 0) throw new UsageError(`monitor takes no words, and got ${words[0]}`);
    const interval = seconds(options["interval"], "interval", 0.05, 86_400) ?? 30;
    const format: Format = json ? "json" : ((options["format"] as Format | undefined) ?? "text");
    const metricsPort = portOf(options["metrics-port"], "metrics-port");
    const logs = (options["log"] ?? []) as readonly string[];
    const listed = accountsOf(options);
    if (logs.length === 0 && listed !== undefined) throw new UsageError("--accounts is for --log");
    if (logs.length > 0 && options["once"] === true)
      throw new UsageError("--once follows no log", "imds-guard scan reads what stands in one");
    const outputs = await openOutputs(context, format);
    const onStdout = outputs.some(({ name }) => name === "stdout");
    let alarming = false;
    const guard = createGuard(
      {
        ...(typeof options["profile"] === "string" && { profile: options["profile"] }),
        ...(onStdout && { log: "off" as const }),
        onEvent: (event) => {
          alarming ||= atLeast(event.severity, "warning");
          for (const output of outputs) output.write(event);
        },
      },
      { system },
    );
    const began = system.now();
    let metrics: LoopbackServer | undefined;
    try {
      // The guard itself is not asked where it is: its answer, that IMDS is not asked here, would be an event of every
      // start.
      const [{ detectHost }, { settings, reporter }, { createMonitor }] = await Promise.all([
        import("../host/detect.js"),
        servicesOf(guard),
        import("../monitor/monitor.js"),
      ]);
      const accounts = listed ?? settings.expectedAccounts;
      if (logs.length > 0 && accounts.length === 0)
        throw new UsageError(
          "--log needs the accounts that are yours",
          "--accounts LIST, or imds_guard_expected_accounts",
        );
      const host = await detectHost(system);
      const probe = options["no-probe"] === true ? "off" : settings.probe;
      const monitor = createMonitor(
        {
          intervalMs: interval * 1_000,
          probe,
          dns: options["no-dns"] === true ? "off" : "on",
          holdsProcess: true,
          onLook: () => outputs.forEach((output) => output.retry()),
        },
        { system, reporter, verdict: host.verdict, probe },
      );
      let watch: AccountWatch | undefined;
      try {
        if (logs.length > 0) watch = await watchLogs(context, logs, accounts, reporter);
        if (metricsPort !== undefined) metrics = await serveMetrics(metricsPort, monitor.status, outputs, began, watch);
        const first = await monitor.look();
        if (first.failedLooks > 0)
          ui.note("warning: the first look could not be finished; later ones are tried all the same");
        if (options["once"] === true) return exitOf(first, alarming);
        ui.note(
          `watching every ${interval} s${probe === "off" ? ", without asking anybody" : ""}; this host is ${host.verdict}`,
        );
        const { notifyReady } = await import("../serving/service-manager.js");
        const failure = await notifyReady(system);
        if (failure !== undefined)
          ui.note(`warning: systemd-notify failed (${failure}); the unit should not be of Type=notify`);
        if (!signal.aborted) await once(signal, "abort");
        return 0;
      } finally {
        await Promise.all([monitor.close(), watch?.close()]);
      }
    } finally {
      await metrics?.close();
      await guard.close();
      await Promise.all(outputs.map((output) => output.close(CLOSE_MS)));
      sayUndelivered(outputs, ui);
    }
  },
};

function exitOf({ failedLooks }: MonitorStatus, alarming: boolean): ExitCode {
  return alarming ? 1 : failedLooks > 0 ? 3 : 0;
}

async function openOutputs({ options, system, ui }: CommandContext, format: Format): Promise<Output[]> {
  const { encoderOf } = await import("../events/encode.js");
  const encode = encoderOf(format === "text" ? "json" : format);
  const line = (event: GuardEvent): string => (format === "text" ? toText(event) : JSON.stringify(encode(event)));
  const complain = (what: string) => (code: string) => ui.note(`warning: ${what} (${code}); events wait for it`);
  const outputs: Output[] = [];
  if (options["no-stdout"] !== true) {
    const { stdoutOutput } = await import("../monitor/stdout-output.js");
    // For a person the line is broken between words; in a pipe an event is one line.
    const shown = (event: GuardEvent): string =>
      format === "text" && ui.terminal ? wrap(line(event), ui.columns - 4).join("\n    ") : line(event);
    outputs.push(stdoutOutput(process.stdout, shown));
  }
  const { file, syslog } = options;
  const mib = wholeNumber(options["rotate-mib"], "rotate-mib", 1, 10_000) ?? DEFAULT_FILE_MIB;
  const keep = wholeNumber(options["rotate-keep"], "rotate-keep", 0, 100) ?? DEFAULT_KEEP;
  if (typeof file === "string") {
    const { fileOutput } = await import("../monitor/file-output.js");
    outputs.push(
      fileOutput({
        path: file,
        encode,
        maxBytes: keep === 0 ? Number.POSITIVE_INFINITY : mib * MIB,
        keep,
        onFailure: complain(`${file} cannot be written`),
      }),
    );
  }
  if (typeof syslog === "string") {
    const [{ parseSyslogTarget }, { syslogOutput }] = await Promise.all([
      import("../monitor/syslog.js"),
      import("../monitor/syslog-output.js"),
    ]);
    const target = parseSyslogTarget(syslog);
    if (target === undefined)
      throw new UsageError(`--syslog is ${syslog}`, "tcp://HOST[:PORT] or unix:/PATH of a stream socket is allowed");
    outputs.push(syslogOutput({ target, content: line, system, onFailure: complain(`${syslog} cannot be reached`) }));
  }
  return outputs;
}

async function watchLogs(
  { system, ui }: CommandContext,
  logs: readonly string[],
  accounts: readonly string[],
  reporter: Reporter,
): Promise<AccountWatch> {
  const { watchAccounts } = await import("../detection/account-watch.js");
  return watchAccounts({
    logs: [...new Set(logs)],
    accounts,
    system,
    reporter,
    onState: (log, code) =>
      ui.note(
        code === undefined
          ? `follows ${terminalLine(log)}`
          : `warning: ${terminalLine(log)} cannot be read (${code}); it is looked for every second`,
      ),
  });
}

async function serveMetrics(
  port: number,
  status: () => MonitorStatus,
  outputs: readonly Output[],
  began: number,
  watch: AccountWatch | undefined,
): Promise<LoopbackServer> {
  const [{ startLoopbackServer }, { METRICS_TYPE, metricsText }] = await Promise.all([
    import("../serving/loopback-server.js"),
    import("../monitor/metrics.js"),
  ]);
  return startLoopbackServer({
    path: "/metrics",
    port,
    asLocalhost: true,
    reply: async () => {
      const states = Object.fromEntries(outputs.map((output) => [output.name, output.status()]));
      return {
        status: 200,
        contentType: METRICS_TYPE,
        body: metricsText(status(), states, began, process.memoryUsage.rss(), watch?.status()),
      };
    },
  });
}

function sayUndelivered(outputs: readonly Output[], ui: CommandContext["ui"]): void {
  for (const { name, status } of outputs) {
    const { waiting, dropped } = status();
    const lost = waiting + dropped;
    if (lost > 0) ui.note(`warning: ${lost} event${lost === 1 ? "" : "s"} did not reach ${name}`);
  }
}
