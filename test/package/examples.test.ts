/** Every example is type-checked and run as a program of its own, against stand-ins on loopback. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { GuardEvent } from "../../src/index.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import type { ImdsServer } from "../support/imds-server.mjs";
import { startImdsServer } from "../support/imds-server.mjs";
import type { AwsStandIn } from "./aws-stand-in.js";
import { startAwsStandIn } from "./aws-stand-in.js";
import { start } from "./program.js";

const ROOT = resolve(import.meta.dirname, "../..");
const EXAMPLES = join(ROOT, "examples");
const HYBRID = join(EXAMPLES, "hybrid-service");
const OURS = "111122223333";
const STRANGER = "999988887777";

let aws: AwsStandIn;
let imds: ImdsServer;
beforeEach(async () => {
  [aws, imds] = await Promise.all([startAwsStandIn(), startImdsServer({ account: OURS, roleName: "hybrid-service" })]);
});
afterEach(async () => {
  await Promise.all([aws.close(), imds.close()]);
});

const settings = (more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  AWS_REGION: "eu-central-1",
  AWS_ENDPOINT_URL_S3: aws.url,
  AWS_ENDPOINT_URL_STS: aws.url,
  AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.url,
  ...more,
});

it("type-checks", async () => {
  await promisify(execFile)(process.execPath, [
    join(ROOT, "node_modules/typescript/bin/tsc"),
    "-p",
    join(EXAMPLES, "tsconfig.json"),
  ]);
});

describe("drop-in-s3", () => {
  const run = (env: Record<string, string>) => start(["drop-in-s3.mjs"], EXAMPLES, env).ended;

  it("lists buckets with the role of the instance", async () => {
    const { status, stdout } = await run(settings());
    expect({ status, stdout }).toEqual({ status: 0, stdout: `data-of-${OURS}\n` });
    expect(aws.keys).toEqual([imds.identity.accessKeyId]);
    expect(imds.counters.withoutToken).toBe(0);
  });

  it("explains why it got no credentials, and signs nothing", async () => {
    const { status, stderr } = await run(settings({ IMDS_GUARD_MODE: "deny" }));
    expect(status).toBe(1);
    expect(stderr).toContain("ERR_IMDS_DISABLED: ");
    expect(stderr).toContain("what to do: ");
    expect(aws.keys).toEqual([]);
    expect(imds.counters.total).toBe(0);
  });
});

describe("hybrid-service", () => {
  const run = (profile: string, env: Record<string, string> = {}) => {
    const { AWS_REGION: _, ...rest } = settings(env);
    return start(["service.mjs"], HYBRID, { ...rest, AWS_CONFIG_FILE: "config", AWS_PROFILE: profile }).ended;
  };
  const keysOf = (account: string): Record<string, string> => {
    const file = join(mkdtempSync(join(tmpdir(), "imds-guard-keys-")), "credentials.json");
    const expiration = new Date(Date.now() + 3_600_000).toISOString();
    writeFileSync(
      file,
      JSON.stringify({
        accessKeyId: accessKeyIdFor(account),
        secretAccessKey: "secret",
        sessionToken: "token",
        expiration,
      }),
    );
    return { CREDENTIALS_FILE: file };
  };

  it("runs on premises with the keys of its process, and asks no IMDS", async () => {
    const { status, stdout } = await run("on-premises", keysOf(OURS));
    expect(status).toBe(0);
    expect(stdout).toContain(`of account ${OURS}`);
    expect(aws.keys).toEqual([accessKeyIdFor(OURS)]);
    expect(imds.counters.total).toBe(0);
  });

  it("says that it may be tried again when the process gives nothing and IMDS is denied", async () => {
    const { status, stderr } = await run("on-premises", { CREDENTIALS_FILE: "/nonexistent" });
    expect(status).toBe(75);
    expect(stderr).toContain("[ERR_IMDS_DISABLED]");
    expect(imds.counters.total).toBe(0);
  });

  it("refuses keys of a stranger's account from its process", async () => {
    const { status, stderr } = await run("on-premises", keysOf(STRANGER));
    expect(status).toBe(77);
    expect(stderr).toContain("[ERR_IMDS_ACCOUNT_UNEXPECTED]");
    expect(stderr).toContain(STRANGER);
    expect(aws.keys).toEqual([]);
  });

  it("runs on EC2 with its role", async () => {
    const { status } = await run("on-ec2");
    expect(status).toBe(0);
    expect(aws.keys).toEqual([imds.identity.accessKeyId]);
  });

  it("refuses another role on EC2", async () => {
    imds.set({ roleName: "somebody-else" });
    const { status, stderr } = await run("on-ec2");
    expect(status).toBe(77);
    expect(stderr).toContain("[ERR_IMDS_ROLE_UNEXPECTED]");
    expect(aws.keys).toEqual([]);
  });

  it("tells a wrong setting apart", async () => {
    const { status, stderr } = await run("on-ec2", { IMDS_GUARD_MODE: "alow" });
    expect(status).toBe(78);
    expect(stderr).toContain("allowed: ec2-only, allow, deny");
  });
});

describe("ssm-style-agent", () => {
  const agent = () => {
    const events = join(mkdtempSync(join(tmpdir(), "imds-guard-events-")), "events.jsonl");
    const program = start(
      ["ssm-style-agent.mjs"],
      EXAMPLES,
      settings({ AGENT_ACCOUNT: OURS, AGENT_EVENTS: events, AGENT_INTERVAL_MS: "100" }),
    );
    const written = () =>
      readFileSync(events, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => (JSON.parse(line) as GuardEvent).code);
    return { program, written };
  };

  it("beats, renews its credentials and ends in order on SIGTERM", async () => {
    imds.set({ expiresInMs: 4_000 });
    const { program, written } = agent();
    const renewed = async () => {
      while ((imds.counters.byRequest["GET /latest/meta-data/iam/security-credentials/hybrid-service"] ?? 0) < 2) {
        await Promise.race([
          new Promise((resolve) => setTimeout(resolve, 50)),
          program.ended.then((result) => Promise.reject(new Error(JSON.stringify(result)))),
        ]);
      }
    };
    await program.printed("heartbeat as ");
    await renewed();
    program.terminate();
    const { status, stdout, stderr } = await program.ended;
    expect(status).toBe(0);
    expect(stderr).not.toContain("no heartbeat");
    expect(stdout).toContain("event notice imds.endpoint_override_accepted: ");
    expect(stdout).toContain("stopped\n");
    expect(written()).toContain("imds.endpoint_override_accepted");
    expect(written().filter((code) => code === "imds.credentials_obtained").length).toBeGreaterThan(1);
    expect(new Set(aws.keys)).toEqual(new Set([imds.identity.accessKeyId]));
  });

  it("gives up when the keys are of a stranger's account, and has signed nothing", async () => {
    imds.set({ account: STRANGER, accessKeyId: accessKeyIdFor(STRANGER) });
    const { program, written } = agent();
    const { status, stderr } = await program.ended;
    expect(status).toBe(1);
    expect(stderr).toContain("[ERR_IMDS_ACCOUNT_UNEXPECTED]");
    expect(written()).toContain("credentials.account_unexpected");
    expect(aws.keys).toEqual([]);
  });

  it("goes on through an outage", async () => {
    imds.set({ httpEndpoint: "disabled" });
    const { program, written } = agent();
    await program.printed("event warning imds.forbidden");
    imds.set({ httpEndpoint: "enabled" });
    await program.printed("heartbeat as ");
    program.terminate();
    expect((await program.ended).status).toBe(0);
    expect(written()).toContain("imds.forbidden");
  });
});
