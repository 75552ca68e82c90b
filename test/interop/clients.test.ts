/**
 * Programs that know nothing of imds-guard, in other languages, through `exec`, `serve` and `credential-process`: whose
 * credentials they get.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accessKeyIdFor, accountOf } from "../support/access-keys.mjs";
import { createSigner } from "../support/identity-signer.mjs";
import { ATTACKER_ACCOUNT } from "../support/impersonator.mjs";
import { canUnshare, createMachine } from "../support/machine.mjs";
import type { Client } from "./clients/install.js";
import { attempt, installClients } from "./clients/install.js";

const CLI = process.env["RIG_CLI"] ?? fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const ACCOUNT = "111122223333";
const REGION = "eu-central-1";
const GENUINE = accessKeyIdFor(ACCOUNT, "genuine");
const WAYS = ["exec", "serve", "credential-process"] as const;
type Way = (typeof WAYS)[number];
type Machine = Awaited<ReturnType<typeof createMachine>>;

// Another folder may be named, which is then kept for the next time.
const kept = process.env["RIG_CLIENTS"];
const folder = kept ?? mkdtempSync(join(tmpdir(), "imds-guard-clients-"));
const able = canUnshare();
const missing = !able.ok
  ? `no machines can be made here: ${able.reason}`
  : existsSync(CLI)
    ? undefined
    : "dist/cli.js is not built";
const { clients, lasting } = missing === undefined ? installClients(folder) : { clients: [], lasting: [] };
if (missing !== undefined) console.log(`interop (clients): skipped, ${missing}`);

describe.skipIf(missing !== undefined || clients.length === 0)("programs in other languages", () => {
  const signer = createSigner();
  const genuine = {
    kind: "genuine",
    privateKeyPem: signer.privateKeyPem,
    identity: { account: ACCOUNT, region: REGION },
  } as const;
  const certificate = join(folder, `key-${process.pid}.pem`);
  const guarded = { IMDS_GUARD_CERTIFICATES: `${REGION}=${certificate}`, IMDS_GUARD_PROBE: "off" };
  beforeAll(() => writeFileSync(certificate, signer.publicKeyPem));
  afterAll(() => rmSync(kept === undefined ? folder : certificate, { recursive: true, force: true }));

  async function withMachine<T>(
    options: Parameters<typeof createMachine>[0],
    work: (machine: Machine) => Promise<T>,
  ): Promise<T> {
    const machine = await createMachine(options);
    try {
      return await work(machine);
    } finally {
      await machine.close();
    }
  }

  /** Runs a program as it is. */
  function run(
    machine: Machine,
    { command }: Pick<Client, "command">,
    env: Readonly<Record<string, string>> = {},
    more: readonly string[] = [],
  ) {
    const [program = "", ...args] = command;
    return machine.run(program, { node: "env", args: [...args, ...more], env, timeoutMs: 60_000 });
  }

  /** Runs a program by one of the three ways. A daemon and a profile are made for those that need them. */
  async function runBy(
    way: Way,
    machine: Machine,
    client: Client,
    env: Readonly<Record<string, string>> = {},
    more: readonly string[] = [],
  ) {
    if (way === "exec")
      return machine.run(CLI, {
        args: ["exec", "--", ...client.command, ...more],
        env: { ...guarded, ...env },
        timeoutMs: 60_000,
      });
    if (way === "credential-process") {
      await machine.command("sh", [
        "-ec",
        `mkdir -p "$HOME/.aws"; printf '[default]\\nregion = ${REGION}\\ncredential_process = %s\\n' "$1" > "$HOME/.aws/config"`,
        "sh",
        `"${process.execPath}" "${CLI}" credential-process`,
      ]);
      return run(machine, client, { ...guarded, ...env }, more);
    }
    await machine.command("sh", ["-ec", START_DAEMON, "sh", process.execPath, CLI, guarded.IMDS_GUARD_CERTIFICATES]);
    const home = (await machine.command("sh", ["-c", 'printf %s "$HOME"'])).trim();
    return run(
      machine,
      client,
      {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://127.0.0.1:9912/credentials",
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: `${home}/token`,
        AWS_REGION: REGION,
        ...env,
      },
      more,
    );
  }

  const keyOf = ({ keyIn }: Client, output: string): string | undefined => keyIn.exec(output)?.[1];
  const cases = clients.flatMap((client) => WAYS.map((way) => ({ client, way, name: client.name })));

  it.each(clients)("$name alone falls for an impersonator off EC2", async (client) => {
    await withMachine({ host: "laptop" }, async (machine) => {
      await machine.serve({ kind: "behaviour", name: "flawless" });
      const { stdout } = await run(machine, client);
      expect(accountOf(keyOf(client, stdout) as string)).toBe(ATTACKER_ACCOUNT);
    });
  });

  it.each(cases)("$name by $way: off EC2 an impersonator gets nobody", async ({ client, way }) => {
    await withMachine({ host: "laptop" }, async (machine) => {
      await machine.serve({ kind: "behaviour", name: "flawless" });
      const { stdout, stderr, exitCode } = await runBy(way, machine, client);
      expect({ key: keyOf(client, stdout), exitCode: exitCode === 0 }, stderr).toEqual({
        key: undefined,
        exitCode: false,
      });
      expect(await machine.seen()).toMatchObject({ connections: 0 });
    });
  });

  it.each(cases)("$name by $way: on EC2 an impersonator's credentials reach nobody", async ({ client, way }) => {
    await withMachine({ host: "ec2-nitro" }, async (machine) => {
      await machine.serve({ kind: "behaviour", name: "flawless" });
      const { stdout, exitCode } = await runBy(way, machine, client);
      expect({ key: keyOf(client, stdout), exitCode: exitCode === 0 }).toEqual({ key: undefined, exitCode: false });
    });
  });

  it.each(cases)("$name by $way: on EC2 it gets the credentials of the instance", async ({ client, way }) => {
    await withMachine({ host: "ec2-nitro" }, async (machine) => {
      await machine.serve(genuine);
      const { stdout, stderr } = await runBy(way, machine, client);
      expect(keyOf(client, stdout), stderr).toBe(GENUINE);
      expect(await machine.seen()).toMatchObject({ withoutToken: 0 });
    });
  });

  it.each(cases.filter(({ client }) => lasting.includes(client)))(
    "$name by $way: credentials that end are renewed while it runs",
    async ({ client, way }) => {
      await withMachine({ host: "ec2-nitro" }, async (machine) => {
        await machine.serve({ ...genuine, identity: { ...genuine.identity, expiresInMs: 4_000 } });
        const { stdout, stderr, exitCode } = await runBy(way, machine, client, {}, ["6", "2000"]);
        expect({ keys: stdout.match(new RegExp(client.keyIn, "g"))?.length, exitCode }, stderr).toEqual({
          keys: 6,
          exitCode: 0,
        });
        // Ten seconds on credentials of four: they were fetched again, and through the guard alone.
        const { byRequest, withoutToken } = await machine.seen();
        expect(byRequest["GET /latest/meta-data/iam/security-credentials/app-server"]).toBeGreaterThanOrEqual(3);
        expect(withoutToken).toBe(0);
      });
    },
  );

  it("Moto: an emulator on loopback is taken as it is", async ({ skip }) => {
    const venv = process.env["RIG_MOTO"] ?? join(folder, "moto");
    const server = join(venv, "bin", "moto_server");
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "moto[server]"];
    const failed = existsSync(server)
      ? undefined
      : (attempt("python3", ["-m", "venv", venv], folder) ?? attempt(join(venv, "bin", "python"), pip, folder));
    if (failed !== undefined) {
      console.log(`interop (clients): Moto cannot be installed here: ${failed}`);
      return skip();
    }
    await holdsEmulator([server, "-H", "127.0.0.1", "-p", "5017"], "test-key");
  });

  it("amazon-ec2-metadata-mock: an emulator on loopback is taken as it is", async ({ skip }) => {
    const { mock, failed } = metadataMock();
    if (failed !== undefined) return skip();
    await holdsEmulator([mock, "-n", "127.0.0.1", "-p", "5017"], "12345678901");
  });

  /** What listens at port 5017 gives a key that AWS never gave out: taken with the setting, and not without. */
  async function holdsEmulator(command: readonly string[], AccessKeyId: string): Promise<void> {
    await withMachine({ host: "laptop" }, async (machine) => {
      await machine.serve({ kind: "nobody" });
      await machine.command("sh", ["-ec", '"$@" > "$HOME/emulator" 2>&1 &', "sh", ...command]);
      const asked = ["-e", 'fetch("http://127.0.0.1:5017/latest/meta-data/").catch(() => process.exit(1))'];
      await expect.poll(() => machine.command(process.execPath, asked), { timeout: 60_000, interval: 500 }).toBe("");
      const run = (emulator: string) =>
        machine.run(CLI, {
          args: ["credential-process"],
          env: {
            ...guarded,
            AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://127.0.0.1:5017",
            IMDS_GUARD_EMULATOR: emulator,
          },
          timeoutMs: 60_000,
        });
      const { stdout, stderr } = await run("on");
      expect(JSON.parse(stdout), stderr).toMatchObject({ AccessKeyId });
      expect(stderr).toMatch(/imds\.emulator_allowed/);
      expect(await run("off")).toMatchObject({ stdout: "", exitCode: 1 });
    });
  }

  /** AWS's own mock of IMDS, or why it is not here. */
  function metadataMock(): { readonly mock: string; readonly failed: string | undefined } {
    const bin = join(folder, "bin");
    mkdirSync(bin, { recursive: true });
    const mock = join(bin, "ec2-metadata-mock");
    const source = "github.com/aws/amazon-ec2-metadata-mock/cmd/ec2-metadata-mock@latest";
    const failed = existsSync(mock) ? undefined : attempt("env", [`GOBIN=${bin}`, "go", "install", source], folder);
    if (failed !== undefined)
      console.log(`interop (clients): amazon-ec2-metadata-mock cannot be installed here: ${failed}`);
    return { mock, failed };
  }

  it("amazon-ec2-metadata-mock: its credentials are served, by IMDSv2 only", async ({ skip }) => {
    const { mock, failed } = metadataMock();
    if (failed !== undefined) return skip();
    await withMachine({ host: "ec2-nitro" }, async (machine) => {
      await machine.serve({ kind: "nobody" });
      // The access key of its defaults is none that AWS ever gave out.
      const values = {
        "iam-security-credentials": {
          Code: "Success",
          LastUpdated: "2026-01-01T00:00:00Z",
          Type: "AWS-HMAC",
          AccessKeyId: GENUINE,
          SecretAccessKey: "secret",
          Token: "token",
          Expiration: new Date(Date.now() + 3_600_000).toISOString(),
        },
      };
      const config = join(folder, `mock-${process.pid}.json`);
      writeFileSync(
        config,
        JSON.stringify({ server: { hostname: "169.254.169.254", port: "80" }, imdsv2: true, metadata: { values } }),
      );
      await machine.command("sh", ["-ec", '"$1" -c "$2" > "$HOME/mock" 2>&1 & sleep 2', "sh", mock, config]);
      const [client] = clients as [Client];
      // It signs nothing: what is left of the proof are account and wire format.
      const { stdout, stderr } = await runBy("exec", machine, client, {
        IMDS_GUARD_ATTESTATION: "off",
        IMDS_GUARD_EXPECTED_ACCOUNTS: ACCOUNT,
      });
      expect(keyOf(client, stdout), stderr).toBe(GENUINE);
    });
  });
});

/** Starts the daemon in the background; its token file exists once it is ready. */
const START_DAEMON = `
IMDS_GUARD_PROBE=off IMDS_GUARD_CERTIFICATES="$3" "$1" "$2" serve --json --port 9912 --token-file "$HOME/token" > "$HOME/ready" 2> "$HOME/daemon-errors" &
for n in $(seq 200); do grep -q '"ready"' "$HOME/ready" && exit 0; sleep 0.05; done
cat "$HOME/daemon-errors"; exit 1`;

/** Held against the daemon alone, as a service manager sees it. */
describe.skipIf(missing !== undefined)("serve as a daemon", () => {
  it("writes its token for its user alone, says when it is ready, and leaves nothing behind", async () => {
    const machine = await createMachine({ host: "laptop" });
    try {
      const script = `
        "$1" "$2" serve --json --token-file "$HOME/token" > "$HOME/ready" & pid=$!
        until grep -q ready "$HOME/ready"; do sleep 0.05; done
        cat "$HOME/ready"; stat -c %a "$HOME/token"; wc -c < "$HOME/token"
        "$1" "$2" serve --token-file "$HOME/token" > "$HOME/second" 2>&1; echo "second $?"; cat "$HOME/second"
        kill -TERM $pid; wait $pid; echo "ended $?"; ls "$HOME"`;
      const said = await machine.command("sh", ["-c", script, "sh", process.execPath, CLI]);
      const [ready = "", ...rest] = said.trim().split("\n");
      expect(JSON.parse(ready)).toMatchObject({
        event: "ready",
        url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/credentials$/) as string,
        tokenFile: expect.stringMatching(/\/token$/) as string,
      });
      expect(rest).toEqual([
        "600",
        "43",
        "second 3",
        expect.stringMatching(/token is there already/) as string,
        "ended 0",
        "ready",
        "second",
      ]);
    } finally {
      await machine.close();
    }
  });

  it("exec ends with its program, and passes signals on", async () => {
    const machine = await createMachine({ host: "laptop" });
    try {
      const script = `
        "$1" "$2" exec -- sh -c 'trap "echo heard; exit 9" TERM; echo started; while :; do sleep 0.1; done' > "$HOME/out" & pid=$!
        until grep -q started "$HOME/out"; do sleep 0.05; done
        kill -TERM $pid; wait $pid; echo "ended $?"; cat "$HOME/out"`;
      expect((await machine.command("sh", ["-c", script, "sh", process.execPath, CLI])).trim().split("\n")).toEqual([
        "ended 9",
        "started",
        "heard",
      ]);
    } finally {
      await machine.close();
    }
  });
});
