/** Which shared config files are let pass and which are complained about, in the cases all AWS SDKs share. */
import { describe, expect, test } from "vitest";
import { readProfile } from "../../src/settings/config-files.js";
import { makeHome } from "../settings/home.js";
import { readCases } from "./peer-cases.js";

interface Case {
  readonly name: string;
  readonly input: { readonly configFile?: string; readonly credentialsFile?: string };
  readonly output: { readonly errorContaining?: string };
}

const cases = readCases("profile-parser", "smithy-rs/profile-parser-tests.json") as readonly Case[];

/**
 * Forms that the specification knows and the SDK's loader for JavaScript passes over: read by it, settings would
 * vanish.
 */
const UNREAD = /passes over|comment right behind a section|cannot hold/;

/** A file in which nothing of ours can stand is passed over as the SDK does; one that mentions us is read strictly. */
const MENTION = "# imds_guard\n";

function complaintOf({ input, output }: Case): string | undefined {
  const mention = output.errorContaining === undefined ? "" : MENTION;
  const home = makeHome({
    ...(input.configFile !== undefined && { config: mention + input.configFile }),
    ...(input.credentialsFile !== undefined && { credentials: mention + input.credentialsFile }),
  });
  return readProfile("foo", {}, home.system()).problem?.message.replace(/^.* cannot be used: /, "");
}

describe.skipIf(cases.length === 0)("the shared format", () => {
  test.each(cases.map((given) => [given.name, given] as const))("%s", (_, given) => {
    const complaint = complaintOf(given);
    if (given.output.errorContaining !== undefined) expect(complaint).toBeDefined();
    else expect(complaint === undefined || UNREAD.test(complaint) ? undefined : complaint).toBeUndefined();
  });

  test("is counted", () => {
    const complaints = cases.map((given) => ({ given, complaint: complaintOf(given) }));
    const unread = complaints.filter(
      ({ given, complaint }) => given.output.errorContaining === undefined && complaint !== undefined,
    );
    console.log(
      [
        `conformance/profile-parser: ${cases.length} cases, ${unread.length} legal ones refused because the SDK's loader would misread them`,
        ...unread.map(({ given, complaint }) => `  ${given.name} ${complaint ?? ""}`),
      ].join("\n"),
    );
    expect(unread.length).toBeLessThan(cases.length / 4);
  });
});
