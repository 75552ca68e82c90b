/** Each shipped rule against the sample logs of all rules. */
import { describe, expect, it } from "vitest";
import { isCorrelationRule, isDetectionRule } from "../../src/detection/sigma-rule.js";
import { SIGMA_RULES } from "../../src/detection/sigma-rules.js";
import { matchRecord, sampleLines, scanLines } from "./samples.js";
import type { Kind } from "./samples.js";

const nameOf = new Map(SIGMA_RULES.map(({ file, rule }) => [rule.id, file]));
const detections = SIGMA_RULES.filter(({ rule }) => isDetectionRule(rule));
const correlations = SIGMA_RULES.filter(({ rule }) => isCorrelationRule(rule));

/** Files of the rules that match each line of a sample. */
async function matrixOf(file: string, kind: Kind): Promise<string[][]> {
  const lines = sampleLines(file, kind);
  if (file.startsWith("net_dns_"))
    return lines.map((line) => matchRecord(SIGMA_RULES, line, { category: "dns" }).map((id) => nameOf.get(id)!));
  const { matched, unknown } = await scanLines(lines);
  expect(unknown, `lines of ${file}/${kind} whose format is not recognised`).toEqual([]);
  return matched.map((ids) => ids.map((id) => nameOf.get(id)!));
}

/**
 * Rules that rightly match a sample of another rule: the same traffic told from another side. Everything else that
 * matches is a mistake of one of the two.
 */
const EVENTS = ["impersonation", "record", "sighting", "untrusted_answer", "warning"].map(
  (name) => `app_imds_guard_${name}`,
);
const ALSO: Readonly<Record<string, readonly string[]>> = {
  // What is no event of the one rule is one of another.
  ...Object.fromEntries(EVENTS.map((name) => [name, EVENTS])),
  aws_cloudtrail_instance_role_console_login: ["aws_cloudtrail_instance_session_outside"],
  aws_cloudtrail_instance_session_identity_check: ["aws_cloudtrail_instance_session_outside"],
  lnx_auditd_imds_request: ["proc_creation_lnx_imds_request"],
  net_connection_lnx_imds_container: ["net_connection_lnx_imds_destination"],
  network_connection_imds_answer: ["network_connection_imds_destination"],
  network_connection_imds_pod: ["network_connection_imds_destination"],
  lnx_auditd_imds_connection: ["net_connection_lnx_imds_destination"],
  proc_creation_lnx_imds_address_alias: ["proc_creation_lnx_imds_request"],
  proc_creation_macos_imds_address_alias: ["proc_creation_macos_imds_request"],
  proc_creation_win_imds_address_alias: ["proc_creation_win_imds_request"],
  zeek_conn_imds_destination: ["zeek_conn_imds_responder"],
  zeek_conn_imds_responder: ["zeek_conn_imds_destination"],
  network_connection_imds_destination: ["network_connection_imds_answer"],
  network_connection_imds_responder: ["network_connection_imds_answer", "network_connection_imds_destination"],
  net_firewall_imds_responder: ["net_firewall_imds_destination"],
  net_connection_lnx_imds_destination: ["net_connection_win_imds_destination"],
  net_connection_win_imds_destination: ["net_connection_lnx_imds_destination"],
  zeek_http_imds_credential_request: ["zeek_http_imds_token_issued", "zeek_http_imds_request"],
  zeek_http_imds_token_issued: ["zeek_http_imds_credential_request", "zeek_http_imds_request"],
  zeek_http_imds_token_header: ["zeek_http_imds_credential_request", "zeek_http_imds_request"],
  zeek_http_imds_request: ["zeek_http_imds_credential_request", "zeek_http_imds_token_issued"],
  // A URL that names the address in its query is judged as what a server may follow, through a proxy as well.
  proxy_imds_request: ["proxy_imds_credential_path", "web_imds_ssrf_attempt"],
  proxy_imds_credential_path: ["proxy_imds_request", "web_imds_ssrf_attempt"],
  zeek_dns_imds_address_in_answer: ["zeek_dns_imds_name_query"],
  // Lines that are of interest to the one correlation and to none of the others.
  correlation_arp_imds_several_responders: ["suricata_arp_imds_reply"],
  correlation_firewall_imds_then_instance_session: [
    "net_firewall_imds_destination",
    "aws_cloudtrail_instance_session_identity_check",
    "aws_cloudtrail_instance_session_outside",
  ],
  correlation_zeek_imds_answer_then_aws_call: [
    "zeek_conn_imds_destination",
    "zeek_conn_imds_responder",
    "zeek_ssl_aws_api_call",
  ],
  correlation_zeek_imds_persistent_client: ["zeek_conn_imds_destination"],
};

describe("each rule", { timeout: 60_000 }, () => {
  it.each(detections.map(({ file }) => file))(
    "%s matches all of its positive samples and none of its negative ones",
    async (file) => {
      const positive = await matrixOf(file, "positive");
      const negative = await matrixOf(file, "negative");
      expect(positive.length).toBeGreaterThanOrEqual(2);
      expect(negative.length).toBeGreaterThanOrEqual(2);
      expect(
        positive.flatMap((files, index) => (files.includes(file) ? [] : [index + 1])),
        "positive lines that are missed",
      ).toEqual([]);
      expect(
        negative.flatMap((files, index) => (files.includes(file) ? [index + 1] : [])),
        "negative lines that are matched",
      ).toEqual([]);
    },
  );

  it.each(correlations.map(({ file }) => file))(
    "%s comes about in its positive scenario and not in its negative one",
    async (file) => {
      expect((await matrixOf(file, "positive")).flat()).toContain(file);
      expect((await matrixOf(file, "negative")).flat()).not.toContain(file);
    },
  );
});

describe("the matrix of rules and samples", { timeout: 60_000 }, () => {
  it("has nothing outside its diagonal but the same traffic told from another side", async () => {
    const surprises: string[] = [];
    const rows: string[] = [];
    let [hits, misses, falseAlarms] = [0, 0, 0];
    for (const { file } of SIGMA_RULES) {
      for (const kind of ["positive", "negative"] as const) {
        const matrix = await matrixOf(file, kind);
        const counts = new Map<string, number>();
        for (const other of matrix.flat()) counts.set(other, (counts.get(other) ?? 0) + 1);
        rows.push(
          `${kind === "positive" ? "+" : "-"} ${file} (${matrix.length}): ${[...counts].map(([other, count]) => `${other === file ? "SELF" : other} ${count}`).join(", ")}`,
        );
        for (const other of counts.keys())
          if (other !== file && !(ALSO[file] ?? []).includes(other))
            surprises.push(`${kind} samples of ${file} match ${other}`);
        if (file.startsWith("correlation_")) continue;
        const own = counts.get(file) ?? 0;
        if (kind === "positive") [hits, misses] = [hits + own, misses + matrix.length - own];
        else falseAlarms += own;
      }
    }
    process.stdout.write(
      `${rows.join("\n")}\nrecall ${hits}/${hits + misses}, precision ${hits}/${hits + falseAlarms}\n`,
    );
    expect(surprises).toEqual([]);
  });
});
