/** Networks that do have EC2 are left out, and nothing else is. */
import { describe, expect, it } from "vitest";
import { compileRule } from "../../src/detection/sigma-evaluator.js";
import { isDetectionRule } from "../../src/detection/sigma-rule.js";
import type { DetectionRule } from "../../src/detection/sigma-rule.js";
import { withSuppression } from "../../src/detection/suppression.js";
import { sampleLines, scanLines, SIGMA_RULES } from "./samples.js";

const ruleOf = (file: string): DetectionRule =>
  SIGMA_RULES.find((shipped) => shipped.file === file)!.rule as DetectionRule;

describe("withSuppression", () => {
  it("adds a filter for either side of a connection", () => {
    const rule = withSuppression(ruleOf("zeek_conn_imds_responder"), {
      subnets: ["10.20.30.0/24", "2001:db8::/32"],
      vlans: [30],
    });
    expect(rule.detection["filter_main_ec2_id_orig_h"]).toEqual({
      "id.orig_h|cidr": ["10.20.30.0/24", "2001:db8::/32"],
    });
    expect(rule.detection["filter_main_ec2_id_resp_h"]).toEqual({
      "id.resp_h|cidr": ["10.20.30.0/24", "2001:db8::/32"],
    });
    expect(rule.detection["filter_main_ec2_vlan"]).toEqual({ vlan: 30 });
    expect(rule.detection["filter_main_no_vlan"]).toEqual({ vlan: null });
    expect(rule.detection.condition).toBe(
      "(1 of selection_*) and (filter_main_no_id_orig_h or not filter_main_ec2_id_orig_h) and (filter_main_no_id_resp_h or not filter_main_ec2_id_resp_h) and (filter_main_no_vlan or not filter_main_ec2_vlan)",
    );
    expect(ruleOf("zeek_conn_imds_responder").detection.condition).toBe("1 of selection_*");
  });

  it("keeps rules whose log names no network, and rules for which nothing is given", () => {
    for (const file of [
      "proc_creation_lnx_imds_address_alias",
      "lnx_syslog_imds_dhcp_route",
      "app_imds_guard_impersonation",
    ]) {
      expect(withSuppression(ruleOf(file), { subnets: ["10.0.0.0/8"], vlans: [1] })).toBe(ruleOf(file));
    }
    expect(withSuppression(ruleOf("proxy_imds_request"), { vlans: [1] })).toBe(ruleOf("proxy_imds_request"));
    for (const { rule } of SIGMA_RULES) expect(withSuppression(rule, {})).toBe(rule);
  });

  it("compiles for every rule", () => {
    for (const { rule } of SIGMA_RULES)
      if (isDetectionRule(rule)) compileRule(withSuppression(rule, { subnets: ["10.20.30.0/24"], vlans: [30, 31] }));
  });

  it.each([
    ["everything", { subnets: ["0.0.0.0/0"] }],
    ["link-local", { subnets: ["169.254.0.0/16"] }],
    ["the address itself", { subnets: ["fd00:ec2::254"] }],
    ["no network", { subnets: ["lab"] }],
    ["VLAN 0", { vlans: [0] }],
    ["VLAN 4095", { vlans: [4095] }],
    ["no whole VLAN", { vlans: [1.5] }],
  ])("refuses %s", (_, suppression) => {
    expect(() => withSuppression(ruleOf("zeek_conn_imds_responder"), suppression)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }),
    );
  });
});

describe("a scan with suppression", () => {
  it.each([
    "zeek_conn_imds_destination",
    "net_firewall_imds_responder",
    "network_connection_imds_responder",
    "proxy_imds_request",
    "suricata_arp_imds_reply",
    "net_connection_lnx_imds_destination",
    "zeek_http_imds_token_issued",
  ])("finds nothing in the samples of %s once their hosts are left out", async (file) => {
    const lines = sampleLines(file, "positive");
    expect((await scanLines(lines)).findings.length).toBeGreaterThan(0);
    expect((await scanLines(lines, { suppress: { subnets: ["10.20.30.0/24", "2001:db8::/32"] } })).findings).toEqual(
      [],
    );
    expect((await scanLines(lines, { suppress: { subnets: ["192.0.2.0/24"] } })).findings.length).toBeGreaterThan(0);
  });

  it("leaves out a VLAN, also where the log lists several", async () => {
    const lines = sampleLines("network_connection_imds_destination", "positive");
    const all = (await scanLines(lines)).findings;
    const rest = (await scanLines(lines, { suppress: { vlans: [30] } })).findings;
    expect(all.length).toBeGreaterThan(rest.length);
    expect(rest.every(({ source }) => !lines[Number(source)]!.includes('"vlan":[30]'))).toBe(true);
  });
});
