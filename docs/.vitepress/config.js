// @ts-check
/** The site of the documentation: the pages of this folder and those beside README, as `npm run docs` builds them. */
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Files of the repository that are no pages have no place on the site: their names stay, without a link. */
function isNoPage(/** @type {string} */ href, /** @type {string} */ page) {
  if (/^[a-z]+:|^#|^\//i.test(href)) return false;
  const path = relative(ROOT, join(dirname(page), href.split("#")[0] ?? ""));
  return !path.endsWith(".md") || path.startsWith("examples");
}

export default defineConfig({
  title: "imds-guard",
  description: "A credential chain that refuses impersonated EC2 instance metadata (IMDS)",
  lang: "en",
  srcDir: ROOT,
  outDir: join(ROOT, "docs/.site"),
  srcExclude: ["**/node_modules/**", "{src,test,examples,scripts,bench,dist,reports}/**", "docs/api/**", "docs/.site/**"],
  // Pages link to each other as they lie in the repository, so that is how they lie on the site.
  rewrites: { "README.md": "index.md" },
  cleanUrls: false,
  lastUpdated: false,
  markdown: {
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    config(md) {
      const open = md.renderer.rules.link_open;
      const close = md.renderer.rules.link_close ?? ((tokens, index, options, _env, self) => self.renderToken(tokens, index, options));
      /** @type {boolean[]} */
      const dropped = [];
      md.renderer.rules.link_open = (tokens, index, options, env, self) => {
        const drop = isNoPage(tokens[index]?.attrGet("href") ?? "", env.path ?? join(ROOT, "README.md"));
        dropped.push(drop);
        return drop ? "<span>" : (open ?? close)(tokens, index, options, env, self);
      };
      md.renderer.rules.link_close = (tokens, index, options, env, self) =>
        dropped.pop() === true ? "</span>" : close(tokens, index, options, env, self);
    },
  },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "Getting started", link: "/docs/getting-started" },
      { text: "Settings", link: "/docs/settings" },
      { text: "Errors", link: "/docs/errors" },
      { text: "API", link: "/api/index.html", target: "_self" },
    ],
    sidebar: [
      {
        text: "Start",
        items: [
          { text: "What it is", link: "/" },
          { text: "Getting started", link: "/docs/getting-started" },
          { text: "How it decides", link: "/docs/how-it-decides" },
          { text: "Migration", link: "/docs/migration" },
        ],
      },
      {
        text: "Guides",
        items: [
          { text: "An application", link: "/docs/guides/application" },
          { text: "Preload and firewall", link: "/docs/guides/preload" },
          { text: "An agent", link: "/docs/guides/agent" },
          { text: "Lambda and bundles", link: "/docs/guides/lambda" },
          { text: "Containers", link: "/docs/guides/containers" },
          { text: "CI runners", link: "/docs/guides/ci" },
          { text: "Other languages", link: "/docs/guides/other-languages" },
          { text: "The gateway", link: "/docs/gateway" },
          { text: "Roles Anywhere", link: "/docs/roles-anywhere" },
          { text: "Monitoring", link: "/docs/guides/monitoring" },
          { text: "SIEM", link: "/docs/detection" },
          { text: "Log formats", link: "/docs/log-formats" },
          { text: "Hosts and clusters", link: "/docs/guides/fleet-hosts" },
          { text: "Whose account is that?", link: "/docs/accounts" },
          { text: "The fleet", link: "/docs/fleet" },
          { text: "Incident", link: "/docs/guides/incident" },
        ],
      },
      {
        text: "Reference",
        items: [
          { text: "Settings", link: "/docs/settings" },
          { text: "Errors", link: "/docs/errors" },
          { text: "Events", link: "/docs/events" },
          { text: "Commands", link: "/docs/commands" },
          { text: "Compatibility", link: "/docs/compatibility" },
          { text: "Performance", link: "/docs/performance" },
          { text: "Stability", link: "/docs/stability" },
        ],
      },
      {
        text: "Security",
        items: [
          { text: "Threat model", link: "/docs/threat-model" },
          { text: "Promises", link: "/SECURITY" },
          { text: "Architecture", link: "/docs/architecture" },
          { text: "Changelog", link: "/CHANGELOG" },
        ],
      },
    ],
  },
});
