/** The systemd units of examples/: accepted by systemd itself, and their command lines run as they are written. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accountOf } from "../support/access-keys.mjs";
import { createSigner } from "../support/identity-signer.mjs";
import { canUnshare, createMachine } from "../support/machine.mjs";
import { CLI } from "./script.js";

const UNITS = join(import.meta.dirname, "../../examples/systemd");
const able = canUnshare();
const signer = createSigner();

/** The values of a key of a unit, in order. */
function valuesOf(unit: string, key: string): string[] {
  const text = readFileSync(join(UNITS, `${unit}.service`), "utf8");
  return [...text.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value = ""]) => value);
}

describe.skipIf(!able.ok)("on an EC2 host with an installed program", () => {
  let machine: Awaited<ReturnType<typeof createMachine>>;
  const sh = (script: string, ...args: string[]): Promise<string> =>
    machine.command("sh", ["-ec", script, "sh", ...args]);

  beforeAll(async () => {
    machine = await createMachine({ host: "ec2-nitro", network: "self" });
    // The units name /usr/bin/imds-guard: /usr/bin becomes one of the machine's own, with links to what was there.
    await sh(
      `mkdir -p "$HOME/bin" && mount --bind /usr/bin "$HOME/bin" && mount -t tmpfs none /usr/bin && "$HOME/bin/ln" -s "$HOME"/bin/* /usr/bin/
      for dir in /run /var/log; do mount -t tmpfs none $dir; done; mkdir /var/log/imds-guard /run/imds-guard
      printf '#!/bin/sh\\nexec "%s" "%s" "$@"\\n' "$1" "$2" > /usr/bin/imds-guard; chmod +x /usr/bin/imds-guard; printf %s "$3" > /run/key.pem`,
      process.execPath,
      CLI,
      signer.publicKeyPem,
    );
    await machine.serve({
      kind: "genuine",
      privateKeyPem: signer.privateKeyPem,
      identity: { account: "111122223333", region: "eu-central-1" },
    });
  });
  afterAll(() => machine.close());

  it.skipIf(!existsSync("/usr/bin/systemd-analyze"))("systemd has nothing to say against them", async () => {
    expect(await sh(`systemd-analyze verify --man=no "$1"/*.service "$1"/*.socket 2>&1`, UNITS)).toBe("");
  });

  /**
   * The command line of the unit. Where a socket unit belongs to it, the socket is handed over as systemd does: as
   * descriptor 3 of the process that LISTEN_PID names.
   */
  function launched(unit: string): string {
    const command = valuesOf(unit, "ExecStart")[0] ?? "";
    const socket = join(UNITS, `${unit}.socket`);
    if (!existsSync(socket)) return command;
    const [, host, port] = /^ListenStream=([\d.]+):(\d+)$/m.exec(readFileSync(socket, "utf8")) ?? [];
    const activate = `
      const server = require("net").createServer().listen(${port}, "${host}", () =>
        require("child_process")
          .spawn("sh", ["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec ${process.execPath} ${CLI} ${command.split(" ").slice(1).join(" ")}"], {
            stdio: ["inherit", "inherit", "inherit", server._handle.fd],
          })
          .on("exit", (code) => process.exit(code))
          .on("spawn", function () { server.close(); process.on("SIGTERM", () => this.kill("SIGTERM")); }));`;
    return `${JSON.stringify(process.execPath)} -e '${activate}'`;
  }

  /** Starts what the unit starts, waits for `ready`, runs `meanwhile`, and stops it as systemd does. */
  async function run(unit: string, ready: string, meanwhile: string): Promise<string> {
    const environment = [...valuesOf(unit, "Environment"), "IMDS_GUARD_CERTIFICATES=eu-central-1=/run/key.pem"];
    return sh(`umask ${valuesOf(unit, "UMask")[0]}; export ${environment.join(" ")}
      ${launched(unit)} >/run/out 2>&1 & pid=$!
      for i in $(seq 200); do if ${ready}; then break; fi; sleep 0.1; done
      ${meanwhile}
      kill -TERM $pid; code=0; wait $pid || code=$?; echo "ended with $code"`);
  }

  it("the monitor writes events and serves metrics", async () => {
    const metrics = `${JSON.stringify(process.execPath)} -e 'fetch("http://127.0.0.1:9910/metrics").then((r) => r.text()).then((t) => console.log(t.includes("imds_guard_looks_total 1")))'`;
    const said = await run(
      "imds-guard-monitor",
      "grep -q watching /run/out",
      `${metrics}; stat -c %a /var/log/imds-guard/monitor.jsonl; head -1 /var/log/imds-guard/monitor.jsonl`,
    );
    const [served, mode, event = "", ended] = said.trim().split("\n");
    expect([served, mode, ended]).toEqual(["true", "600", "ended with 0"]);
    expect(JSON.parse(event)).toMatchObject({ ecs: { version: "9.4.0" }, event: { action: "monitor-local-address" } });
  });

  it("the daemon serves proved credentials to whoever may read the token", async () => {
    const ask = `${JSON.stringify(process.execPath)} -e 'fetch("http://127.0.0.1:9912/credentials", { headers: { Authorization: require("fs").readFileSync("/run/imds-guard/token", "utf8") } }).then((r) => r.json()).then((c) => console.log(c.AccessKeyId))'`;
    const said = await run("imds-guard-serve", "grep -q ready /run/out", `stat -c %a /run/imds-guard/token; ${ask}`);
    const [mode, key = "", ended] = said.trim().split("\n");
    expect([mode, accountOf(key), ended]).toEqual(["640", "111122223333", "ended with 0"]);
    expect(await sh("ls /run/imds-guard")).toBe("");
    expect(await sh("head -1 /var/log/imds-guard/serve.jsonl")).toContain('"code":"imds.attested"');
  });
});
