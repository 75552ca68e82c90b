/** `serve` with a listening socket that a service manager hands over, and what a program of `exec` leaves running. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo, Server } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CLI } from "./script.js";

let folder: string;
const closing: (() => void)[] = [];
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "imds-guard-serve-"))));
afterEach(() => {
  for (const close of closing.splice(0)) close();
  rmSync(folder, { recursive: true });
});

const ENV = {
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  HOME: "/nowhere",
  IMDS_GUARD_MODE: "deny",
  IMDS_GUARD_PROBE: "off",
  AWS_ACCESS_KEY_ID: "AKIAQEXAMPLEKEYIDXYZ",
  AWS_SECRET_ACCESS_KEY: "secret",
};

async function listening(host: string): Promise<{ server: Server; port: number; descriptor: number }> {
  const server = createServer();
  closing.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const descriptor = (server as unknown as { _handle: { fd: number } })._handle.fd;
  return { server, port: (server.address() as AddressInfo).port, descriptor };
}

interface Said {
  readonly out: string;
  readonly err: string;
  readonly code: number | null;
}

/** Runs the daemon as systemd would, until it says "ready" or ends. */
function serveWith(descriptor: number, ...args: string[]): Promise<Said> {
  return new Promise((resolve) => {
    const line = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"';
    const daemon = spawn(
      "sh",
      ["-c", line, "sh", process.execPath, CLI, "serve", "--token-file", join(folder, "token"), ...args],
      { env: ENV, stdio: ["ignore", "pipe", "pipe", descriptor] },
    );
    closing.push(() => daemon.kill());
    let [out, err] = ["", ""];
    daemon.stdout?.on("data", (chunk: Buffer) => {
      out += chunk.toString();
      if (out.includes("\n")) resolve({ out, err, code: null });
    });
    daemon.stderr?.on("data", (chunk: Buffer) => (err += chunk.toString()));
    daemon.on("close", (code) => resolve({ out, err, code }));
  });
}

describe.skipIf(process.platform === "win32")("serve", () => {
  test("takes the socket that it is handed", async () => {
    const { server, port, descriptor } = await listening("127.0.0.1");
    const { out } = await serveWith(descriptor);
    expect(out).toContain(`ready: http://127.0.0.1:${port}/credentials`);
    // Only the daemon accepts from now on.
    server.close();
    const Authorization = readFileSync(join(folder, "token"), "utf8");
    const answer = await fetch(`http://127.0.0.1:${port}/credentials`, { headers: { Authorization } });
    expect(await answer.json()).toMatchObject({ AccessKeyId: ENV.AWS_ACCESS_KEY_ID });
  });

  test("takes none that others than this host could reach", async () => {
    const { descriptor } = await listening("0.0.0.0");
    const { code, err } = await serveWith(descriptor);
    expect(err).toContain("the socket that was handed over listens on 0.0.0.0");
    expect(code).toBe(3);
  });

  test("takes a port or a socket, not both", async () => {
    const { descriptor } = await listening("127.0.0.1");
    const { code, err } = await serveWith(descriptor, "--port", "9999");
    expect(err).toContain("leave --port out");
    expect(code).toBe(2);
  });
});

describe.skipIf(process.platform === "win32")("exec", () => {
  test("leaves its port to nobody while something of the program runs", async () => {
    const left = join(folder, "left");
    const script = `echo "$AWS_CONTAINER_CREDENTIALS_FULL_URI" > "${left}"; sleep 300 >/dev/null 2>&1 & echo $! >> "${left}"`;
    const child = spawn(process.execPath, [CLI, "exec", "--serve-all", "--", "sh", "-c", script], {
      env: ENV,
      stdio: "ignore",
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(code).toBe(0);
    const [url = "", pid = ""] = readFileSync(left, "utf8").split("\n");
    closing.push(() => process.kill(Number(pid)));
    await expect(
      new Promise((resolve, reject) => {
        const stranger = createServer().on("error", reject);
        stranger.listen(Number(new URL(url).port), "127.0.0.1", () => stranger.close(resolve));
      }),
    ).rejects.toMatchObject({ code: "EADDRINUSE" });
    const answer = await fetch(url);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ code: "Ended" });
  });
});
