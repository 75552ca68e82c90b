/** `imds-guard gateway`: one guard for every program of the host, by a rule of the packet filter. */
import { once } from "node:events";
import type { EventFormat } from "../events/catalogue.js";
import { EVENT_FORMATS } from "../events/catalogue.js";
import type { Accounts } from "../gateway/accounts.js";
import type { Bridge } from "../gateway/bridges.js";
import type { Gateway } from "../gateway/gateway.js";
import type { SocketDiag } from "../gateway/socket-diag.js";
import type { InstalledState } from "../gateway/state.js";
import type { Command, CommandContext, ExitCode } from "./command.js";
import { UsageError } from "./command.js";
import { portOf } from "./numbers.js";

const WORDS = ["install", "uninstall", "status", "check", "report"] as const;
/** Where a gateway finds its rules unless it is told. */
const RULES_FILE = "/etc/imds-guard/gateway.toml";
/** Where rules and daemon meet unless told otherwise. */
const DEFAULT_PORT = 9_100;
const DEFAULT_USER = "imds-guard";
const V1 = ["refuse", "report"] as const;

export const command: Command = {
  name: "gateway",
  summary: "guard IMDS for every program of this host (Linux)",
  usage: "[install|uninstall|status|check [FILE]|report] [OPTIONS]",
  words: WORDS,
  description: [
    "Without a word it is the daemon: it answers on loopback as IMDSv2, for every program whose connections to 169.254.169.254 and fd00:ec2::254 the packet filter leads to it. Off EC2 each request is answered 403 at once, without a packet for it, and the program is named. On EC2 it answers through the guard: decided, pinned, attested, held against the expected accounts. Asks the kernel whose a connection is over a socket that a service manager hands over (LISTEN_FDS, ListenNetlink=inet-diag of systemd), and else reads the kernel's table, which takes longer. Reads its rules again at SIGHUP. Ends with 0 at SIGINT or SIGTERM, with 3 where it cannot start.",
    "install puts the packet filter rules in place, with nft or else iptables, in a table of their own; uninstall takes them away. Only connections of the user that the daemon runs as pass by them. The rules stay when the daemon ends: what then asks is refused by the kernel. status ends with 0 where the rules are in place, 1 where they are not and 3 where that cannot be told.",
    "check reads a file of rules and says every mistake with its line and column: 0 where there is none, else 1. report reads the access log: which program of which user asks, by which version of IMDS, for what.",
    `Rules (TOML, [[rule]]): user, group, unit, container; paths (* stays in a segment, ** spans them), role (a name, a list or true), user_data. The first rule that fits the caller decides alone. Without one, users of the system get what they got before, others metadata without credentials and user data.`,
  ],
  options: [
    { name: "rules", value: "FILE", summary: `rules; default ${RULES_FILE}, which may be absent` },
    { name: "access-log", value: "FILE", summary: "a line for each request, rotated at 10 MiB; what report reads" },
    { name: "access-format", value: "FORMAT", words: EVENT_FORMATS, summary: "form of its lines; default json" },
    {
      name: "v1",
      value: "WORD",
      words: V1,
      summary: "requests without a token: refuse (default), or answer and report",
    },
    {
      name: "bridges",
      value: "NAMES",
      bare: "all",
      summary: "also serve clients on these bridges, comma-separated; all of them without names",
    },
    { name: "port", value: "N", summary: `port on loopback and on bridges; default ${DEFAULT_PORT}` },
    { name: "user", value: "NAME", summary: `install: the user that the daemon runs as; default ${DEFAULT_USER}` },
    { name: "dry-run", summary: "install: print the rules and change nothing" },
    { name: "metrics-port", value: "N", summary: "serve metrics on this port of 127.0.0.1" },
    { name: "profile", short: "p", value: "NAME", summary: "shared config profile with settings of the guard" },
  ],
  examples: [
    { command: "imds-guard gateway install --dry-run", does: "see the rules before they are there" },
    {
      command: "imds-guard gateway --access-log /var/log/imds-guard/access.jsonl",
      does: "the daemon, as a unit runs it",
    },
    {
      command: "imds-guard gateway report --access-log /var/log/imds-guard/access.jsonl",
      does: "who still uses IMDSv1",
    },
  ],
  exitCodes: [
    ["0", "fine: rules in place, no mistake, or told to stop"],
    ["1", "status: rules not in place; check: a mistake in the rules"],
    ["2", "wrong usage"],
    ["3", "could not start, could not be done, could not tell"],
  ],
  async run(context) {
    const [word, ...rest] = context.words;
    if (word !== "check" && rest.length > 0) throw new UsageError(`gateway ${word} takes no words, and got ${rest[0]}`);
    if (process.platform !== "linux")
      throw new UsageError("the gateway needs Linux: its rules are those of nft or iptables");
    switch (word as (typeof WORDS)[number] | undefined) {
      case undefined:
        return serve(context);
      case "install":
        return install(context);
      case "uninstall":
        return uninstall(context);
      case "status":
        return status(context);
      case "check":
        return check(context, rest);
      case "report":
        return report(context);
    }
  },
};

async function bridgesIn({ options, ui }: Pick<CommandContext, "options" | "ui">): Promise<readonly Bridge[]> {
  const { bridges } = options;
  if (typeof bridges !== "string") return [];
  const { bridgesOf } = await import("../gateway/bridges.js");
  const known = bridgesOf();
  if (bridges === "all") {
    if (known.length === 0)
      ui.note("warning: this host has no bridge with an address: nobody but its own programs is led");
    return known;
  }
  return bridges.split(",").map((name) => {
    const found = known.find((bridge) => bridge.name === name);
    if (found !== undefined) return found;
    const names = known.map((bridge) => bridge.name).join(", ") || "none";
    throw new UsageError(
      `--bridges names ${name}, which is no bridge with an address`,
      `bridges of this host: ${names}`,
    );
  });
}

async function serve(context: CommandContext): Promise<ExitCode> {
  const { options, ui, json, system, signal } = context;
  const [
    { createGuard },
    { readAccounts },
    { RulesError, startGateway },
    { openSocketDiag },
    { readState },
    { notifyReady, takeSocket },
  ] = await Promise.all([
    import("../guard/create-guard.js"),
    import("../gateway/accounts.js"),
    import("../gateway/gateway.js"),
    import("../gateway/socket-diag.js"),
    import("../gateway/state.js"),
    import("../serving/service-manager.js"),
  ]);
  const descriptor = takeSocket(process.env, process.pid);
  const diag = descriptor === undefined ? undefined : openSocketDiag(descriptor);
  if (descriptor !== undefined && diag === undefined)
    ui.note(
      "warning: the socket that the service manager handed over is none of ListenNetlink=inet-diag; owners of connections are looked for in /proc/net/tcp, which takes longer",
    );
  const state = readState();
  const option = portOf(options["port"], "port");
  const port = option ?? state?.port ?? DEFAULT_PORT;
  const complaint = mismatch(state, port);
  if (complaint !== undefined) {
    ui.error(complaint.error, [complaint.hint]);
    return 3;
  }
  if (state === undefined)
    ui.note("warning: no rules are in place: nothing is led here before imds-guard gateway install");
  const { profile } = options;
  const guard = createGuard(typeof profile === "string" ? { profile } : {}, { system });
  let gateway: Gateway | undefined;
  try {
    const path = options["access-log"];
    gateway = await startGateway({
      guard,
      system,
      accounts: readAccounts(),
      port,
      bridges: await bridgesIn(context),
      rulesFile: typeof options["rules"] === "string" ? options["rules"] : RULES_FILE,
      rulesOptional: options["rules"] === undefined,
      accessLog:
        typeof path === "string"
          ? { path, format: (options["access-format"] as EventFormat | undefined) ?? "json" }
          : undefined,
      v1: (options["v1"] as (typeof V1)[number] | undefined) ?? "refuse",
      diag,
      note: (text) => ui.note(text),
    });
    return await untilStopped(gateway, context);
  } catch (error) {
    if (error instanceof RulesError) {
      ui.error(error.message, error.problems.slice(1, 5));
      return 3;
    }
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") {
      ui.error(`port ${port} is taken`, [
        "another gateway runs, or another program has the port: choose one with --port",
      ]);
      return 3;
    }
    throw error;
  } finally {
    await gateway?.close();
    await guard.close();
  }

  async function untilStopped(
    running: Gateway,
    { options: { "metrics-port": metrics } }: CommandContext,
  ): Promise<ExitCode> {
    const server = await serveMetrics(portOf(metrics, "metrics-port"), running);
    const reload = (): void => running.reload();
    process.on("SIGHUP", reload);
    try {
      if (json)
        ui.line(
          JSON.stringify({
            event: "ready",
            port: running.port,
            pid: process.pid,
            refusing: running.refusal ?? null,
            owners: owners(diag),
          }),
        );
      else
        ui.line(
          `ready: 127.0.0.1:${running.port}, ${running.rules()} rules, owners of connections by ${owners(diag)}${running.refusal === undefined ? "" : `; every request is refused: ${running.refusal}`}`,
        );
      const failure = await notifyReady(system);
      if (failure !== undefined)
        ui.note(`warning: systemd-notify failed (${failure}); the unit should not be of Type=notify`);
      if (!signal.aborted) await once(signal, "abort");
      return 0;
    } finally {
      process.removeListener("SIGHUP", reload);
      await server?.close();
    }
  }
}

/** Where the owner of a connection is looked for first. */
function owners(diag: SocketDiag | undefined): "sock_diag" | "/proc/net/tcp" {
  return diag === undefined ? "/proc/net/tcp" : "sock_diag";
}

async function serveMetrics(
  port: number | undefined,
  { counter }: Gateway,
): Promise<{ close(): Promise<void> } | undefined> {
  if (port === undefined) return undefined;
  const [{ startLoopbackServer }, { METRICS_TYPE }] = await Promise.all([
    import("../serving/loopback-server.js"),
    import("../monitor/metrics.js"),
  ]);
  const reply = async () => ({ status: 200, contentType: METRICS_TYPE, body: counter.text() });
  return startLoopbackServer({ path: "/metrics", port, asLocalhost: true, reply });
}

/** Rules that exempt another user would lead this daemon's own questions back to it; another port leads nobody here. */
function mismatch(state: InstalledState | undefined, port: number): { error: string; hint: string } | undefined {
  if (state === undefined) return undefined;
  const own = process.geteuid?.();
  if (own !== state.uid)
    return {
      error: `this daemon runs as user ${own}, and the rules exempt ${state.user} (user ${state.uid}): its own requests would be led back to it`,
      hint: "run it as that user, or install the rules for this one with imds-guard gateway install --user NAME",
    };
  if (port !== state.port)
    return {
      error: `this daemon would listen on port ${port}, and the rules lead to port ${state.port}`,
      hint: "leave --port out, or give gateway install the same",
    };
  return undefined;
}

async function install({ options, ui, json }: CommandContext): Promise<ExitCode> {
  const [{ readAccounts }, installing] = await Promise.all([
    import("../gateway/accounts.js"),
    import("../gateway/install.js"),
  ]);
  const accounts = readAccounts();
  const user = typeof options["user"] === "string" ? options["user"] : DEFAULT_USER;
  const uid = /^\d+$/.test(user) ? Number(user) : accounts.uidOf(user);
  const dryRun = options["dry-run"] === true;
  if (uid === undefined && !dryRun) {
    ui.error(`there is no user ${user}, as whom the daemon would run`, [
      `make one: useradd --system --no-create-home --shell /usr/sbin/nologin ${DEFAULT_USER}`,
    ]);
    return 3;
  }
  if (uid === 0) {
    ui.error("the daemon cannot run as root: every program of root's would pass by the rules with it", [
      "give it a user of its own with --user NAME",
    ]);
    return 3;
  }
  const bridges = (await bridgesIn({ options, ui })).map(({ name }) => name);
  const plan = { user, port: portOf(options["port"], "port") ?? DEFAULT_PORT, bridges };
  if (uid === undefined || dryRun) {
    const by = installing.filterProgram() ?? "nft";
    const text = installing.describePlan({ ...plan, uid: uid ?? user }, by);
    if (uid === undefined) ui.note(`warning: there is no user ${user} yet, as whom the daemon would run`);
    if (json) ui.json({ by, rules: text, ...plan });
    else ui.line(text);
    return 0;
  }
  const done = await filterCall(ui, () => installing.install({ ...plan, uid }));
  if (done === undefined) return 3;
  if (json) ui.json(done);
  else
    ui.line(
      `rules are in place (${done.by}): all but ${user} (user ${uid}) are led to port ${plan.port}${bridges.length > 0 ? `, and clients on ${bridges.join(", ")}` : ""}`,
    );
  tellPeople(accounts, ui);
  return 0;
}

/** On EC2 people log in as ec2-user and use the role of the instance, which they lose now. */
function tellPeople({ people }: Accounts, ui: CommandContext["ui"]): void {
  if (people.length === 0) return;
  const some = people.slice(0, 5).join(", ");
  ui.note(
    `users such as ${some}${people.length > 5 ? `, and ${people.length - 5} more,` : ""} get metadata, and no credentials unless a rule gives them a role`,
  );
}

async function uninstall({ ui, json }: CommandContext): Promise<ExitCode> {
  const { uninstall: remove } = await import("../gateway/install.js");
  const done = await filterCall(ui, () => {
    remove();
    return true;
  });
  if (done === undefined) return 3;
  if (json) ui.json({ removed: true });
  else ui.line("no rules of the gateway are in place");
  return 0;
}

async function filterCall<T>(ui: CommandContext["ui"], work: () => T): Promise<T | undefined> {
  const { FilterError } = await import("../gateway/install.js");
  try {
    return work();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (error instanceof FilterError) ui.error(message, [error.hint]);
    else if (code === "EACCES" || code === "EPERM" || code === "EROFS") ui.error(message, ["run it as root"]);
    else throw error;
    return undefined;
  }
}

async function status({ ui, json }: CommandContext): Promise<ExitCode> {
  const [{ installed }, { readState }] = await Promise.all([
    import("../gateway/install.js"),
    import("../gateway/state.js"),
  ]);
  const inPlace = installed();
  const state = readState();
  const listening = await answers(state?.port ?? DEFAULT_PORT);
  if (json) ui.json({ installed: inPlace, listening, ...state });
  else {
    const where = state === undefined ? "" : ` (${state.by}, all but ${state.user}, to port ${state.port})`;
    ui.line(
      `rules: ${inPlace === "yes" ? `in place${where}` : inPlace === "no" ? "not in place" : "could not be asked; run it as root"}`,
    );
    ui.line(`daemon: ${listening ? "listening" : "not listening"}`);
    if (inPlace === "yes" && !listening)
      ui.note("warning: every request of this host to IMDS is refused until the daemon runs");
  }
  return inPlace === "yes" ? 0 : inPlace === "no" ? 1 : 3;
}

async function answers(port: number): Promise<boolean> {
  const { connect } = await import("node:net");
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: 1_000 });
    const end = (value: boolean) => () => {
      socket.destroy();
      resolve(value);
    };
    socket.once("connect", end(true)).once("error", end(false)).once("timeout", end(false));
  });
}

async function check({ options, ui, json }: CommandContext, [named, ...more]: readonly string[]): Promise<ExitCode> {
  if (more.length > 0) throw new UsageError("gateway check reads one file");
  const path = named ?? (typeof options["rules"] === "string" ? options["rules"] : RULES_FILE);
  const [{ readAccounts }, { readRulesFile, RulesError }] = await Promise.all([
    import("../gateway/accounts.js"),
    import("../gateway/gateway.js"),
  ]);
  try {
    const { rules, problems, notes } = readRulesFile(path, readAccounts());
    if (json) ui.json({ file: path, rules: rules.length, problems, notes });
    else {
      for (const { line, column, message } of problems) ui.line(`${path}:${line}:${column}: ${message}`);
      for (const { line, column, message } of notes) ui.note(`warning: ${path}:${line}:${column}: ${message}`);
      if (problems.length === 0) ui.line(`${path}: ${rules.length} rule${rules.length === 1 ? "" : "s"}, no mistake`);
    }
    return problems.length > 0 ? 1 : 0;
  } catch (error) {
    if (!(error instanceof RulesError)) throw error;
    ui.error(error.message);
    return 1;
  }
}

async function report({ options, ui, json }: CommandContext): Promise<ExitCode> {
  const path = options["access-log"];
  if (typeof path !== "string") throw new UsageError("gateway report reads an access log", "give --access-log FILE");
  const { reportOf } = await import("../gateway/report.js");
  const found = await reportOf(path);
  if (json) ui.json(found);
  else {
    const rows = found.rows.map(({ program, user, unit, v1, v2, denied, paths, morePaths, last }) => [
      program,
      user,
      unit,
      v1 > 0 ? ui.paint(String(v1), "finding") : "0",
      String(v2),
      String(denied),
      last,
      `${paths.slice(0, 3).join(" ")}${paths.length + morePaths > 3 ? ` and ${paths.length + morePaths - 3} more` : ""}`,
    ]);
    ui.table([["PROGRAM", "USER", "UNIT", "V1", "V2", "REFUSED", "LAST", "PATHS"], ...rows]);
    ui.line(`${found.requests} requests`);
  }
  if (found.notUnderstood > 0)
    ui.note(`warning: ${found.notUnderstood} lines are none of an access log in its own format, and were not counted`);
  if (found.notTold > 0) ui.note(`warning: ${found.notTold} requests of further programs are not in the table`);
  return found.notUnderstood > 0 ? 3 : 0;
}
