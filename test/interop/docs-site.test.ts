/**
 * The site of the documentation in a browser that is installed here: every page wide and narrow, light and dark, with no
 * request to anywhere else, nothing that stands out of the page, and nothing that axe finds.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import type { Server } from "node:http";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "puppeteer-core";
import { launch } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SITE = join(ROOT, "docs/.site");
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [1_280, 390] as const;
const SCHEMES = ["light", "dark"] as const;
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".json": "application/json",
  ".woff2": "font/woff2",
};

const chromium = ["chromium", "chromium-browser", "google-chrome"].find(
  (name) => spawnSync(name, ["--version"]).status === 0,
);
if (chromium === undefined) console.log("interop (docs-site): skipped, no Chromium is installed");

describe.skipIf(chromium === undefined)("the site of the documentation", () => {
  let server: Server;
  let browser: Browser;
  let origin = "";
  const strangers: string[] = [];

  beforeAll(async () => {
    execFileSync(process.execPath, [join(ROOT, "node_modules/vitepress/bin/vitepress.js"), "build", "docs"], {
      cwd: ROOT,
      stdio: "ignore",
    });
    server = createServer((request, response) => {
      const path = normalize(decodeURIComponent((request.url ?? "/").split(/[?#]/, 1)[0] ?? "/"));
      try {
        const body = readFileSync(join(SITE, path.endsWith("/") ? `${path}index.html` : path));
        response.writeHead(200, { "Content-Type": TYPES[extname(path) || ".html"] ?? "application/octet-stream" });
        response.end(body);
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const executablePath = execFileSync("which", [chromium ?? ""], { encoding: "utf8" }).trim();
    browser = await launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  }, 300_000);

  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  it("has every page", () => {
    const pages = readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".md") && !/^(?:\.|api)/.test(path))
      .map((path) => join("docs", path.replace(/\.md$/, ".html")));
    const built = readdirSync(SITE, { recursive: true, encoding: "utf8" });
    expect(pages.filter((path) => !built.includes(path))).toEqual([]);
  });

  it.each(WIDTHS.flatMap((width) => SCHEMES.map((scheme) => [width, scheme] as const)))(
    "reads well at %i pixels, %s",
    { timeout: 600_000 },
    async (width, scheme) => {
      const pages = readdirSync(SITE, { recursive: true, encoding: "utf8" }).filter(
        (path) => path.endsWith(".html") && !path.startsWith("api") && path !== "404.html",
      );
      expect(pages.length).toBeGreaterThan(15);
      const found: unknown[] = [];
      for (const path of pages) {
        const page = await browser.newPage();
        page.on("request", (request) => {
          if (!request.url().startsWith(origin) && !request.url().startsWith("data:")) strangers.push(request.url());
        });
        await page.setViewport({ width, height: 900 });
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
        await page.goto(`${origin}/${path}`, { waitUntil: "networkidle0" });
        const overflow = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth");
        if (Number(overflow) > 0) found.push([path, `${String(overflow)} pixels stand out`]);
        await page.evaluate(AXE);
        const violations = (await page.evaluate(
          "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes.slice(0, 3).map(({ html }) => html.slice(0, 160))]))",
        )) as unknown[];
        for (const violation of violations) found.push([path, violation]);
        await page.close();
      }
      expect(found).toEqual([]);
      expect(strangers).toEqual([]);
    },
  );
});
