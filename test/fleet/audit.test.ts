import { gzipSync } from "node:zlib";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Fleet, StandInRegion } from "./run-fleet.js";
import { openFleet } from "./run-fleet.js";

const OWN = "123456789012";
const OTHER = "111122223333";
const OPTIONAL = { HttpTokens: "optional", HttpEndpoint: "enabled", HttpPutResponseHopLimit: 1 };
const REQUIRED = { ...OPTIONAL, HttpTokens: "required" };

let fleet: Fleet | undefined;
afterEach(async () => {
  await fleet?.close();
  fleet = undefined;
});

function id(number: number): string {
  return `i-${number.toString(16).padStart(17, "0")}`;
}

function add(region: StandInRegion, number: number, rest: Partial<StandInRegion["instances"][number]>): void {
  region.instances.push({ id: id(number), options: { ...OPTIONAL }, ...rest });
}

describe("fleet audit", () => {
  it("gives each instance the verdict that comes first", async () => {
    fleet = await openFleet({ pageSize: 2 });
    const region = fleet.region(OWN, "eu-central-1");
    add(region, 1, { options: REQUIRED, points: [[5, 3]] });
    add(region, 2, { options: REQUIRED, tags: { IMDS: "v1" } });
    add(region, 3, { tags: { IMDS: "v1" }, points: [[5, 3]] });
    add(region, 4, { tags: { IMDS: "v2" }, points: [[5, 0]] });
    add(region, 5, {});
    add(region, 6, {
      points: [
        [5, 3],
        [80, 4],
        [3, 0],
      ],
    });
    add(region, 7, { points: [[24 * 15, 9]] });
    add(region, 8, {
      points: [
        [24 * 15, 9],
        [2, 0],
      ],
    });
    add(region, 9, { state: "terminated", points: [[2, 4]] });
    add(region, 10, { options: { ...OPTIONAL, HttpEndpoint: "disabled" } });
    add(region, 11, { options: { HttpTokens: "preferred" }, points: [[2, 0]] });
    add(region, 12, { options: {}, points: [[2, 0]] });
    const { json, exitCode } = await fleet.run("audit", "--json");
    const verdicts = Object.fromEntries(
      (json.instances ?? []).map((each) => [Number(`0x${String(each["instanceId"]).slice(2)}`), each["verdict"]]),
    );
    expect(verdicts).toEqual({
      1: "fine",
      2: "fine",
      3: "excepted",
      4: "safe",
      5: "unknown",
      6: "used",
      7: "unknown",
      8: "safe",
      10: "fine",
      11: "unknown",
      12: "safe",
    });
    const used = json.instances?.find(({ verdict }) => verdict === "used");
    expect(used).toMatchObject({ instanceId: id(6), accountId: OWN, region: "eu-central-1", calls: 7 });
    expect(Date.now() - Date.parse(used?.["last"] as string)).toBeLessThan(6 * 3_600_000);
    expect(exitCode).toBe(1);
  });

  it("goes over accounts and regions, and says which of them it did not see", async () => {
    fleet = await openFleet({
      regions: ["eu-central-1", "eu-west-1"],
      fault: ({ accountId, region, action }) =>
        accountId === OTHER && region === "eu-west-1" && action === "DescribeInstances"
          ? { status: 403, code: "UnauthorizedOperation" }
          : accountId === OWN && region === "eu-west-1" && action === "GetMetricData"
            ? { status: 400, code: "ThrottlingException" }
            : undefined,
    });
    add(fleet.region(OWN, "eu-central-1"), 1, { options: REQUIRED });
    add(fleet.region(OWN, "eu-west-1"), 2, { points: [[2, 5]] });
    add(fleet.region(OTHER, "eu-central-1"), 3, { options: REQUIRED });
    add(fleet.region(OTHER, "eu-west-1"), 4, { options: REQUIRED });
    for (const account of [OWN, OTHER])
      for (const region of ["eu-central-1", "eu-west-1"])
        fleet.region(account, region).defaults["HttpTokens"] = "required";
    const { json, exitCode, stderr } = await fleet.run(
      ...["audit", "--json", "--accounts", `${OWN},${OTHER}`, "--role", "audit"],
    );
    expect(json.instances?.map(({ instanceId, verdict }) => [instanceId, verdict]).sort()).toEqual([
      [id(1), "fine"],
      [id(2), "unknown"],
      [id(3), "fine"],
    ]);
    expect(json["gaps"]).toEqual(
      [
        expect.objectContaining({ accountId: OWN, action: "cloudwatch:GetMetricData", reason: "throttled" }),
        expect.objectContaining({
          accountId: OTHER,
          region: "eu-west-1",
          action: "ec2:DescribeInstances",
          reason: "denied",
        }),
      ].sort(() => ((json["gaps"] as { reason: string }[])[0]?.reason === "throttled" ? 0 : -1)),
    );
    expect(stderr).toContain("ec2:DescribeInstances; imds-guard fleet permissions");
    expect(exitCode).toBe(3);
  });

  it("keeps the counts where the minutes of last calls cannot be told, and says so", async () => {
    let asked = 0;
    fleet = await openFleet({
      fault: ({ action }) =>
        action === "GetMetricData" && ++asked > 1 ? { status: 400, code: "ThrottlingException" } : undefined,
    });
    const region = fleet.region(OWN, "eu-central-1");
    add(region, 1, { points: [[5, 3]] });
    add(region, 2, { points: [[5, 0]] });
    const { json } = await fleet.run("audit", "--json");
    expect(json.instances?.map(({ verdict, calls }) => [verdict, calls])).toEqual([
      ["used", 3],
      ["safe", 0],
    ]);
    expect(json.instances?.[0]?.["last"]).toEqual(expect.any(String));
    expect(json["gaps"]).toEqual([
      expect.objectContaining({ action: "cloudwatch:GetMetricData", reason: "throttled" }),
    ]);
  });

  it("asks for the minutes of calls that were answered, and of no instance whose tokens are required", async () => {
    interface Query {
      readonly MetricStat: {
        readonly Period: number;
        readonly Metric: { readonly MetricName: string; readonly Dimensions: readonly { readonly Value: string }[] };
      };
    }
    const queries: Query[] = [];
    fleet = await openFleet({
      onAsked: ({ action, body }) => {
        if (action !== "GetMetricData") return;
        queries.push(...(JSON.parse(body) as { MetricDataQueries: Query[] }).MetricDataQueries);
      },
    });
    const region = fleet.region(OWN, "eu-central-1");
    add(region, 1, { options: REQUIRED, points: [[5, 3]], rejected: [[4, 2]] });
    add(region, 2, { points: [[5, 3]] });
    const { json } = await fleet.run("audit", "--json");
    expect(json.instances?.map(({ verdict, rejected }) => [verdict, rejected])).toEqual([
      ["fine", 2],
      ["used", undefined],
    ]);
    expect(
      queries
        .filter(({ MetricStat }) => MetricStat.Period === 60)
        .map(({ MetricStat: { Metric } }) => [Metric.MetricName, Metric.Dimensions[0]?.Value]),
    ).toEqual([["MetadataNoToken", id(2)]]);
  });

  it("says of an account whose role cannot be taken that it was not seen", async () => {
    fleet = await openFleet({
      fault: ({ action }) => (action === "AssumeRole" ? { status: 403, code: "AccessDenied" } : undefined),
    });
    add(fleet.region(OWN, "eu-central-1"), 1, { options: REQUIRED });
    fleet.region(OWN, "eu-central-1").defaults["HttpTokens"] = "required";
    const { json, exitCode } = await fleet.run(
      ...["audit", "--json", "--regions", "eu-central-1", "--accounts", OWN, "--accounts", OTHER, "--role", "audit"],
    );
    expect(json.instances).toHaveLength(1);
    expect(
      (json["gaps"] as { accountId: string; reason: string }[]).map((each) => [each.accountId, each.reason]),
    ).toContainEqual([OTHER, "denied"]);
    expect(exitCode).toBe(3);
  });

  it("ends with 0 where all is fine or excepted", async () => {
    fleet = await openFleet();
    const region = fleet.region(OWN, "eu-central-1");
    add(region, 1, { options: REQUIRED });
    add(region, 2, { tags: { Owner: "old" } });
    region.defaults["HttpTokens"] = "required";
    const { exitCode, stdout } = await fleet.run("audit", "--exception", "Owner=old");
    expect(stdout).toContain("1 fine, 1 excepted");
    expect(exitCode).toBe(0);
  });

  it("knows what new instances are made from", async () => {
    fleet = await openFleet({
      rolesOf: () => [
        { name: "open" },
        {
          name: "bound",
          policy: {
            Statement: [
              {
                Effect: "Deny",
                Action: "*",
                Resource: "*",
                Condition: { NumericLessThan: { "ec2:RoleDelivery": "2.0" } },
              },
            ],
          },
        },
      ],
    });
    const region = fleet.region(OWN, "eu-central-1");
    const template = (number: number, options: object | undefined, rest: object = {}): void => {
      region.templates.push({
        id: `lt-${number.toString(16).padStart(17, "0")}`,
        name: `t${number}`,
        default: 1,
        versions: [{ options: options as never }],
        ...rest,
      });
    };
    template(1, { HttpTokens: "optional" });
    template(2, { HttpTokens: "required" });
    template(3, undefined);
    template(4, { HttpTokens: "optional" }, { tags: { IMDS: "v1" } });
    template(5, { HttpTokens: "required" }, { versions: [{ options: REQUIRED }, { options: OPTIONAL }] });
    region.groups.push(
      { name: "pinned", template: { id: "lt-00000000000000005", version: "2" } },
      { name: "old", configuration: "lc" },
    );
    region.configurations.push({ name: "lc", options: OPTIONAL }, { name: "unused", options: OPTIONAL });
    region.images.push({ id: "ami-1", imdsSupport: "v2.0" }, { id: "ami-2" });
    const { json, exitCode } = await fleet.run("audit", "--json");
    const standings = (list: string, name: string): unknown =>
      (json[list] as Record<string, unknown>[]).map((each) => [each[name], each["standing"]]);
    expect(standings("launchTemplates", "name")).toEqual([
      ["t1", "to-do"],
      ["t2", "fine"],
      ["t3", "to-do"],
      ["t4", "excepted"],
      ["t5", "to-do"],
    ]);
    expect(standings("autoScalingGroups", "name")).toEqual([
      ["pinned", "to-do"],
      ["old", "fine"],
    ]);
    expect(standings("launchConfigurations", "name")).toEqual([
      ["lc", "to-do"],
      ["unused", "fine"],
    ]);
    expect(json["roles"]).toEqual([
      expect.objectContaining({ name: "open", roleDelivery: false }),
      expect.objectContaining({ name: "bound", roleDelivery: true }),
    ]);
    expect(json["summary"]).toMatchObject({ images: 1, roles: 1 });
    expect(exitCode).toBe(1);
  });

  it("says of a template whose default version nobody tells that it was not seen", async () => {
    fleet = await openFleet();
    const region = fleet.region(OWN, "eu-central-1");
    region.instances.push({ id: "i-0000000000000000a", options: REQUIRED });
    Object.assign(region, { defaults: { HttpTokens: "required" } });
    region.templates.push(
      { id: "lt-0000000000000000a", name: "gone", default: 9, versions: [{ options: REQUIRED }] },
      { id: "lt-0000000000000000b", name: "web", default: 1, versions: [{ options: REQUIRED }] },
    );
    const { json, exitCode } = await fleet.run("audit", "--json");
    expect(json["launchTemplates"]).toEqual([expect.objectContaining({ name: "web" })]);
    expect(json["gaps"]).toEqual([
      expect.objectContaining({
        action: "ec2:DescribeLaunchTemplates",
        reason: "failed",
        message: "EC2 does not tell the default version of lt-0000000000000000a",
      }),
    ]);
    expect(exitCode).toBe(3);
  });

  it("points out a tag that differs in its case alone, which excepts nothing", async () => {
    fleet = await openFleet();
    const region = fleet.region(OWN, "eu-central-1");
    region.instances.push(
      { id: "i-0000000000000000a", options: OPTIONAL, tags: { imds: "V1" }, points: [[2, 0]] },
      { id: "i-0000000000000000b", options: REQUIRED, tags: { imds: "V1" } },
    );
    const { json } = await fleet.run("audit", "--json");
    expect(json.instances?.map(({ verdict }) => verdict)).toEqual(["safe", "fine"]);
    expect(json.instances?.[0]?.["reason"]).toMatch(/; its tag imds=V1 is not IMDS=v1$/);
    expect(json.instances?.[1]?.["reason"]).toBe("tokens are required");
  });

  it("names the programs that the evidence names", async () => {
    fleet = await openFleet();
    const region = fleet.region(OWN, "eu-central-1");
    add(region, 1, { points: [[5, 3]] });
    add(region, 2, { points: [[5, 0]] });
    region.defaults["HttpTokens"] = "required";
    const now = new Date().toISOString();
    const trail = join(fleet.folder, "trail.json.gz");
    writeFileSync(
      trail,
      gzipSync(
        JSON.stringify({
          Records: [
            {
              eventTime: now,
              userAgent: "Boto3/1.9",
              userIdentity: { principalId: `AROA:${id(2)}`, sessionContext: { ec2RoleDelivery: "1.0" } },
            },
          ],
        }),
      ),
    );
    const trace = join(fleet.folder, "imds-trace.log");
    writeFileSync(
      trace,
      `[${now.slice(0, 19)}] [WARNING] IMDSv1(!) (pid:6028:curl argv:curl http://169.254.169.254/) called by -> (pid:1:sh argv:sh) Req details: GET / HTTP/1.1\n`,
    );
    const { json, stderr } = await fleet.run(
      ...[
        "audit",
        "--json",
        "--evidence",
        trail,
        "--evidence",
        `${id(1)}=${trace}`,
        "--evidence",
        join(fleet.folder, "no"),
      ],
    );
    expect(json.instances?.map(({ verdict, calls, programs }) => ({ verdict, calls, programs }))).toEqual([
      {
        verdict: "used",
        calls: 3,
        programs: [expect.objectContaining({ program: "curl http://169.254.169.254/", source: "packet-analyzer" })],
      },
      {
        verdict: "used",
        calls: 1,
        programs: [expect.objectContaining({ program: "Boto3/1.9", source: "cloudtrail" })],
      },
    ]);
    expect(stderr).toContain("ENOENT");
  });

  it("writes a page and CSV in which nothing of a name is run", async () => {
    fleet = await openFleet();
    const region = fleet.region(OWN, "eu-central-1");
    add(region, 1, { tags: { Name: `=cmd|"<script>alert(1)</script>"` }, points: [[5, 3]] });
    const html = join(fleet.folder, "fleet.html");
    const csv = join(fleet.folder, "fleet.csv");
    await fleet.run("audit", "--html", html, "--csv", csv);
    const page = readFileSync(html, "utf8");
    expect(page).toContain("&lt;script&gt;alert(1)");
    expect(page.match(/<script>/g)).toHaveLength(1);
    expect(page).not.toMatch(/(?:src|href)=|url\(|@import/);
    expect(readFileSync(csv, "utf8").split("\r\n")[1]).toContain(`"'=cmd|""<script>`);
    expect(statSync(html).mode & 0o077).toBe(0);
  });

  it("says before it asks anything that a report cannot be written", async () => {
    fleet = await openFleet();
    const nowhere = join(fleet.folder, "no", "fleet.html");
    await expect(fleet.run("audit", "--html", nowhere)).rejects.toMatchObject({ code: "ENOENT" });
    expect(fleet.service.calls.size).toBe(0);
  });

  it.each(["--html", "--csv"])("fails where %s is a folder", async (option) => {
    fleet = await openFleet();
    add(fleet.region(OWN, "eu-central-1"), 1, { points: [[5, 3]] });
    await expect(fleet.run("audit", option, fleet.folder)).rejects.toMatchObject({ code: "EISDIR" });
  });

  it.each([
    [["audit", "--regions", ","], "--regions names no region; name regions, or all"],
    [
      ["audit", "--accounts", "12"],
      '--accounts: "12" is no account id; account ids have 12 digits, leading zeros included',
    ],
    [["audit", "--accounts", ","], "--accounts names no account; account ids have 12 digits"],
    [
      ["permissions", "--accounts", "12"],
      '--accounts: "12" is no account id; account ids have 12 digits, leading zeros included',
    ],
    [["audit", "--days", "0"], "--days is 0; a whole number from 1 to 455 is allowed"],
    [["audit", "--days", "456"], "--days is 456; a whole number from 1 to 455 is allowed"],
    [["audit", "--exception", "x"], '--exception is "x"; allowed: KEY=VALUE'],
    [["audit", "x"], "fleet audit takes no words, and got x"],
    [["apply"], "fleet apply takes one file"],
    [[], "fleet needs a word; one of audit, plan, apply, undo, permissions, keep"],
    [
      ["audit", "--accounts", OTHER],
      `account ${OTHER} is another than that of the credentials (${OWN}), and no role is named; give --role NAME`,
    ],
  ])("%j is wrong usage", async (words, message) => {
    fleet = await openFleet();
    const { exitCode, stderr } = await fleet.run(...words);
    expect(stderr).toBe(message);
    expect(exitCode).toBe(2);
  });
});
