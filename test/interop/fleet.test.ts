/**
 * `imds-guard fleet` against moto, which is somebody else's EC2, CloudWatch, IAM and STS; its bundle before cfn-lint and
 * tflint; and Prowler's own check beside it, where RIG_PROWLER names one.
 */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { AutoScalingClient, CreateAutoScalingGroupCommand } from "@aws-sdk/client-auto-scaling";
import { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import {
  CreateLaunchTemplateCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeLaunchTemplateVersionsCommand,
  EC2Client,
  ModifyInstanceMetadataOptionsCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import type { InstanceMetadataOptionsRequest } from "@aws-sdk/client-ec2";
import {
  AddRoleToInstanceProfileCommand,
  CreateInstanceProfileCommand,
  CreateRoleCommand,
  IAMClient,
} from "@aws-sdk/client-iam";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startMotoStandIn } from "./moto-stand-in.mjs";
import { freePort } from "../support/free-port.js";

const CLI = process.env["RIG_CLI"] ?? fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const OWN = "123456789012";
const OTHER = "111122223333";
const HOUR = 3_600_000;

// Another folder may be named, which is then kept for the next time.
const kept = process.env["RIG_MOTO"];
const venv = kept ?? mkdtempSync(join(tmpdir(), "imds-guard-moto-"));
const work = mkdtempSync(join(tmpdir(), "imds-guard-fleet-moto-"));
const prowler = process.env["RIG_PROWLER"];

/** Why there is no moto. */
function install(): string | undefined {
  if (existsSync(join(venv, "bin", "moto_server"))) return undefined;
  const made = spawnSync("python3", ["-m", "venv", venv], { timeout: 120_000 });
  if (made.status !== 0) return "python3 with venv";
  const packages = ["moto[server,ec2,cloudwatch,sts,iam,autoscaling]", "cfn-lint"];
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", ...packages];
  const installed = spawnSync(join(venv, "bin", "python"), pip, { timeout: 500_000 });
  return installed.status === 0 ? undefined : "PyPI";
}

const missing = install();
if (missing !== undefined)
  process.stdout.write(`skipped: ${missing} is not here, so the fleet is not held against moto\n`);
if (prowler === undefined) process.stdout.write("skipped: RIG_PROWLER names no prowler, so its check is not run\n");
const tflint = ["tflint", process.env["RIG_TFLINT"] ?? ""].find(
  (program) => program !== "" && spawnSync(program, ["--version"]).status === 0,
);
if (tflint === undefined)
  process.stdout.write(
    "skipped: tflint is neither on PATH nor RIG_TFLINT, so the Terraform of fleet keep is not linted\n",
  );

const CREDENTIALS = { accessKeyId: "testing", secretAccessKey: "testing" };

interface Ran {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

describe.skipIf(missing !== undefined)("imds-guard fleet against moto", () => {
  let moto: ChildProcess;
  let standIn: Awaited<ReturnType<typeof startMotoStandIn>>;
  let env: NodeJS.ProcessEnv;
  const ids = new Map<string, string>();
  let templateId = "";

  const clientConfig = (region: string): { region: string; endpoint: string; credentials: typeof CREDENTIALS } => ({
    region,
    endpoint: standIn.url,
    credentials: CREDENTIALS,
  });

  async function fleet(...words: string[]): Promise<Ran> {
    const child = spawn(process.execPath, [CLI, "fleet", ...words], { env, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
    const exitCode = await new Promise<number | null>((resolve) => child.on("close", resolve));
    return { exitCode, stdout, stderr };
  }

  async function seed(config: ReturnType<typeof clientConfig>, prefix: string): Promise<void> {
    const ec2 = new EC2Client(config);
    const cloudwatch = new CloudWatchClient(config);
    const { Images } = await ec2.send(new DescribeImagesCommand({ Owners: ["amazon"] }));
    const ImageId = Images?.[0]?.ImageId;
    const run = async (name: string, MetadataOptions: InstanceMetadataOptionsRequest, tags = {}): Promise<string> => {
      const Tags = Object.entries({ Name: name, ...tags }).map(([Key, Value]) => ({ Key, Value }));
      const { Instances } = await ec2.send(
        new RunInstancesCommand({
          ImageId,
          MinCount: 1,
          MaxCount: 1,
          MetadataOptions,
          TagSpecifications: [{ ResourceType: "instance", Tags }],
        }),
      );
      const id = Instances?.[0]?.InstanceId ?? "";
      ids.set(`${prefix}${name}`, id);
      return id;
    };
    const count = (id: string, value: number, hoursAgo: number, name = "MetadataNoToken"): Promise<unknown> =>
      cloudwatch.send(
        new PutMetricDataCommand({
          Namespace: "AWS/EC2",
          MetricData: [
            {
              MetricName: name,
              Dimensions: [{ Name: "InstanceId", Value: id }],
              Timestamp: new Date(Date.now() - hoursAgo * HOUR),
              Value: value,
            },
          ],
        }),
      );
    await run("fine", { HttpTokens: "required" });
    await run("fine-tagged", { HttpTokens: "required" }, { IMDS: "v1" });
    const excepted = await run("excepted", { HttpTokens: "optional" }, { IMDS: "v1" });
    await count(excepted, 4, 3);
    await run("unknown", { HttpTokens: "optional" });
    const used = await run("used", { HttpTokens: "optional", HttpPutResponseHopLimit: 2 });
    await count(used, 3, 30);
    await count(used, 4, 60);
    await count(used, 0, 2);
    const safe = await run("safe", {
      HttpTokens: "optional",
      HttpPutResponseHopLimit: 2,
      InstanceMetadataTags: "enabled",
    });
    await count(safe, 0, 2);
    await count(safe, 9, 24 * 20);
    const old = await run("old-calls-alone", { HttpTokens: "optional" });
    await count(old, 9, 24 * 20);
    await run("off", { HttpEndpoint: "disabled", HttpTokens: "optional" });
    const gone = await run("gone", { HttpTokens: "optional" });
    ids.delete(`${prefix}gone`);
    await ec2.send(new TerminateInstancesCommand({ InstanceIds: [gone] }));
  }

  beforeAll(async () => {
    const port = await freePort();
    moto = spawn(join(venv, "bin", "moto_server"), ["-H", "127.0.0.1", "-p", String(port)], { stdio: "ignore" });
    await answers(`http://127.0.0.1:${port}/moto-api/`);
    standIn = await startMotoStandIn(port, ({ action, region }) =>
      region === "eu-north-1" && action === "DescribeInstances" ? "UnauthorizedOperation" : undefined,
    );
    env = {
      PATH: process.env["PATH"],
      AWS_ENDPOINT_URL: standIn.url,
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_REGION: "eu-central-1",
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      AWS_MAX_ATTEMPTS: "2",
      IMDS_GUARD_PROBE: "off",
    };
    await seed(clientConfig("eu-central-1"), "");
    const sts = new STSClient(clientConfig("us-east-1"));
    const RoleArn = `arn:aws:iam::${OTHER}:role/audit`;
    const { Credentials: taken } = await sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: "seed" }));
    const credentials = {
      accessKeyId: taken?.AccessKeyId ?? "",
      secretAccessKey: taken?.SecretAccessKey ?? "",
      sessionToken: taken?.SessionToken,
    };
    await seed({ ...clientConfig("eu-west-1"), credentials }, "other ");
    const ec2 = new EC2Client(clientConfig("eu-central-1"));
    const { LaunchTemplate } = await ec2.send(
      new CreateLaunchTemplateCommand({
        LaunchTemplateName: "web",
        LaunchTemplateData: {
          ImageId: "ami-12c6146b",
          InstanceType: "t3.micro",
          UserData: Buffer.from("#!/bin/sh\necho hello\n").toString("base64"),
          MetadataOptions: { HttpTokens: "optional", HttpPutResponseHopLimit: 2 },
        },
      }),
    );
    templateId = LaunchTemplate?.LaunchTemplateId ?? "";
    await new AutoScalingClient(clientConfig("eu-central-1")).send(
      new CreateAutoScalingGroupCommand({
        AutoScalingGroupName: "web",
        MinSize: 0,
        MaxSize: 0,
        AvailabilityZones: ["eu-central-1a"],
        LaunchTemplate: { LaunchTemplateId: templateId, Version: "$Latest" },
      }),
    );
    const iam = new IAMClient(clientConfig("us-east-1"));
    const trust = {
      Statement: { Effect: "Allow", Principal: { Service: "ec2.amazonaws.com" }, Action: "sts:AssumeRole" },
    };
    await iam.send(new CreateRoleCommand({ RoleName: "app", AssumeRolePolicyDocument: JSON.stringify(trust) }));
    await iam.send(new CreateInstanceProfileCommand({ InstanceProfileName: "app" }));
    await iam.send(new AddRoleToInstanceProfileCommand({ InstanceProfileName: "app", RoleName: "app" }));
  });
  afterAll(async () => {
    moto.kill();
    await standIn.close();
    rmSync(work, { recursive: true, force: true });
    if (kept === undefined) rmSync(venv, { recursive: true, force: true });
  });

  const BOTH = ["--regions", "eu-central-1,eu-west-1", "--accounts", `${OWN},${OTHER}`, "--role", "audit"];
  type Instances = readonly { instanceId: string; verdict: string; calls?: number; last?: string }[];

  function verdicts(stdout: string): Record<string, string> {
    const { instances } = JSON.parse(stdout) as { instances: Instances };
    const names = new Map([...ids].map(([name, id]) => [id, name]));
    return Object.fromEntries(
      instances.map(({ instanceId, verdict }) => [names.get(instanceId) ?? instanceId, verdict]),
    );
  }

  it("gives each instance of two accounts its verdict", async () => {
    const { stdout, exitCode } = await fleet("audit", "--json", ...BOTH);
    const expected = {
      fine: "fine",
      "fine-tagged": "fine",
      excepted: "excepted",
      unknown: "unknown",
      used: "used",
      safe: "safe",
      "old-calls-alone": "unknown",
      off: "fine",
    };
    expect(verdicts(stdout)).toEqual({
      ...expected,
      ...Object.fromEntries(Object.entries(expected).map(([name, verdict]) => [`other ${name}`, verdict])),
    });
    const { instances, roles } = JSON.parse(stdout) as { instances: Instances; roles: unknown };
    const used = instances.find(({ instanceId }) => instanceId === ids.get("used"));
    expect(used?.calls).toBe(7);
    expect(Math.abs(Date.now() - 30 * HOUR - Date.parse(used?.last ?? ""))).toBeLessThanOrEqual(HOUR);
    expect(roles).toEqual([expect.objectContaining({ name: "app", roleDelivery: false })]);
    expect(exitCode).toBe(1);
  });

  it("says which region was denied, and looks at the others", async () => {
    const { stdout, stderr, exitCode } = await fleet(
      "audit",
      "--json",
      "--regions",
      "eu-north-1",
      "--regions",
      "eu-west-1",
    );
    expect((JSON.parse(stdout) as { gaps: unknown }).gaps).toEqual([
      expect.objectContaining({ region: "eu-north-1", action: "ec2:DescribeInstances", reason: "denied" }),
    ]);
    expect(stderr).toContain("denied: ec2:DescribeInstances");
    // Their account defaults do not require tokens.
    expect(exitCode).toBe(1);
  });

  it.skipIf(prowler === undefined)("finds the instances that Prowler's check finds", async () => {
    const output = join(work, "prowler");
    const check = [
      "aws",
      "-c",
      "ec2_instance_imdsv2_enabled",
      "-f",
      "eu-central-1",
      "-M",
      "json-ocsf",
      "-o",
      output,
      "--no-banner",
    ];
    const child = spawn(prowler as string, check, {
      env: { ...env, AWS_DEFAULT_REGION: "eu-central-1" },
      stdio: "ignore",
    });
    await new Promise((resolve) => child.on("close", resolve));
    const report = readdirSync(output).find((name) => name.endsWith(".ocsf.json")) ?? "";
    const rows = JSON.parse(readFileSync(join(output, report), "utf8")) as {
      status_code: string;
      resources: { uid: string }[];
    }[];
    const failed = rows
      .filter(({ status_code }) => status_code === "FAIL")
      .map(({ resources }) => resources[0]?.uid.split("/")[1]);
    const { stdout } = await fleet("audit", "--json", "--regions", "eu-central-1");
    const { instances } = JSON.parse(stdout) as { instances: Instances };
    const open = instances.filter(({ verdict }) => verdict !== "fine").map(({ instanceId }) => instanceId);
    expect(failed.sort()).toEqual(open.sort());
    expect(open.length).toBeGreaterThan(2);
  });

  it("plans, applies and undoes what is safe, and refuses a plan that is older than the state", async () => {
    const ec2 = new EC2Client(clientConfig("eu-central-1"));
    const optionsOf = async (name: string): Promise<unknown> => {
      const found = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [ids.get(name) ?? ""] }));
      return found.Reservations?.[0]?.Instances?.[0]?.MetadataOptions;
    };
    const versionsOf = async (): Promise<{ number?: number; standard?: boolean; data: object }[]> => {
      const input = { LaunchTemplateId: templateId };
      const { LaunchTemplateVersions = [] } = await ec2.send(new DescribeLaunchTemplateVersionsCommand(input));
      return LaunchTemplateVersions.map(({ VersionNumber, DefaultVersion, LaunchTemplateData = {} }) => ({
        number: VersionNumber,
        standard: DefaultVersion,
        data: LaunchTemplateData,
      }));
    };
    const plan = join(work, "plan.json");
    expect((await fleet("plan", "--out", plan, ...BOTH)).exitCode).toBe(0);
    const before = await Promise.all([...ids.keys()].filter((name) => !name.startsWith("other")).map(optionsOf));
    const [first] = await versionsOf();
    const unasked = await fleet("apply", plan);
    expect(unasked.exitCode).toBe(2);
    expect(unasked.stderr).toContain("nothing was changed");
    expect((await fleet("apply", plan, "--yes", "--rate", "20")).exitCode).toBe(0);
    const after = verdicts((await fleet("audit", "--json", ...BOTH)).stdout);
    expect(after).toMatchObject({
      safe: "fine",
      "other safe": "fine",
      used: "used",
      excepted: "excepted",
      unknown: "unknown",
    });
    expect(await optionsOf("safe")).toMatchObject({
      HttpTokens: "required",
      HttpPutResponseHopLimit: 2,
      HttpEndpoint: "enabled",
      InstanceMetadataTags: "enabled",
    });
    const made = (await versionsOf()).find(({ standard }) => standard === true);
    expect(made).toEqual({
      number: 2,
      standard: true,
      data: { ...first?.data, MetadataOptions: { HttpTokens: "required", HttpPutResponseHopLimit: 2 } },
    });
    expect(standIn.defaults.get("eu-central-1")?.get("HttpTokens")).toBe("required");
    expect((await fleet("undo", join(work, "plan.undo.json"), "--yes", "--rate", "20")).exitCode).toBe(0);
    expect(await Promise.all([...ids.keys()].filter((name) => !name.startsWith("other")).map(optionsOf))).toEqual(
      before,
    );
    expect((await versionsOf()).find(({ standard }) => standard === true)).toEqual(first);
    expect(standIn.defaults.get("eu-central-1")?.has("HttpTokens")).toBe(false);
    await ec2.send(
      new ModifyInstanceMetadataOptionsCommand({
        InstanceId: ids.get("safe"),
        HttpTokens: "optional",
        HttpPutResponseHopLimit: 5,
        HttpEndpoint: "enabled",
        HttpProtocolIpv6: "disabled",
        InstanceMetadataTags: "enabled",
      }),
    );
    const stale = await fleet("apply", plan, "--yes");
    expect(stale.stderr).toContain("the plan is older than the state: nothing was changed");
    expect(stale.exitCode).toBe(3);
    expect(await optionsOf("safe")).toMatchObject({ HttpTokens: "optional", HttpPutResponseHopLimit: 5 });
  });

  it("writes a bundle to which cfn-lint and tflint have nothing to say", async () => {
    const out = join(work, "keep");
    expect((await fleet("keep", "--out", out)).exitCode).toBe(0);
    const linted = spawnSync(join(venv, "bin", "cfn-lint"), [join(out, "cloudformation.yaml")], { encoding: "utf8" });
    expect(linted.stdout).toBe("");
    expect(linted.status).toBe(0);
    if (tflint === undefined) return;
    const terraform = spawnSync(tflint, [`--chdir=${out}`], { encoding: "utf8" });
    expect(`${terraform.stdout}${terraform.stderr}`).toBe("");
    expect(terraform.status).toBe(0);
  });
});

async function answers(url: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const found = await fetch(url).catch(() => undefined);
    await found?.arrayBuffer();
    if (found?.ok === true) return;
    await sleep(200);
  }
  throw new Error("moto does not answer");
}
