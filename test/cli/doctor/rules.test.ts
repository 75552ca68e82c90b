/** What can be seen of the packet filter, and what follows from it. */
import { describe, expect, it } from "vitest";
import type { NetworkAnswers } from "../../../src/cli/doctor/answers.js";
import type { Machine } from "../../../src/cli/doctor/check.js";
import { otherCloudOf } from "../../../src/cli/doctor/check.js";
import type { MetadataRoute } from "../../../src/cli/doctor/routes.js";
import { gatewayOf, judgeRules, readFilter } from "../../../src/cli/doctor/rules.js";
import type { HostReport, Verdict } from "../../../src/host/report.js";
import type { CommandResult } from "../../../src/base/system.js";
import { fakeHost } from "../../host/fake-host.js";

function patientOf(
  verdict: Verdict,
  run: (command: string) => CommandResult = () => ({ kind: "failed", reason: "ENOENT" }),
  vendor = "LENOVO",
): Machine {
  const evidence = [
    {
      kind: "dmi",
      source: "/sys/class/dmi/id/sys_vendor",
      status: "present",
      value: vendor,
      weight: "contradicts",
      says: "",
    },
  ] as const;
  const host: HostReport = { verdict, rule: "foreign-dmi", reason: "a reason.", evidence, vetoes: [] };
  const system = {
    ...fakeHost({ platform: "linux", files: {} }),
    run: (command: string) => Promise.resolve(run(command)),
    listDirectory: () => ({ kind: "absent" }) as const,
  };
  return { system, host, otherCloud: otherCloudOf(host) };
}

const way = (kind: MetadataRoute["kind"]): MetadataRoute => ({
  address: "169.254.169.254",
  kind,
  says: `way ${kind}`,
  special: false,
  advertised: false,
});
const answer = (kind: "silent" | "imdsv2" | "refused"): NetworkAnswers => {
  const answers = {
    silent: { kind: "silent" },
    refused: { kind: "refused", code: "ECONNREFUSED" },
    imdsv2: { kind: "imdsv2", status: 200, tokenLength: 56 },
  } as const;
  return { imds: [{ address: "169.254.169.254", answer: answers[kind] }], dns: [] };
};

describe("readFilter", () => {
  it("keeps the rules that name a metadata address, and says what it could not see", async () => {
    const ruleset =
      "table inet x {\n  chain output {\n    type filter hook output priority filter; policy accept;\n    ip daddr 169.254.169.254 reject\n    ip6 daddr fd00:ec2::/32 drop\n    ip daddr 10.0.0.1 accept\n  }\n}\n";
    const view = await readFilter(
      patientOf("not-ec2", (command) =>
        command === "nft"
          ? { kind: "output", stdout: ruleset }
          : { kind: "failed", reason: command === "iptables-save" ? "4" : "ENOENT" },
      ),
    );
    expect(view).toEqual({
      read: ["nft"],
      rules: [
        {
          tool: "nft",
          text: "ip daddr 169.254.169.254 reject",
          address: "169.254.169.254",
          effect: "blocks",
          ownPackets: true,
        },
        {
          tool: "nft",
          text: "ip6 daddr fd00:ec2::/32 drop",
          address: "fd00:ec2::254",
          effect: "blocks",
          ownPackets: true,
        },
      ],
      unseen: ["iptables-save: refused (needs root)", "ip6tables-save: not installed"],
    });
  });
});

describe("judgeRules", () => {
  const seen = { read: ["nft"], rules: [], unseen: [] };
  const rule = {
    tool: "nft",
    text: "ip daddr 169.254.169.254 ...",
    address: "169.254.169.254",
    effect: "blocks",
    ownPackets: true,
  } as const;
  const blocking = { read: ["nft"], rules: [rule], unseen: [] };
  const passing = { ...blocking, rules: [{ ...rule, effect: "passes" as const }] };
  const unclear = { ...blocking, rules: [{ ...rule, effect: "unclear" as const }] };
  const forwarding = { ...blocking, rules: [{ ...rule, ownPackets: false }] };
  const other = { ...blocking, rules: [{ ...rule, address: "fd00:ec2::254" }] };
  const unseen = { read: [], rules: [], unseen: ["nft: refused (needs root)"] };
  it.each([
    ["a route refuses", seen, "closed", "silent", "ok"],
    ["no route", unseen, "no-route", undefined, "ok"],
    ["connections are refused", unseen, "open", "refused", "ok"],
    ["somebody answers, whatever the rules", blocking, "open", "imdsv2", "finding"],
    ["a rule that blocks, and silence", blocking, "open", "silent", "ok"],
    ["a rule that blocks, not tried", blocking, "open", undefined, "ok"],
    ["a rule that lets pass", passing, "open", "silent", "finding"],
    ["a rule that rewrites", unclear, "open", "silent", "unknown"],
    ["a rule for what is forwarded", forwarding, "open", "silent", "finding"],
    ["a rule for the other address", other, "open", "silent", "finding"],
    ["rules read and none, silence", seen, "open", "silent", "finding"],
    ["rules not seen, silence", unseen, "open", "silent", "unknown"],
    ["rules not seen, not tried", unseen, "open", undefined, "unknown"],
  ] as const)("off EC2: %s", (_name, filter, kind, asked, status) => {
    expect(judgeRules(filter, [way(kind)], asked && answer(asked), patientOf("not-ec2")).status).toBe(status);
  });

  it("on EC2 nothing has to be blocked", () => {
    expect(judgeRules(seen, [way("open")], answer("imdsv2"), patientOf("ec2")).status).toBe("ok");
  });
});

describe("otherCloudOf", () => {
  it.each([
    ["Google", "Google Cloud"],
    ["Microsoft Corporation", "Azure"],
    ["OpenStack Foundation", "OpenStack"],
    ["Hetzner", "Hetzner Cloud"],
    ["LENOVO", undefined],
    ["Not Google", undefined],
  ])("%s: %s", (vendor, cloud) => {
    expect(patientOf("not-ec2", undefined, vendor).otherCloud).toBe(cloud);
  });
});

describe("a gateway", () => {
  const nft =
    (rule: string): ((command: string) => CommandResult) =>
    (command) =>
      command === "nft"
        ? {
            kind: "output",
            stdout: `table inet x {\n\tchain output {\n\t\ttype nat hook output priority -110; policy accept;\n\t\t${rule}\n\t}\n}\n`,
          }
        : { kind: "failed", reason: "ENOENT" };
  const NOTE = { "run/imds-guard/gateway.json": '{"uid":999,"port":9100,"bridges":[],"user":"imds-guard","by":"nft"}' };
  const rule = "ip daddr 169.254.169.254 tcp dport 80 redirect to :9100";

  it.each([
    ["ours", NOTE, nft(rule), { ours: true, target: "9100" }],
    ["ours, for a user who may not see the rules", NOTE, nftRefuses, { ours: true, target: "9100" }],
    ["somebody else's", {}, nft(rule), { ours: false, target: "9100" }],
    [
      "kube2iam's",
      {},
      nft("ip daddr 169.254.169.254 tcp dport 80 dnat to 10.0.0.5:8181"),
      { ours: false, target: "10.0.0.5:8181" },
    ],
    ["none", {}, nft("ip daddr 169.254.169.254 drop"), undefined],
    ["none any more, whatever the note says", NOTE, nft("ip daddr 192.0.2.1 drop"), undefined],
  ])("is %s", async (_, files, run, expected) => {
    const machine = patientOf("not-ec2", run);
    const system = { ...machine.system, readFile: fakeHost({ platform: "linux", files }).readFile };
    const found = gatewayOf(await readFilter({ ...machine, system }), { ...machine, system });
    expect(found).toEqual(expected);
    if (found === undefined) return;
    const check = judgeRules(await readFilter({ ...machine, system }), [], undefined, {
      ...machine,
      system,
      gateway: found,
    });
    expect(check.status).toBe("ok");
    expect(check.says).toContain(found.target);
  });
});

function nftRefuses(): CommandResult {
  return { kind: "failed", reason: "exit code 1" };
}
