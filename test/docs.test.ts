/** Documentation and code say the same: the tables of settings, errors and events are held against what they document. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import {
  ImdsGuardSettingsError,
  ImdsImpersonationError,
  ImdsRefusedError,
  ImdsUnavailableError,
  ImdsUntrustedError,
} from "../src/base/errors.js";
import { CATALOGUE } from "../src/events/catalogue.js";
import { resolveSettings } from "../src/settings/resolve.js";
import { SETTINGS } from "../src/settings/table.js";
import { realSystem } from "../src/base/system.js";

const ROOT = resolve(import.meta.dirname, "..");
const page = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** The rows of the table of docs/MARKER.md that follows the marker comment of that name, backticks removed. */
function table(marker: string): string[][] {
  const [, after = ""] = page(`docs/${marker}.md`).split(`<!-- ${marker}: `);
  const lines = after.split("\n").slice(1);
  const end = lines.findIndex((line) => !line.startsWith("|"));
  const rows = lines.slice(2, end).map((line) => line.split("|").slice(1, -1));
  return rows.map((cells) =>
    cells.map((cell) =>
      cell
        .trim()
        .replaceAll("`", "")
        .replace(/^\[(\w+)\]\(#\1\)$/, "$1"),
    ),
  );
}

/** Error codes by kind, out of the unions in errors.ts: types leave no trace at run time. */
function errorCodes(): string[][] {
  const source = readFileSync(join(ROOT, "src/base/errors.ts"), "utf8");
  const unions = [
    ...source.matchAll(
      /export type (Refusal|Unavailable|Untrusted|Impersonation|Settings|RolesAnywhere)Code =([^;]*);/g,
    ),
  ];
  const kinds: Record<string, string> = { Refusal: "refused", RolesAnywhere: "roles-anywhere" };
  return unions.flatMap(([, name = "", body = ""]) =>
    [...body.matchAll(/"(\w+)"/g)].map(([, code = ""]) => [code, kinds[name] ?? name.toLowerCase()]),
  );
}

describe("documentation", () => {
  it("lists every setting with its names and allowed form", () => {
    const documented = table("settings").map((row) => row.slice(0, 4));
    expect(documented).toEqual(SETTINGS.map(({ name, env, key, allowed }) => [name, env, key, allowed]));
  });

  it("states the defaults", async () => {
    const bare = { ...realSystem, env: {}, readFile: () => ({ kind: "absent" }) as const };
    const { settings, problem: _problem, ...destinations } = await resolveSettings({}, bare);
    const { override, roleName, certificates, ...rest } = settings;
    const values: Record<string, unknown> = {
      ...rest,
      ...destinations,
      endpoint: override,
      ec2InstanceProfileName: roleName,
      certificates: [...certificates],
    };
    const shown = (name: string): string => {
      const value = values[name];
      if (Array.isArray(value) && value.length === 0) return name.startsWith("expected") ? "any" : "none";
      return value === undefined ? "none" : String(value);
    };
    expect(table("settings").map(([name = "", , , , fallback]) => [name, fallback])).toEqual(
      SETTINGS.map(({ name }) => [name, shown(name)]),
    );
  });

  it("lists every error code under its kind, and no other", () => {
    const sorted = (rows: readonly (readonly string[])[]) => rows.map(([code, kind]) => `${kind} ${code}`).toSorted();
    expect(sorted(table("errors"))).toEqual(sorted(errorCodes()));
    expect(errorCodes().length).toBeGreaterThan(30);
  });

  it("has a section for every error code, at the address in which messages end", () => {
    const text = page("docs/errors.md");
    const sections = [...text.matchAll(/^<a id="(\w+)"><\/a>\n\n### \1\n\n\S.*\n[^]*?\n- \S/gm)].map(
      ([, code]) => code,
    );
    expect(sections.toSorted()).toEqual(
      errorCodes()
        .map(([code]) => code)
        .toSorted(),
    );
    const { message } = new ImdsRefusedError("ERR_IMDS_NOT_EC2", "No", { advice: "" });
    expect(message).toBe("No. See docs/errors.md#ERR_IMDS_NOT_EC2");
    expect(JSON.parse(page("package.json"))).toMatchObject({
      files: expect.arrayContaining(["docs/errors.md"]) as string[],
    });
  });

  it("lists every event with its severity and action, and no other", () => {
    const rows = Object.entries(CATALOGUE).map(([code, { severity, action }]) => [code, severity, action]);
    expect(table("events").toSorted()).toEqual(rows.toSorted());
  });

  it.each([
    [new ImdsRefusedError("ERR_IMDS_NOT_EC2", "", { advice: "" })],
    [new ImdsUnavailableError("ERR_IMDS_TIMEOUT", "", { advice: "" })],
    [new ImdsUntrustedError("ERR_IMDS_REDIRECT", "", { advice: "" })],
    [new ImdsImpersonationError("ERR_IMDS_STS_MISMATCH", "", { advice: "" })],
    [new ImdsGuardSettingsError("ERR_IMDS_GUARD_SETTING", "", { advice: "" })],
  ])("states class and tryNextLink of %s", (error) => {
    expect(page("docs/errors.md")).toContain(`| \`${error.kind}\` | \`${error.name}\` | \`${error.tryNextLink}\` |`);
  });
});

it("README is one page", () => {
  expect(Buffer.byteLength(page("README.md"))).toBeLessThanOrEqual(10_240);
  expect(page("README.md").split("\n").slice(0, 30)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^npm ci && npm run demo\b/),
      expect.stringMatching(/^npm ci && npm test$/),
    ]),
  );
});

const PAGES = readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".md") && !path.startsWith("api") && !path.startsWith("."))
  .map((path) => join("docs", path));

it("lists every page at the side of the site once, and no other", () => {
  const [, side = ""] = page("docs/.vitepress/config.js").split("sidebar:");
  const listed = [...side.matchAll(/link: "\/(docs\/[\w/-]+)"/g)].map(([, path]) => `${path}.md`);
  expect(listed.toSorted()).toEqual(PAGES.toSorted());
});

/** The site lets a block of code scroll in a narrow window only where it is fenced. */
it.each(["README.md", "SECURITY.md", "CHANGELOG.md", ...PAGES])("%s fences its code", (file) => {
  const text = page(file).replace(/^```[\s\S]*?^```/gm, "");
  expect(text.match(/^\n {4}\S.*$/gm) ?? []).toEqual([]);
});

/** The names that a link may have behind `#` on a page: its headings as GitHub writes them, and anchors of its own. */
function anchorsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
  return [...headings, ...[...text.matchAll(/<a id="([^"]+)">/g)].map(([, id = ""]) => id)];
}

it.each(["README.md", "SECURITY.md", "CHANGELOG.md", ...PAGES])("%s links to what exists", (file) => {
  const targets = [...page(file).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !target.startsWith("https://"));
  const broken = targets.filter((target) => {
    const [path = "", anchor] = target.split("#");
    const linked = path === "" ? file : join(dirname(file), path);
    if (!existsSync(join(ROOT, linked))) return true;
    return anchor !== undefined && !anchorsOf(page(linked)).includes(anchor);
  });
  expect(broken).toEqual([]);
});
