/** What the errors of AWS mean, in words. */
import { describe, expect, test } from "vitest";
import { clockInWords, isPassing, refused, unreachable } from "../../src/roles-anywhere/failures.js";

const error = (type = "", message = "") => ({ type, message });

test.each([
  [429, "", true],
  [500, "", true],
  [503, "x", true],
  [499, "", false],
  [403, "AccessDeniedException", false],
  [400, "ThrottlingException", true],
  [400, "TooManyRequestsException", true],
  [400, "ServiceUnavailableException", true],
  [400, "InternalServerException", true],
])("HTTP %i %s may pass: %s", (status, type, passes) => {
  expect(isPassing(status, error(type))).toBe(passes);
});

test.each([
  [0, undefined],
  [59_499, undefined],
  [-59_499, undefined],
  [59_500, "1 minutes ahead"],
  [-60_000, "1 minutes behind"],
  [125_000, "2 minutes 5 seconds ahead"],
  [-3_600_000, "1 hours behind"],
  [3_725_000, "1 hours 2 minutes ahead"],
  [-90_061_000, "1 days 1 hours behind"],
  [86_400_000 * 400, "400 days ahead"],
])("%i ms are %s", (ms, words) => {
  expect(clockInWords(ms)).toBe(words);
});

describe("a refusal", () => {
  test.each([
    [403, "AccessDeniedException", /"Invalid signature".*"Untrusted".*roleSessionName.*sts:SetSourceIdentity/],
    [404, "ResourceNotFoundException", /^There is no such trust anchor or profile in this region/],
    [400, "ValidationException", /^Compare the ARNs, and the duration.*900 to 43200/],
    [407, "", /^The proxy wants other credentials\.$/],
    [418, "", /^Compare trust anchor, profile, role and region/],
  ])("HTTP %i %s", (status, type, advice) => {
    const told = refused("POST /sessions", status, error(type, "because\nof"), undefined);
    const word = type === "" ? "" : ` ${type}`;
    expect(told).toMatchObject({
      code: "ERR_ROLES_ANYWHERE_REFUSED",
      evidence: [{ source: "POST /sessions", value: `${status}${word}` }],
    });
    expect(told.evidence).toHaveLength(1);
    expect(told.message).toMatch(new RegExp(`^AWS refused POST /sessions \\(HTTP ${status}${word}\\): .*because`));
    expect(told.message).not.toContain("\n");
    expect(told.advice).toMatch(advice);
  });

  test("without a message", () => {
    const told = refused("POST /sessions", 418, error(), undefined);
    expect(told.message).toContain("AWS refused POST /sessions (HTTP 418)");
    expect(told.evidence).toEqual([{ source: "POST /sessions", value: "418", says: "refused" }]);
  });

  test("by a clock that is wrong, before any other advice", () => {
    const told = refused("POST /sessions", 403, error("AccessDeniedException"), 600_000, "other advice");
    expect(told.advice).toBe("The clock of this host is 10 minutes ahead: set it right, and keep it so with NTP.");
    expect(told.evidence[1]).toEqual({
      source: "Date of the answer",
      says: "the clock of this host is 10 minutes ahead",
    });
  });

  test("with advice of its own where the clock is right", () => {
    expect(refused("GET /x", 403, error(), 1_000, "other advice").advice).toBe("other advice");
    expect(refused("GET /x", 403, error(), 1_000).evidence).toHaveLength(1);
  });
});

test("nobody there", () => {
  const cause = new Error("x");
  const told = unreachable("POST /sessions", "no answer within 10000 ms", cause);
  expect(told).toMatchObject({
    code: "ERR_ROLES_ANYWHERE_UNREACHABLE",
    evidence: [{ source: "POST /sessions", says: "no answer within 10000 ms" }],
    cause,
  });
  expect(told.message).toContain("No answer to POST /sessions: no answer within 10000 ms");
  expect(told.advice).toMatch(/HTTPS_PROXY, AWS_CA_BUNDLE/);
});
