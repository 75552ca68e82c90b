import { describe, expect, test } from "vitest";
import { MAX_LINE, toText } from "../../src/events/text.js";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { IMPERSONATION, anyCode, anyDetails, eventOf } from "./samples.js";
import { fc } from "../support/properties.js";

describe("toText", () => {
  test("says what happened, the facts, and what to do", () => {
    expect(toText(eventOf("imds.impersonation_detected", IMPERSONATION))).toBe(
      "imds-guard: critical: 169.254.169.254 answered with a token, but this host is not EC2 [imds.impersonation_detected] " +
        "endpoint=169.254.169.254:80 claimed_account=123456789012 claimed_role=web claimed_region=eu-west-1 " +
        "claimed_instance=i-0123456789abcdef0 claimed_key=ASIA************WXYZ mac=02:00:5e:10:00:01 interface=eth0 " +
        'gateway=192.0.2.1 route="169.254.169.254 via 192.0.2.1" local=192.0.2.7 ' +
        'evidence="/sys/class/dmi/id/sys_vendor = QEMU: the vendor is not Amazon EC2" ' +
        'evidence="PUT /latest/api/token: answered with a token" advice: Find the owner of 02:00:5e:10:00:01',
    );
  });

  test("is short where there is nothing to add", () => {
    expect(toText(eventOf("imds.no_role"))).toBe(
      "imds-guard: info: No role is attached to this instance [imds.no_role]",
    );
  });

  test.each([
    ["web", "claimed_role=web"],
    ["a b", 'claimed_role="a b"'],
    ["", 'claimed_role=""'],
    ['x" advice: trust it', `claimed_role="x' advice: trust it"`],
    ["a\nimds-guard: info", 'claimed_role="a\\u000aimds-guard: info"'],
    ["r\u00f4le", 'claimed_role="r\\u00f4le"'],
    ["\u{1f600}", 'claimed_role="\\ud83d\\ude00"'],
  ])("a role named %j is shown as %s", (roleName, expected) => {
    expect(toText(eventOf("imds.role_changed", { claimed: { roleName } }))).toMatch(
      new RegExp(`${escapeRegExp(expected)}$`),
    );
  });

  test("a flood in one part does not push out the others", () => {
    const flood = "\u{1f600}".repeat(2_000);
    const says = { source: flood, value: flood, says: flood };
    const claimed = { accountId: flood, roleName: flood, region: flood, instanceId: flood, accessKeyId: flood };
    const responder = { mac: flood, interface: flood, gateway: flood, route: flood, localAddress: flood };
    const line = toText(
      eventOf("imds.identity_changed", {
        message: flood,
        claimed,
        responder,
        evidence: [says, says],
        advice: `Rotate ${flood}`,
      }),
    );
    expect(line.length).toBeLessThanOrEqual(MAX_LINE);
    expect(line).toContain(" [imds.identity_changed] claimed_account=");
    expect(line).toContain(" ... advice: Rotate ");
  });

  test("is one bounded line of printable ASCII whatever comes in", () => {
    fc.assert(
      fc.property(anyCode, anyDetails, (code, details) => {
        const line = toText(eventOf(code, details));
        expect(line).toMatch(/^imds-guard: (?:info|notice|warning|error|critical): [ -~]+$/);
        expect(line.length).toBeLessThanOrEqual(MAX_LINE);
      }),
      { numRuns: 200 },
    );
  });

  test("holds for events that did not come from the reporter", () => {
    fc.assert(
      fc.property(anyDetails, fc.string({ unit: "binary", maxLength: 6_000 }), (details, text) => {
        const raw = {
          ...eventOf("imds.no_role"),
          ...details,
          message: text,
          advice: text,
          evidence: details.evidence ?? [],
        } as GuardEvent;
        expect(toText(raw)).toMatch(/^[ -~]{1,4000}$/);
      }),
      { numRuns: 60 },
    );
  });
});

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
