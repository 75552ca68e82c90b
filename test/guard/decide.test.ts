import { describe, expect, test, vi } from "vitest";
import type { Decision, DecisionSettings, Proof } from "../../src/guard/decide.js";
import { decide, reportRefusal } from "../../src/guard/decide.js";
import type { RefusalCode } from "../../src/base/errors.js";
import type { EventCode } from "../../src/events/weights.js";
import type { HostReport, Verdict } from "../../src/host/report.js";
import type { Endpoint } from "../../src/settings/endpoint.js";
import { parseEndpoint } from "../../src/settings/endpoint.js";
import type { AttestationMode, EndpointOverride, Mode } from "../../src/settings/options.js";
import { fc } from "../support/properties.js";
import { golden } from "../support/wording.js";

// Properties and processes of their own take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const VERDICTS: readonly Verdict[] = ["ec2", "not-ec2", "unknown"];
const MODES: readonly Mode[] = ["ec2-only", "allow", "deny"];
const ATTESTATIONS: readonly AttestationMode[] = ["auto", "required", "off"];
const ACCOUNTS: readonly (readonly string[])[] = [[], ["111122223333"]];

const evidence: HostReport["evidence"] = [];
const host = (verdict: Verdict) => ({ verdict, reason: `it looks like ${verdict}`, evidence });

function override(owner: EndpointOverride["owner"], text: string): EndpointOverride {
  const setting = owner === "guard" ? "guard.endpoint" : "AWS_EC2_METADATA_SERVICE_ENDPOINT";
  return { endpoint: parseEndpoint(text) as Endpoint, owner, setting };
}

/** Every kind of endpoint a setting can name. */
const OVERRIDES = {
  none: undefined,
  "aws, pinned": override("aws", "http://169.254.169.254"),
  "aws, pinned IPv6": override("aws", "http://[fd00:ec2::254]/"),
  "aws, pinned in IPv6 dress": override("aws", "http://[::ffff:169.254.169.254]"),
  "guard, pinned": override("guard", "http://169.254.169.254:80"),
  "aws, loopback": override("aws", "http://127.0.0.1:9911"),
  "aws, loopback IPv6": override("aws", "http://[::1]:9911"),
  "aws, localhost": override("aws", "http://localhost:9911"),
  "guard, loopback": override("guard", "http://127.0.0.53"),
  "aws, elsewhere": override("aws", "http://192.0.2.1"),
  "aws, name": override("aws", "http://imds.example.com"),
  "aws, pinned address at another port": override("aws", "http://169.254.169.254:8080"),
  "guard, elsewhere": override("guard", "http://192.0.2.1:1338"),
  "guard, name": override("guard", "http://imds.example.com"),
} as const;
type OverrideKind = keyof typeof OVERRIDES;
const KINDS = Object.keys(OVERRIDES) as OverrideKind[];

interface Row {
  readonly verdict: Verdict;
  readonly mode: Mode;
  readonly attestation: AttestationMode;
  readonly kind: OverrideKind;
  readonly accounts: readonly string[];
  readonly disabledBy: string | undefined;
}

const rows: Row[] = VERDICTS.flatMap((verdict) =>
  MODES.flatMap((mode) =>
    ATTESTATIONS.flatMap((attestation) =>
      KINDS.flatMap((kind) =>
        ACCOUNTS.flatMap((accounts) =>
          [undefined, "AWS_EC2_METADATA_DISABLED"].map((disabledBy) => ({
            verdict,
            mode,
            attestation,
            kind,
            accounts,
            disabledBy,
          })),
        ),
      ),
    ),
  ),
);

const settingsOf = ({ mode, attestation, kind, accounts, disabledBy }: Row): DecisionSettings => ({
  mode,
  attestation,
  expectedAccounts: accounts,
  override: OVERRIDES[kind],
  endpointMode: "IPv4",
  disabledBy,
});

const outcomeOf = (row: Row): Decision => decide(settingsOf(row), host(row.verdict));

type Expected = readonly ["refuse", RefusalCode, EventCode] | readonly ["contact", Proof, ...EventCode[]];

/** The table, as prose would say it: the first line that fits decides. */
function expected({ verdict, mode, attestation, kind, accounts, disabledBy }: Row): Expected {
  if (disabledBy !== undefined || mode === "deny") return ["refuse", "ERR_IMDS_DISABLED", "imds.refused_disabled"];
  const off: Proof = attestation === "off" ? "none" : "required";
  const stranger: EventCode[] = accounts.length === 0 ? ["imds.unattested_allowed"] : [];
  if (/loopback|localhost/.test(kind))
    return ["contact", attestation === "required" ? "required" : "none", "imds.endpoint_override_accepted"];
  if (/elsewhere|name|another port/.test(kind)) {
    if (kind.startsWith("guard") && mode === "allow") return ["contact", off, ...stranger];
    return ["refuse", "ERR_IMDS_ENDPOINT_OVERRIDE", "imds.endpoint_override_refused"];
  }
  if (verdict === "ec2") return ["contact", attestation === "auto" ? "unless-unknown-region" : off];
  if (mode === "allow") return ["contact", off, ...stranger];
  if (verdict === "not-ec2") return ["refuse", "ERR_IMDS_NOT_EC2", "imds.refused_not_ec2"];
  if (attestation !== "off" && accounts.length > 0) return ["contact", "required"];
  return ["refuse", "ERR_IMDS_HOST_UNKNOWN", "imds.refused_unknown_host"];
}

function shown(decision: Decision): Expected {
  if (decision.kind === "refuse") return ["refuse", decision.code, decision.event];
  return ["contact", decision.proof, ...decision.notices.map(({ code }) => code)];
}

describe("the decision table", () => {
  const DEFAULTS = {
    mode: "ec2-only",
    attestation: "auto",
    kind: "none",
    accounts: [],
    disabledBy: undefined,
  } as const;
  const PINNED = ["111122223333"];

  test.each<[string, Partial<Row> & Pick<Row, "verdict">, Expected]>([
    ["EC2 is asked and has to prove itself", { verdict: "ec2" }, ["contact", "unless-unknown-region"]],
    ["EC2, proof required", { verdict: "ec2", attestation: "required" }, ["contact", "required"]],
    ["EC2, proof off", { verdict: "ec2", attestation: "off" }, ["contact", "none"]],
    ["EC2, allow changes nothing", { verdict: "ec2", mode: "allow" }, ["contact", "unless-unknown-region"]],
    ["EC2 by its IPv6 address", { verdict: "ec2", kind: "aws, pinned IPv6" }, ["contact", "unless-unknown-region"]],
    ["elsewhere nothing is asked", { verdict: "not-ec2" }, ["refuse", "ERR_IMDS_NOT_EC2", "imds.refused_not_ec2"]],
    [
      "elsewhere an expected account does not help",
      { verdict: "not-ec2", accounts: PINNED },
      ["refuse", "ERR_IMDS_NOT_EC2", "imds.refused_not_ec2"],
    ],
    [
      "elsewhere naming the real address does not help",
      { verdict: "not-ec2", kind: "guard, pinned" },
      ["refuse", "ERR_IMDS_NOT_EC2", "imds.refused_not_ec2"],
    ],
    [
      "an unknown host is not asked",
      { verdict: "unknown" },
      ["refuse", "ERR_IMDS_HOST_UNKNOWN", "imds.refused_unknown_host"],
    ],
    [
      "an unknown host with signature and account to be proved is",
      { verdict: "unknown", accounts: PINNED },
      ["contact", "required"],
    ],
    [
      "an unknown host with an account but no signature is not",
      { verdict: "unknown", accounts: PINNED, attestation: "off" },
      ["refuse", "ERR_IMDS_HOST_UNKNOWN", "imds.refused_unknown_host"],
    ],
    [
      "an unknown host with a signature but no account is not",
      { verdict: "unknown", attestation: "required" },
      ["refuse", "ERR_IMDS_HOST_UNKNOWN", "imds.refused_unknown_host"],
    ],
    [
      "AWS's loopback endpoint is explicit",
      { verdict: "not-ec2", kind: "aws, loopback" },
      ["contact", "none", "imds.endpoint_override_accepted"],
    ],
    [
      "a name of this machine as well",
      { verdict: "unknown", kind: "aws, localhost" },
      ["contact", "none", "imds.endpoint_override_accepted"],
    ],
    [
      "loopback with proof required has to give it",
      { verdict: "not-ec2", kind: "aws, loopback", attestation: "required" },
      ["contact", "required", "imds.endpoint_override_accepted"],
    ],
    [
      "any other override is refused",
      { verdict: "ec2", kind: "aws, elsewhere" },
      ["refuse", "ERR_IMDS_ENDPOINT_OVERRIDE", "imds.endpoint_override_refused"],
    ],
    [
      "any other override of AWS's is refused even with allow",
      { verdict: "not-ec2", mode: "allow", kind: "aws, name" },
      ["refuse", "ERR_IMDS_ENDPOINT_OVERRIDE", "imds.endpoint_override_refused"],
    ],
    [
      "the real address at another port is another endpoint",
      { verdict: "ec2", kind: "aws, pinned address at another port" },
      ["refuse", "ERR_IMDS_ENDPOINT_OVERRIDE", "imds.endpoint_override_refused"],
    ],
    [
      "the guard's own endpoint needs allow",
      { verdict: "not-ec2", kind: "guard, elsewhere" },
      ["refuse", "ERR_IMDS_ENDPOINT_OVERRIDE", "imds.endpoint_override_refused"],
    ],
    [
      "the guard's own endpoint with allow",
      { verdict: "not-ec2", mode: "allow", kind: "guard, elsewhere", accounts: PINNED },
      ["contact", "required"],
    ],
    [
      "allow without an account warns",
      { verdict: "not-ec2", mode: "allow" },
      ["contact", "required", "imds.unattested_allowed"],
    ],
    [
      "allow with an account does not",
      { verdict: "unknown", mode: "allow", accounts: PINNED },
      ["contact", "required"],
    ],
    [
      "allow without proof",
      { verdict: "not-ec2", mode: "allow", attestation: "off", accounts: PINNED },
      ["contact", "none"],
    ],
    [
      "deny is no, also on EC2",
      { verdict: "ec2", mode: "deny" },
      ["refuse", "ERR_IMDS_DISABLED", "imds.refused_disabled"],
    ],
    [
      "deny is no, also on loopback",
      { verdict: "not-ec2", mode: "deny", kind: "aws, loopback" },
      ["refuse", "ERR_IMDS_DISABLED", "imds.refused_disabled"],
    ],
    [
      "disabled is no, also with allow",
      { verdict: "ec2", mode: "allow", disabledBy: "AWS_EC2_METADATA_DISABLED" },
      ["refuse", "ERR_IMDS_DISABLED", "imds.refused_disabled"],
    ],
  ])("%s", (_, row, outcome) => {
    expect(shown(outcomeOf({ ...DEFAULTS, ...row }))).toEqual(outcome);
  });

  test(`holds in each of its ${rows.length} combinations`, () => {
    const wrong = rows.filter((row) => JSON.stringify(shown(outcomeOf(row))) !== JSON.stringify(expected(row)));
    expect(wrong).toEqual([]);
  });
});

describe("what a decision says", () => {
  const row: Row = {
    verdict: "not-ec2",
    mode: "ec2-only",
    attestation: "auto",
    kind: "none",
    accounts: [],
    disabledBy: undefined,
  };

  test("every sentence is the one that is kept", async () => {
    const seen = [{ source: "/sys/class/dmi/id/sys_vendor", value: "LENOVO", says: "another vendor" }] as never;
    const said = (settings: Partial<DecisionSettings>, verdict: Verdict, advice?: string): object => {
      const of = { verdict, reason: "the vendor is LENOVO", evidence: seen, ...(advice !== undefined && { advice }) };
      const decision = decide({ ...settingsOf(row), ...settings }, of);
      if (decision.kind === "contact") return decision.notices;
      const events: unknown[] = [];
      const report = (code: EventCode, details: unknown): void => {
        events.push([code, (details as () => object)()]);
      };
      reportRefusal({ report }, decision);
      const { code, event, reason, advice: told, evidence: shown, target } = decision;
      return { code, event, reason, advice: told, evidence: shown, target, events };
    };
    const allow = { mode: "allow" } as const;
    const texts = {
      "disabled by a variable": said({ disabledBy: "AWS_EC2_METADATA_DISABLED" }, "ec2"),
      "mode deny": said({ mode: "deny" }, "ec2"),
      "no EC2": said({}, "not-ec2"),
      "no EC2, and a profile that is missing": said({ missingProfile: "pr\nod" }, "not-ec2"),
      "an unknown host": said({}, "unknown"),
      "an unknown host that has advice": said({}, "unknown", "Mount /sys."),
      "an unknown host without proof": said({ attestation: "off", expectedAccounts: ["111122223333"] }, "unknown"),
      "an unknown host without anything": said({ attestation: "off" }, "unknown"),
      "AWS's endpoint elsewhere": said({ override: OVERRIDES["aws, elsewhere"] }, "ec2"),
      "the guard's endpoint elsewhere": said({ override: OVERRIDES["guard, elsewhere"] }, "ec2"),
      "an IPv6 endpoint elsewhere": said({ override: override("aws", "http://[2001:db8::1]:8080") }, "ec2"),
      "a loopback endpoint": said({ override: OVERRIDES["aws, loopback"] }, "ec2"),
      "a loopback endpoint, and a profile that is missing": said(
        { override: OVERRIDES["aws, loopback"], missingProfile: "prod" },
        "ec2",
      ),
      "allowed off EC2": said(allow, "not-ec2"),
      "allowed off EC2 for known accounts": said({ ...allow, expectedAccounts: ["111122223333"] }, "not-ec2"),
      "an endpoint that is allowed": said({ ...allow, override: OVERRIDES["guard, elsewhere"] }, "not-ec2"),
      "an emulator": said({ emulator: "on", override: override("aws", "http://imds:1338") }, "not-ec2"),
    };
    await expect(golden(texts)).toMatchFileSnapshot("golden/decisions.json");
  });

  test("every refusal has a reason, advice, an event, evidence where there is any, and where it would have gone", () => {
    for (const refusal of rows.map(outcomeOf)) {
      if (refusal.kind !== "refuse") continue;
      expect(refusal.reason).toMatch(/^\S.*[^.]$/);
      expect(refusal.advice).toMatch(/^[A-Z].*\.$/);
      expect(refusal.target.port).toBeGreaterThan(0);
    }
  });

  test("a refusal names the setting that caused it", () => {
    const disabled = outcomeOf({ ...row, disabledBy: "disable_ec2_metadata" });
    const refused = outcomeOf({ ...row, kind: "aws, elsewhere" });
    expect(disabled).toMatchObject({
      reason: "IMDS is disabled by disable_ec2_metadata",
      evidence: [{ source: "disable_ec2_metadata" }],
    });
    expect(refused).toMatchObject({
      reason:
        "AWS_EC2_METADATA_SERVICE_ENDPOINT points IMDS at 192.0.2.1 port 80, which is neither the metadata address nor this machine",
      evidence: [{ source: "AWS_EC2_METADATA_SERVICE_ENDPOINT", value: "192.0.2.1 port 80" }],
      target: { kind: "address", host: "192.0.2.1", port: 80 },
    });
  });

  test("a refusal of a host gives the host's reason and evidence", () => {
    const seen = [
      { source: "/sys/class/dmi/id/sys_vendor", value: "LENOVO", says: "another vendor", weight: "veto" },
    ] as unknown as HostReport["evidence"];
    const said = decide(settingsOf(row), { verdict: "not-ec2", reason: "the vendor is LENOVO", evidence: seen });
    expect(said).toMatchObject({ reason: "this host is not EC2: the vendor is LENOVO", evidence: seen });
  });

  test.each<[AttestationMode, readonly string[], string]>([
    ["auto", [], "expectedAccounts is not set"],
    ["off", ["111122223333"], "attestation is off"],
    ["off", [], "expectedAccounts is not set and attestation is off"],
  ])("an unknown host is told what was missing (attestation %s, accounts %j)", (attestation, accounts, missing) => {
    const refusal = outcomeOf({ ...row, verdict: "unknown", attestation, accounts });
    expect(refusal).toMatchObject({ code: "ERR_IMDS_HOST_UNKNOWN" });
    expect((refusal as { reason: string }).reason).toMatch(new RegExp(`, and ${missing}$`));
  });

  test("IPv6 mode goes to the IPv6 address", () => {
    const decision = decide({ ...settingsOf({ ...row, verdict: "ec2" }), endpointMode: "IPv6" }, host("ec2"));
    expect(decision.target).toEqual({ kind: "address", host: "fd00:ec2::254", port: 80 });
    expect(outcomeOf({ ...row, verdict: "ec2" }).target).toEqual({
      kind: "address",
      host: "169.254.169.254",
      port: 80,
    });
  });

  test("where no family is set, the IPv6 address is the spare one, and no other target has one", () => {
    const targetOf = (settings: Partial<DecisionSettings>): object =>
      decide({ ...settingsOf({ ...row, verdict: "ec2" }), endpointMode: undefined, ...settings }, host("ec2")).target;
    expect(targetOf({})).toEqual({ kind: "address", host: "169.254.169.254", port: 80, spare: "fd00:ec2::254" });
    expect(targetOf({ override: OVERRIDES["aws, localhost"] })).toEqual({
      kind: "name",
      host: "localhost",
      port: 9911,
    });
  });

  test("an endpoint wins over the mode of addresses", () => {
    const decision = decide({ ...settingsOf({ ...row, kind: "aws, loopback" }), endpointMode: "IPv6" }, host("ec2"));
    expect(decision.target).toEqual({ kind: "address", host: "127.0.0.1", port: 9911 });
  });

  test("the guard's own endpoint on EC2 is not said to be off EC2", () => {
    const decision = outcomeOf({ ...row, verdict: "ec2", mode: "allow", kind: "guard, elsewhere" });
    expect(decision.kind === "contact" && decision.notices[0]?.message).not.toContain("does not prove to be EC2");
  });
});

describe("whatever is set", () => {
  const anyEndpoint = fc
    .tuple(
      fc.oneof(
        fc.ipV4(),
        fc.ipV6().map((ip) => `[${ip}]`),
        fc.domain(),
        fc.constantFrom("localhost", "a.localhost", "127.0.0.1", "169.254.169.254"),
      ),
      fc.integer({ min: 1, max: 65_535 }),
    )
    .map(([name, port]) => parseEndpoint(`http://${name}:${port}`))
    .filter((endpoint): endpoint is Endpoint => "host" in endpoint);
  const anySettings: fc.Arbitrary<DecisionSettings> = fc.record({
    mode: fc.constantFrom(...MODES),
    attestation: fc.constantFrom(...ATTESTATIONS),
    expectedAccounts: fc.constantFrom(...ACCOUNTS),
    override: fc.option(
      fc.record({
        endpoint: anyEndpoint,
        owner: fc.constantFrom<("guard" | "aws")[]>("guard", "aws"),
        setting: fc.constant("x"),
      }),
      { nil: undefined },
    ),
    endpointMode: fc.constantFrom<("IPv4" | "IPv6")[]>("IPv4", "IPv6"),
    disabledBy: fc.constantFrom(undefined, undefined, "x"),
  });
  const PINNED = /^(169\.254\.169\.254|fd00:ec2::254)$/;

  test("a contact is never against a deny, off a pin without leave, or to a stranger's endpoint of AWS's setting", () => {
    fc.assert(
      fc.property(anySettings, fc.constantFrom(...VERDICTS), (settings, verdict) => {
        const decision = decide(settings, host(verdict));
        if (decision.kind === "refuse") return;
        const { endpoint, owner } = settings.override ?? {};
        const pinned = PINNED.test(decision.target.host) && decision.target.port === 80;
        expect(settings.mode).not.toBe("deny");
        expect(settings.disabledBy).toBeUndefined();
        if (endpoint) expect([decision.target.host, decision.target.port]).toEqual([endpoint.host, endpoint.port]);
        if (!pinned && endpoint?.loopback !== true) expect([owner, settings.mode]).toEqual(["guard", "allow"]);
        if (pinned && verdict === "not-ec2") expect(settings.mode).toBe("allow");
        if (pinned && verdict === "unknown" && settings.mode === "ec2-only") {
          expect(decision.proof).toBe("required");
          expect(settings.expectedAccounts).not.toEqual([]);
        }
        if (decision.proof === "none")
          expect(
            settings.attestation === "off" || (endpoint?.loopback === true && settings.attestation === "auto"),
          ).toBe(true);
        if (decision.proof === "unless-unknown-region") expect(verdict).toBe("ec2");
      }),
      { numRuns: 2_000 },
    );
  });
});
