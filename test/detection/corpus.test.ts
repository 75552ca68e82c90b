/** The corpus of lines as products write them: each that holds something is found or said, and its harmless twin is quiet. */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { LOG_FORMATS } from "../../src/detection/log-formats.js";
import { WRAPPERS } from "../../src/detection/log-wrappers.js";
import { scan } from "../../src/detection/scan.js";
import type { ScanFinding } from "../../src/detection/scan-finding.js";
import type { ScanSummary } from "../../src/detection/scan-summary.js";
import { CORPUS, contentOf, harmless } from "./corpus.js";
import { bytesOf } from "./samples.js";

const NOW = Date.UTC(2026, 10, 21, 12);

async function scanned(content: string): Promise<{ summary: ScanSummary; findings: ScanFinding[] }> {
  const findings: ScanFinding[] = [];
  const summary = await scan([{ name: "x", stream: bytesOf(content) }], {
    now: () => NOW,
    onFinding: (finding) => void findings.push(finding),
  });
  return { summary, findings };
}

const linesOf = (findings: readonly ScanFinding[]): number => new Set(findings.map(({ line }) => line)).size;

describe("the corpus", () => {
  it("is listed", () => {
    const files = readdirSync(new URL("./corpus", import.meta.url));
    expect(CORPUS.map(({ file }) => file).toSorted()).toEqual(files.toSorted());
  });

  it.each(CORPUS)("$title: everything is found or said, and nothing else", async (sample) => {
    const { summary, findings } = await scanned(contentOf(sample));
    expect(linesOf(findings) + summary.unjudged).toBe(sample.planted);
    expect(summary.malformed).toBe(0);
    if (sample.always === true) return;
    const twin = await scanned(harmless(contentOf(sample)));
    expect(twin.findings).toEqual([]);
    expect(twin.summary).toMatchObject({ unjudged: 0, malformed: 0 });
  });

  it("is shown in the documentation as it came out", async () => {
    const rows: string[] = [];
    let found = 0;
    let planted = 0;
    let wrong = 0;
    let unjudged = 0;
    for (const sample of CORPUS) {
      const { summary, findings } = await scanned(contentOf(sample));
      const twin = sample.always === true ? undefined : await scanned(harmless(contentOf(sample)));
      const format = summary.sources[0]?.format ?? "no";
      found += linesOf(findings);
      planted += sample.planted;
      unjudged += summary.unjudged;
      wrong += twin?.findings.length ?? 0;
      rows.push(
        `| ${sample.title} | ${format} | ${linesOf(findings)} of ${sample.planted} | ${twin?.findings.length ?? "-"} | ${summary.unjudged} |`,
      );
    }
    const formats = LOG_FORMATS.map(
      ({ name, title, recognised }) => `| \`${name}\` | ${title} | ${recognised.replaceAll("|", "\\|")} |`,
    );
    const wrappers = [...new Set(WRAPPERS.map(({ title }) => title))].map((title) => `- ${title}`);
    const page = `<!-- Written by test/detection/corpus.test.ts; vitest -u writes it anew. -->

# Log formats

\`imds-guard scan\` finds out the format of each line by itself, behind whatever it is wrapped in. \`--format NAME\` names one.

| name | what | recognised by |
|---|---|---|
${formats.join("\n")}
| \`json\`, \`csv\`, \`pairs\` | the last resort: any JSON, CSV or name=value line | a field that holds nothing but an address of the metadata service |

## Wrappers

Peeled off in any nesting:

${wrappers.join("\n")}
- envelopes in JSON: journald, Docker json-file, Filebeat, Logstash and Vector (\`message\`, \`event.original\`), CloudWatch
  Logs (events, subscriptions, Insights), Firehose, Splunk (\`_raw\`), Loki, EventBridge, OpenTelemetry
- texts that the journal exports as lists of bytes, and gzip in Base64

## What was found in lines of each

One file of test/detection/corpus a row: lines as the product writes them, with the address of the metadata service put where it
would stand. "False" are findings in the same lines about another address. What no rule judged is shown by \`scan\` as such, and
its exit code is 3 where there is nothing else.

| lines of | read as | found | false | not judged |
|---|---|---|---|---|
${rows.join("\n")}
| all | | ${found} of ${planted} | ${wrong} | ${unjudged} |
`;
    await expect(page).toMatchFileSnapshot("../../docs/log-formats.md");
  });
});
