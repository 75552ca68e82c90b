/** The page of scan: everything that a log says is text, and nothing is loaded. */
import { describe, expect, it } from "vitest";
import { SaxesParser } from "saxes";
import { scanPage } from "../../src/cli/scan-page.js";
import { scan } from "../../src/detection/scan.js";
import { bytesOf } from "../detection/samples.js";
import { CORPUS, contentOf } from "../detection/corpus.js";

const NOW = Date.UTC(2026, 10, 21, 12);

describe("the page of scan", () => {
  it("shows what a log says as text, and loads nothing", async () => {
    const evil = `203.0.113.7 - - [05/Jul/2026:12:00:00 +0200] "GET /<script>alert(1)</script>?u=http://169.254.169.254/"onload=x HTTP/1.1" 200 9 "-" "<img src=//evil.example/x>"`;
    const summary = await scan([{ name: "<b>x</b>", stream: bytesOf(`${evil}\napp: 169.254.169.254 <i>here</i>\n`) }]);
    const page = scanPage(summary, NOW);
    expect(page).not.toMatch(/<script|<img|<b>x|<i>here/);
    expect(page).toContain("default-src 'none'");
    expect(page).not.toMatch(/(?:src|href|url)\s*[=(]\s*["']?(?!http:\/\/169)/);
  });

  it("is well formed with all of the corpus, with nothing and with files that could not be read", async () => {
    const all = await scan(CORPUS.map((sample) => ({ name: sample.file, stream: bytesOf(contentOf(sample)) })));
    const none = await scan([]);
    const unread = await scan([{ name: "x", stream: bytesOf(Buffer.from("d4c3b2a1", "hex")) }]);
    for (const summary of [all, none, unread]) {
      const page = scanPage(summary, NOW);
      const parser = new SaxesParser();
      const problems: string[] = [];
      parser.on("error", ({ message }) => problems.push(message));
      // What HTML leaves open
      parser.write(page.replace("<!doctype html>", "").replace(/<(meta[^>]*|br)>/g, "<$1/>")).close();
      expect(problems).toEqual([]);
    }
  });
});
