/** What a preload leaves for later: Node's own modules, and what tells of attempts. */
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Machine } from "./rig.js";
import { canUnshare, createMachine } from "../support/machine.mjs";
import { REGISTER } from "./firewall/worlds.js";

const able = canUnshare();
if (!able.ok) console.log(`e2e (preload): skipped, no namespaces can be made here: ${able.reason}`);

/** Other Node binaries may be named, separated by colons. */
const NODES = process.env["IMDS_GUARD_NODES"]?.split(":") ?? [process.execPath];
const PROGRAM = fileURLToPath(new URL("./firewall/first.cjs", import.meta.url));

interface Outcome {
  readonly before: readonly string[];
  readonly error?: { readonly code?: string; readonly cause?: string };
  readonly told: readonly { readonly code: string; readonly caller?: string }[];
}

describe.skipIf(!able.ok).each(NODES)("the preload in %s", (node) => {
  let machine: Machine;
  beforeAll(async () => {
    expect(existsSync(REGISTER), "build first").toBe(true);
    machine = await createMachine({ host: "laptop", network: "none" });
  });
  afterAll(() => machine?.close());

  async function run(
    args: readonly string[],
    { register = REGISTER, env = {} }: { readonly register?: string; readonly env?: Record<string, string> } = {},
  ): Promise<Outcome> {
    const { json, stderr } = await machine.run(PROGRAM, { node, execArgv: ["-r", register], args: [...args], env });
    if (json === undefined) throw new Error(stderr.slice(0, 2_000));
    return json as Outcome;
  }

  it.each<Record<string, string>>([{}, { IMDS_GUARD_FIREWALL: "block" }, { IMDS_GUARD_LOG: "off" }])(
    "loads none of Node's modules that make connections with %j",
    async (env) => {
      expect(await run(["nothing"], { env })).toEqual({ before: [], told: [] });
    },
  );

  it.each(["net", "socket made before", "tls", "http", "https", "dgram", "after others"])(
    "knows the caller of the first connection (%s)",
    async (way) => {
      const { before, error, told } = await run([way]);
      expect(before).toEqual([]);
      expect(error).toMatchObject({ code: "EACCES" });
      if (way !== "dgram") expect(error?.cause).toBe("ERR_IMDS_CONNECTION_BLOCKED");
      expect(told).toEqual([
        { code: "firewall.connection_blocked", caller: expect.stringMatching(/^Object\.theProgram \[as .*first\.cjs/) },
      ]);
    },
  );

  it("leaves servers, datagrams and children of the program as they are", async () => {
    expect(await run(["others"])).toEqual({ before: [], error: { code: "hello hello hello" }, told: [] });
  });

  it("is in every child, whatever its environment is", async () => {
    expect((await run(["children"])).error?.code).toBe("13 13 13 13");
  });

  describe("whose files are gone", () => {
    let copy: string;
    afterEach(() => rmSync(copy, { recursive: true, force: true }));
    const gone = async (when: string): Promise<Outcome> => {
      copy = mkdtempSync(join(tmpdir(), "imds-guard-preload-"));
      cpSync(dirname(REGISTER), copy, { recursive: true });
      return run(["gone", copy, when], { register: join(copy, "register.cjs") });
    };

    it("tells all the same, some time after the first socket", async () => {
      const { error, told } = await gone("late");
      expect(error).toEqual({ code: "EACCES", cause: "ERR_IMDS_CONNECTION_BLOCKED" });
      expect(told.map(({ code }) => code)).toEqual(["firewall.connection_blocked"]);
    });

    it("refuses all the same, at any time", async () => {
      expect(await gone("at once")).toMatchObject({ error: { code: "EACCES" }, told: [] });
    });
  });
});
