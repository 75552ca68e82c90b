/** The rules for sensors in the hands of Suricata, over a capture of signed requests. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { startOfKeyIds } from "../../src/aws/access-key.js";
import { suricataRules } from "../../src/detection/account-sensors.js";
import { captureOf } from "../support/packets.mjs";

const installed = spawnSync("suricata", ["-V"]).status === 0;
if (!installed)
  process.stdout.write("skipped: Suricata is not here (Debian: apt-get install -t bookworm-backports suricata)\n");

const OURS = "111122223333";
const FOREIGN = "999988887777";
const SIGNATURE = "fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024";
const MANY = [OURS, ...Array.from({ length: 9_999 }, (_, index) => String(222_200_000_000 + index * 7_919_317))];

function keyOf(account: string): string {
  const start = startOfKeyIds(account);
  return `ASIA${start.slice(0, 8)}${start.endsWith("[A-P]") ? "C" : "S"}XQ2WZ7K`;
}

function request(line: string, host: string, authorization?: string): string {
  const signed = authorization === undefined ? "" : `Authorization: ${authorization}\r\n`;
  return `${line} HTTP/1.1\r\nHost: ${host}\r\n${signed}User-Agent: x\r\nContent-Length: 0\r\n\r\n`;
}

function requestsOf(key: string, name: string): readonly string[] {
  const scope = `${key}/20261128/eu-central-1/s3/aws4_request`;
  const query = `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${scope.replaceAll("/", "%2F")}&X-Amz-Signature=${SIGNATURE}`;
  return [
    request(
      "GET /",
      `header.${name}`,
      `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=${SIGNATURE}`,
    ),
    request("GET /", `v2.${name}`, `AWS ${key}:vjbyPxybdZaNmGaPyT272YEAiv4=`),
    request(`PUT /k?${query}`, `upload.${name}`),
    request(`GET /k?${query}`, `download.${name}`),
  ];
}

const folder = mkdtempSync(join(tmpdir(), "imds-guard-suricata-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Alert {
  readonly event_type: string;
  readonly metadata: { readonly flowvars: readonly Readonly<Record<string, string>>[] };
}

describe.skipIf(!installed)("Suricata", { timeout: 300_000 }, () => {
  it.each([
    ["one account", [OURS]],
    ["10,000 accounts", MANY],
  ])("tells key and host of strangers by the rules for %s, and nothing of ours, and keeps no signature", (_, own) => {
    const at = (name: string) => join(folder, `${own.length}-${name}`);
    writeFileSync(at("x.rules"), suricataRules(own));
    writeFileSync(
      at("x.pcap"),
      captureOf([
        ...requestsOf(keyOf(FOREIGN), "foreign.example"),
        ...requestsOf(keyOf(OURS), "ours.example"),
        ...requestsOf("AKIAIOSFODNN7EXAMPLE", "documentation.example"),
      ]),
    );
    writeFileSync(
      at("x.yaml"),
      [
        "%YAML 1.1",
        "---",
        "outputs:",
        "  - eve-log:",
        "      enabled: yes",
        `      filename: ${at("eve.json")}`,
        "      types:",
        "        - alert:",
        "            metadata:",
        "              app-layer: false",
        "app-layer:",
        "  protocols:",
        "    http:",
        "      enabled: yes",
        "",
      ].join("\n"),
    );
    const words = ["-c", at("x.yaml"), "-S", at("x.rules"), "-r", at("x.pcap"), "-l", folder, "-k", "none"];
    const { status, stdout, stderr } = spawnSync("suricata", [...words, "--runmode", "single"], { encoding: "utf8" });
    expect(status, stdout + stderr).toBe(0);
    // A rule that it cannot read is an error, and it goes on without.
    expect(stdout + stderr).not.toMatch(/error/i);
    const log = existsSync(at("eve.json")) ? readFileSync(at("eve.json"), "utf8") : "";
    const alerts = log
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Alert)
      .filter(({ event_type: type }) => type === "alert");
    const kept = alerts.map(({ metadata }) => Object.assign({}, ...metadata.flowvars) as Record<string, string>);
    expect(kept.map((one) => one["aws_host"]).sort()).toEqual([
      "header.foreign.example",
      "upload.foreign.example",
      "v2.foreign.example",
    ]);
    for (const one of kept) expect(one["aws_key_id"]).toBe(keyOf(FOREIGN));
    expect(log).not.toContain(SIGNATURE.slice(0, 16));
  });
});
