/** The policies of the perimeter in the hands of parliament, a linter of IAM policies. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { perimeterPolicies } from "../../src/detection/perimeter.js";

const SCRIPT = `
import json, sys
from parliament import analyze_policy_string
print(json.dumps([
    [str(finding) for finding in analyze_policy_string(policy).findings] for policy in json.load(sys.stdin)
]))`;

const folder = mkdtempSync(join(tmpdir(), "imds-guard-parliament-"));
const python = join(folder, "bin", "python");
const run = (command: string, args: readonly string[], input = "") =>
  spawnSync(command, args, { input, encoding: "utf8", timeout: 300_000 });
const installed =
  run("python3", ["-m", "venv", folder]).status === 0 &&
  run(python, [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--retries",
    "1",
    "parliament",
    "setuptools<81",
  ]).status === 0;
if (!installed)
  process.stdout.write("skipped: python3 with venv or PyPI is not here, so no linter reads the policies\n");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!installed)("parliament", () => {
  const lint = (documents: readonly object[]): string[][] => {
    const { status, stdout, stderr } = run(
      python,
      ["-c", SCRIPT],
      JSON.stringify(documents.map((one) => JSON.stringify(one))),
    );
    expect(status, stderr).toBe(0);
    return JSON.parse(stdout) as string[][];
  };

  it.each([
    ["accounts", { accounts: ["111122223333", "444455556666"] }],
    ["endpoints", { accounts: ["111122223333"], vpceIds: ["vpce-0123456789abcdef0"] }],
    ["an organization", { accounts: ["111122223333"], organizationId: "o-a1b2c3d4e5" }],
  ])("objects to nothing in the policies for %s", (_, options) => {
    // It knows policies of principals: in those of endpoints and resources a principal is what it cannot place.
    const documents = perimeterPolicies(options).map(({ document }) => ({
      ...document,
      Statement: document.Statement.map(({ Principal: _principal, ...rest }) => rest),
    }));
    // A global key that AWS documents and parliament's list of them lacks.
    const findings = lint(documents).map((all) => all.filter((finding) => !finding.includes("aws:ViaAWSService")));
    expect(findings).toEqual(documents.map(() => []));
  });

  it("would object to a condition that does not exist", () => {
    const wrong = {
      Version: "2012-10-17",
      Statement: [{ Effect: "Deny", Action: "s3:NoSuchAction", Resource: "*" }],
    };
    expect(lint([wrong])[0]).not.toEqual([]);
  });
});
