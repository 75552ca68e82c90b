// @ts-check
/** What a program of the host says to the gateway, and what its operator writes. */
import { hold } from "../oracle.mjs";

/** @param {readonly string[]} given */
const texts = (...given) => given.map((text) => Buffer.from(text));

/** @type {readonly import("../targets.mjs").Target[]} */
export const GATEWAY = [
  {
    name: "gateway-path",
    sentence: "request targets and globs: what is read goes nowhere but down, and a glob of its own path fits it",
    sources: ["gateway/paths"],
    words: [
      "/latest/",
      "meta-data/",
      "user-data",
      "iam/security-credentials/",
      "..",
      "%2e",
      "%2f",
      "//",
      "**",
      "*",
      "?",
    ],
    maxBytes: 512,
    seeds: () => texts("/latest/meta-data/iam/security-credentials/app", "/latest/%75ser-data", "/latest/meta-data/**"),
    async open(load) {
      const { matchesGlob, readGlob, readPath } = await load("gateway/paths");
      return (input) => {
        const text = input.toString("latin1");
        const [path, glob] = [readPath(text), readGlob(text)];
        if (path === undefined) return `no path, ${glob === undefined ? "no glob" : "a glob"}`;
        const segments = path.canonical.split("/");
        hold(!segments.includes("..") && !segments.includes("."), "a path goes down", path);
        hold(/^\/(?:latest(?:\/[^/%?#\\]+)*)?$/.test(path.canonical), "a path is plain", path);
        hold(readPath(path.canonical)?.canonical === path.canonical, "a path is read again as it is", path);
        hold(readPath(path.canonical)?.kind === path.kind, "and is of the same kind", path);
        const own = readGlob(path.canonical);
        if (own !== undefined) hold(matchesGlob(own, path.canonical), "a glob of its own path fits it", path);
        if (glob !== undefined) matchesGlob(glob, `/latest/${"a/".repeat(200)}a`);
        return `${path.kind}, ${glob === undefined ? "no glob" : "a glob"}`;
      };
    },
  },
  {
    name: "gateway-rules",
    sentence: "files of rules: read, or every mistake told at a place that exists; with a mistake no rule is in force",
    sources: ["gateway/rules-file", "gateway/rules"],
    also: ["gateway/paths"],
    words: [
      "[[rule]]\n",
      "user = ",
      "group = ",
      "unit = ",
      "container = ",
      "paths = [",
      "role = true\n",
      "user_data = ",
      '"/latest/**"',
      "]\n",
      "0\n",
    ],
    maxBytes: 2_048,
    seeds: () =>
      texts(
        '[[rule]]\nuser = ["web", 5]\nrole = "app"\npaths = ["/latest/meta-data/**"]\n',
        "[[rule]]\ncontainer = '10.0.0.0/8'\nuser_data = true\n",
      ),
    async open(load) {
      const { readRules } = await load("gateway/rules-file");
      const { judge } = await load("gateway/rules");
      const { readPath } = await load("gateway/paths");
      const names = {
        uidOf: (/** @type {string} */ name) => (name === "web" ? 1_500 : undefined),
        gidOf: () => undefined,
      };
      const role = readPath("/latest/meta-data/iam/security-credentials/app");
      const unknown = {
        uid: undefined,
        user: undefined,
        gids: [],
        pid: undefined,
        program: undefined,
        unit: undefined,
        container: undefined,
        address: "192.0.2.1",
        bridge: undefined,
      };
      return (input) => {
        const text = input.toString("utf8");
        const { rules, problems } = readRules(text, names);
        const lines = text.split("\n").length;
        for (const { line, column, message } of problems) {
          hold(line >= 1 && line <= lines + 1 && column >= 1, "a mistake has a place", { line, column });
          hold(message.length > 0 && message.length < 1_000, "a mistake is told in a sentence", message);
        }
        hold(problems.length === 0 || rules.length === 0, "with a mistake no rule is in force", problems);
        for (const rule of rules) {
          const verdict = judge([rule], unknown, role, 1_000);
          hold(!verdict.allowed, "a caller that cannot be told has no role", rule);
        }
        return `${rules.length > 0} ${problems.length}`;
      };
    },
  },
];
