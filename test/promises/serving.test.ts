/** What SECURITY.md promises of `exec` and `serve`, and attempts to break it with the built command. */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const CLI = join(resolve(import.meta.dirname, "../.."), "dist/cli.js");
/** Keys of its own and no way to IMDS: nothing is asked here. */
const ENV = {
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  HOME: "/nowhere",
  IMDS_GUARD_MODE: "deny",
  IMDS_GUARD_PROBE: "off",
  AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE",
  AWS_SECRET_ACCESS_KEY: "exampleSecretOfTheDocumentation",
};

let folder = "";
let closing: (() => void)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "imds-guard-serving-"));
});
afterEach(() => {
  for (const close of closing) close();
  closing = [];
  rmSync(folder, { recursive: true, force: true });
});

async function serve(...options: string[]): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, [CLI, "serve", "--json", ...options], {
    env: ENV,
    stdio: ["ignore", "pipe", "ignore"],
  });
  closing.push(() => child.kill("SIGKILL"));
  const [line] = (await once(child.stdout!, "data")) as [Buffer];
  return { child, port: Number(new URL((JSON.parse(line.toString()) as { url: string }).url).port) };
}

describe.skipIf(process.platform === "win32")("P40: nobody gets credentials of serve without its token", () => {
  test("which its user alone can read, or its group where that is asked for", async () => {
    const token = join(folder, "token");
    await serve("--token-file", token);
    expect(statSync(token).mode & 0o777).toBe(0o600);
    const shared = join(folder, "shared");
    await serve("--token-file", shared, "--token-mode", "0640");
    expect(statSync(shared).mode & 0o777).toBe(0o640);
  });

  test("not with another one, nor by another path or method", async () => {
    const file = join(folder, "token");
    const { port } = await serve("--token-file", file);
    const Authorization = readFileSync(file, "utf8");
    const url = `http://127.0.0.1:${port}/credentials`;
    expect((await fetch(url, { headers: { Authorization } })).status).toBe(200);
    const refused = await Promise.all([
      fetch(url),
      fetch(url, { headers: { Authorization: `${Authorization.slice(0, -1)}x` } }),
      fetch(url, { headers: { Authorization: "" } }),
      fetch(`${url}/`, { headers: { Authorization } }),
      fetch(url, { method: "POST", headers: { Authorization } }),
    ]);
    for (const answer of refused) {
      expect(answer.status).not.toBe(200);
      expect(await answer.text()).not.toContain(ENV.AWS_SECRET_ACCESS_KEY);
    }
  });
});

describe.skipIf(process.platform === "win32")(
  "P41: nobody takes over the port of exec while its program is there",
  () => {
    test("nor when exec was killed", async () => {
      const said = join(folder, "said");
      const script = `echo "$AWS_CONTAINER_CREDENTIALS_FULL_URI" > "${said}"; echo $$ >> "${said}"; echo up; exec sleep 60`;
      const child = spawn(process.execPath, [CLI, "exec", "--serve-all", "--", "sh", "-c", script], {
        env: ENV,
        stdio: ["ignore", "pipe", "ignore"],
      });
      await once(child.stdout, "data");
      const [url = "", pid = ""] = readFileSync(said, "utf8").split("\n");
      closing.push(() => process.kill(Number(pid)));
      child.kill("SIGKILL");
      await once(child, "exit");
      const stranger = createServer();
      const [error] = await Promise.race([
        once(stranger.listen(Number(new URL(url).port), "127.0.0.1"), "listening").then(() => [undefined]),
        once(stranger, "error"),
      ]);
      stranger.close();
      expect(error).toMatchObject({ code: "EADDRINUSE" });
    });
  },
);
