// @ts-check
/** Rules, networks and policies as operators give them. */
import { createRequire } from "node:module";
import { BlockList, isIP } from "node:net";
import { declared, hold, WRONG_ARGUMENT } from "../oracle.mjs";

const require = createRequire(import.meta.url);
const texts = (/** @type {readonly string[]} */ ...list) => list.map((text) => Buffer.from(text));
const NETWORKS = [
  "10.0.0.0/8",
  "192.0.2.1",
  "0.0.0.0/0",
  "169.254.0.0/16",
  "2001:db8::/32",
  "::/0",
  "::ffff:10.0.0.0/104",
  "fd00:ec2::/32",
  "255.255.255.255/32",
  "1.2.3.4/33",
  "01.2.3.4",
  "/8",
  "10.0.0.0/08",
];

/**
 * The value or what was thrown about it. @template T @param {() => T} work @returns {{ value: T } | { code: string }}
 */
function outcome(work) {
  try {
    return { value: work() };
  } catch (error) {
    return { code: declared(error, WRONG_ARGUMENT) };
  }
}

/**
 * Lines of `name`, `- ` for another map of a list, and `field|modifiers: value, value` as a detection. @param {string}
 * text @returns {any}
 */
function detectionOf(text) {
  /** @type {Record<string, any>} */
  const searches = Object.create(null);
  let condition = "sel";
  /** @type {any[]} */
  let list = [];
  for (const line of text.split("\n")) {
    const pair = /^([^:]{1,60}): ?(.*)$/.exec(line);
    if (line.startsWith("condition: ")) condition = line.slice(11);
    else if (pair !== null) {
      const values = (pair[2] ?? "")
        .split(", ")
        .map((value) =>
          /^-?\d{1,9}$/.test(value)
            ? Number(value)
            : value === "null"
              ? null
              : value === "true" || value === "false"
                ? value === "true"
                : value,
        );
      if (list.length === 0) list.push({});
      const map = list.at(-1);
      if (typeof map === "object") map[pair[1] ?? ""] = values.length === 1 ? values[0] : values;
    } else if (line === "-") list.push({});
    else if (line.startsWith("- ")) list.push(line.slice(2));
    else if (line !== "" && line !== "condition") {
      list = [];
      searches[line] = list;
    }
  }
  for (const [name, maps] of Object.entries(searches))
    if (maps.length === 1 && typeof maps[0] === "object") searches[name] = maps[0];
  return { ...searches, condition };
}
const ruleOf = (/** @type {any} */ detection) => ({
  title: "Fuzzed",
  id: "00000000-0000-4000-8000-000000000000",
  status: "test",
  description: "d",
  references: [],
  author: "a",
  date: "2026-01-01",
  tags: [],
  logsource: { category: "firewall" },
  detection,
  falsepositives: [],
  level: "low",
});
const RECORD = {
  source: { category: "firewall" },
  text: "SRC=10.0.0.5 DST=169.254.169.254 PROTO=TCP aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
  fields: {
    src_ip: "10.0.0.5",
    dst_ip: "169.254.169.254",
    dst_port: "80",
    protocol: "TCP",
    list: ["a", "b"],
    nested: { deep: 7 },
    nothing: null,
    long: "a".repeat(400),
  },
};
const RULES = texts(
  "sel\ndst_ip: 169.254.169.254\nfilter\nsrc_ip|cidr: 10.0.0.0/8\ncondition: sel and not filter",
  "sel\n-\nlong|contains: aaa, b?b, *c*\n-\nlist|contains|all: a, b\n- keyword\ncondition: 1 of sel*",
  "sel\ndst_port|gte: 80\nnested.deep: 7\nnothing: null\nlong|exists: true\ncondition: all of them",
  "sel\nsrc_ip|fieldref|neq: dst_ip\nprotocol|cased|startswith: T\nlong|re|i: ^a+$\n|all: SRC, DST\ncondition: (sel or not sel) and sel",
);
const SIGMA_WORDS = [
  "sel",
  "filter",
  "condition: ",
  " and ",
  " or ",
  " not ",
  "1 of ",
  "all of ",
  "any of ",
  "them",
  "(",
  ")",
  "*",
  "?",
  "\\",
  "\\*",
  "|contains",
  "|startswith",
  "|endswith",
  "|all",
  "|cased",
  "|re",
  "|i",
  "|cidr",
  "|exists",
  "|fieldref",
  "|neq",
  "|gt",
  "|gte",
  "|lt",
  "|lte",
  ": ",
  ", ",
  "\n",
  "\n-\n",
  "\n- ",
  "src_ip",
  "dst_ip",
  "long",
  "list",
  "null",
  "true",
  "80",
  "_",
  "*a".repeat(8),
  ...NETWORKS,
];

/** @type {readonly import("../targets.mjs").Target[]} */
export const RULES_AND_NETWORKS = [
  {
    name: "sigma-rule",
    sentence:
      "Sigma rules: compiled or refused by name, judged without an end in sight of none, written as YAML that says the same",
    sources: [
      "detection/sigma-evaluator",
      "detection/sigma-field",
      "detection/sigma-literals",
      "detection/sigma-yaml",
      "detection/log-record",
    ],
    words: SIGMA_WORDS,
    maxBytes: 1_024,
    seeds: () => RULES,
    async open(load) {
      const { compileRule } = await load("detection/sigma-evaluator");
      const { toYaml } = await load("detection/sigma-yaml");
      const { foldCase } = await load("detection/log-record");
      const { parse } = require("yaml");
      return (input) => {
        const rule = ruleOf(detectionOf(input.toString("utf8")));
        const compiled = outcome(() => compileRule(rule));
        if ("code" in compiled) return compiled.code;
        const { matches, literals, fields } = compiled.value;
        // A regular expression is the operator's own, and so is the time it takes.
        const own = input.includes("|re");
        const matched = own ? undefined : matches(RECORD);
        hold(matched === undefined || typeof matched === "boolean", "a rule matches or does not");
        if (matched === true && literals !== undefined) {
          const line = foldCase(`${RECORD.text} ${JSON.stringify(RECORD.fields)}`);
          hold(
            literals.some((/** @type {string} */ literal) => line.includes(literal)),
            "a line that matches contains what is searched for",
            { literals },
          );
        }
        hold(
          fields.every((/** @type {string} */ field) => !field.includes("|") && field !== ""),
          "fields have no modifiers",
          fields,
        );
        // What YAML 1.2 cannot hold as it is belongs in no rule.
        if (/^[\n -~]*$/.test(input.toString("latin1"))) {
          const again = parse(toYaml(rule));
          hold(JSON.stringify(again) === JSON.stringify(rule), "a rule is read as it was written", {
            rule: rule.detection,
            again: again?.detection,
          });
        }
        return `${matched} ${literals === undefined}`;
      };
    },
  },
  {
    name: "sigma-condition",
    sentence: "conditions of rules: what they are parsed to, written out, is parsed to the same",
    sources: ["detection/sigma-condition"],
    words: [
      "sel",
      "filter_a",
      "filter_b",
      "_hidden",
      " and ",
      " or ",
      " not ",
      "1 of ",
      "all of ",
      "any of ",
      "them",
      "filter_*",
      "*",
      "(",
      ")",
      "((((((((",
      "not not not not ",
    ],
    maxBytes: 512,
    seeds: () =>
      texts("sel and not 1 of filter_*", "(sel or filter_a) and all of them", "not (not sel)", "any of filter*"),
    async open(load) {
      const { parseCondition } = await load("detection/sigma-condition");
      const names = ["sel", "filter_a", "filter_b", "_hidden"];
      /** @param {any} condition @returns {string} */
      const written = (condition) =>
        condition.kind === "search"
          ? condition.name
          : condition.kind === "not"
            ? `not ${written(condition.of)}`
            : condition.of.length === 1
              ? written(condition.of[0])
              : `(${condition.of.map(written).join(condition.kind === "all" ? " and " : " or ")})`;
      return (input) => {
        const text = input.toString("utf8");
        const parsed = outcome(() => parseCondition(text, names));
        if ("code" in parsed) return parsed.code;
        const line = written(parsed.value);
        // Written out it may be nested deeper than it was.
        const again = outcome(() => parseCondition(line, names));
        hold("code" in again || written(again.value) === line, "a condition is parsed as it is written", {
          text,
          line,
        });
        return parsed.value.kind;
      };
    },
  },
  {
    name: "correlation",
    sentence:
      "correlations over records in any order: counts that a plain count confirms, in a memory that does not grow",
    sources: ["detection/sigma-correlation"],
    words: ["a 10.0.0.1 0", "b 10.0.0.1 5", "\n", " ", "a", "b", "60", "61", "-", "1e9"],
    maxBytes: 1_024,
    seeds: () =>
      texts(
        "a 10.0.0.1 0\nb 10.0.0.1 5\na 10.0.0.1 10\na 10.0.0.2 11",
        "b x 5\na x 0\na x 90\nb x 91",
        "a x -\na  3\nb y 1",
        Array.from({ length: 40 }, (_, index) => `a h${index} ${index}`).join("\n"),
      ),
    async open(load) {
      const { createCorrelator } = await load("detection/sigma-correlation");
      const rule = (/** @type {string} */ type, /** @type {object} */ condition) => ({
        title: type,
        id: type,
        level: "low",
        correlation: { type, rules: ["a", "b"], "group-by": ["host"], timespan: "60s", condition },
      });
      const correlations = [
        rule("event_count", { gte: 3 }),
        rule("value_count", { field: "time", gte: 2 }),
        rule("temporal", {}),
        rule("temporal_ordered", {}),
      ];
      return (input) => {
        const correlator = createCorrelator(correlations, { groups: 8 });
        const words = new Set();
        let added = 0;
        for (const line of input.toString("utf8").split("\n")) {
          const [name = "", host, seconds = ""] = line.split(" ");
          if (name !== "a" && name !== "b") continue;
          added++;
          const time = /^-?\d{1,9}$/.test(seconds) ? Number(seconds) * 1_000 : undefined;
          for (const {
            rule: { id },
            group,
            count,
          } of correlator.add({ name, id: name }, { source: {}, text: line, fields: { host, time: seconds }, time })) {
            hold(
              group.host === host && count >= 2 && count <= added,
              "a correlation is of its group and of no more than came",
              { id, group, count },
            );
            words.add(id);
          }
        }
        hold(
          correlator.unplaced() <= added * correlations.length && correlator.forgotten() <= added * correlations.length,
          "what is left out is counted once",
        );
        return [...words].toSorted().join();
      };
    },
  },
  {
    name: "networks",
    sentence: "networks in CIDR notation: membership as Node.js has it, and spellings that every member contains",
    sources: ["base/addresses#parseNetwork,inNetwork,overlaps,spellings,pairs,group,samePrefix"],
    words: [...NETWORKS, "/", "24", "32", "128", "::", ":", ".", "ffff", "\n"],
    maxBytes: 128,
    seeds: () => NETWORKS.map((network) => Buffer.from(`${network}\n10.1.2.3\n2001:db8::1\n::ffff:10.1.2.3`)),
    async open(load) {
      const { parseNetwork, inNetwork, overlaps, spellings } = await load("base/addresses");
      return (input) => {
        const [text = "", ...addresses] = input.toString("utf8").split("\n");
        const parsed = outcome(() => parseNetwork(text));
        if ("code" in parsed) return parsed.code;
        const network = parsed.value;
        const [base = "", bits = network.family === 4 ? "32" : "128"] = text.split("/");
        hold(isIP(base) === network.family && Number(bits) === network.bits, "a network is an address and bits", text);
        hold(overlaps(network, network) && inNetwork(network, base), "a network contains its own address", text);
        const list = new BlockList();
        list.addSubnet(base, network.bits, network.family === 4 ? "ipv4" : "ipv6");
        const forms = spellings(network);
        for (const address of addresses) {
          const family = isIP(address);
          const inside = inNetwork(network, address);
          if (family === 0 || address.includes("%")) hold(!inside, "what is no address is in no network", address);
          // Node.js 20 takes a mapped address for a member of an IPv4 network only since lately, and the other way
          // round, too.
          else if (family === network.family && !/^[0:]*:ffff:/i.test(address) && !/^[0:]*:ffff:/i.test(base))
            hold(inside === list.check(address, family === 4 ? "ipv4" : "ipv6"), "members are those of Node.js", {
              text,
              address,
              inside,
            });
          if (inside && forms !== undefined)
            hold(
              forms.some((/** @type {string} */ form) => address.toLowerCase().includes(form)),
              "every member contains a spelling",
              { text, address, forms },
            );
        }
        return `${network.family} ${forms === undefined}`;
      };
    },
  },
  {
    name: "suppression",
    sentence:
      "networks to be left out of rules: refused if they hold the metadata address, and otherwise rules that still compile",
    sources: ["detection/suppression"],
    also: ["detection/sigma-rules", "detection/sigma-evaluator", "base/addresses"],
    words: [...NETWORKS, "\n", "1", "4094", "4095", "/16"],
    maxBytes: 256,
    seeds: () => texts("10.0.0.0/8\n7", "2001:db8::/32\n10.0.0.0/8\n1\n4094", "169.254.0.0/16", "fd00::/8", "\n0"),
    async open(load) {
      const { withSuppression } = await load("detection/suppression");
      const { SIGMA_RULES } = await load("detection/sigma-rules");
      const { compileRule } = await load("detection/sigma-evaluator");
      const { inNetwork, parseNetwork } = await load("base/addresses");
      const rules = SIGMA_RULES.map((/** @type {any} */ { rule }) => rule).filter(
        (/** @type {any} */ rule) => rule.detection !== undefined,
      );
      return (input) => {
        const lines = input
          .toString("utf8")
          .split("\n")
          .filter((line) => line !== "");
        const vlans = lines.filter((line) => /^\d{1,5}$/.test(line)).map(Number);
        const subnets = lines.filter((line) => !/^\d{1,5}$/.test(line));
        const rule = rules[input.length % rules.length];
        const changed = outcome(() => withSuppression(rule, { subnets, vlans }));
        if ("code" in changed) return changed.code;
        for (const subnet of subnets)
          for (const address of ["169.254.169.254", "fd00:ec2::254"])
            hold(!inNetwork(parseNetwork(subnet), address), "no network holds the metadata address", subnet);
        const { fields } = compileRule(changed.value);
        return `${changed.value === rule} ${fields.length > compileRule(rule).fields.length}`;
      };
    },
  },
  {
    name: "policies",
    sentence: "IAM policies from ids, networks and ARNs: within AWS's limits, or refused by the name of the option",
    sources: ["detection/policies"],
    words: [
      "vpc-0123456789abcdef0",
      "vpc-01234567",
      "arn:aws:iam::111122223333:role/x",
      "arn:aws:iam::*:role/*",
      "192.0.2.0/24",
      "s3",
      "aws-cn",
      "aws",
      "\n",
      "!",
      "${aws:username}",
    ],
    maxBytes: 8_192,
    seeds: () =>
      texts(
        "vpc-0123456789abcdef0\n192.0.2.0/24\narn:aws:iam::111122223333:role/x\ns3\naws-cn",
        "!",
        "",
        "arn:aws:iam::111122223333:user/*",
        "vpc-1\n",
        Array.from({ length: 80 }, (_, index) => `vpc-${String(index).padStart(17, "0")}`).join("\n"),
      ),
    async open(load) {
      const { instanceCredentialPolicies } = await load("detection/policies");
      return (input) => {
        const lines = input
          .toString("utf8")
          .split("\n")
          .filter((line) => line !== "");
        const some = (/** @type {readonly string[]} */ list) => (list.length === 0 ? undefined : list);
        const options = {
          vpcIds: some(lines.filter((line) => line.startsWith("vpc"))),
          sourceCidrs: some(lines.filter((line) => /^\d/.test(line))),
          exemptPrincipals: some(lines.filter((line) => line.startsWith("arn"))),
          resourceServices: some(lines.filter((line) => /^[s$]/.test(line))),
          partition: lines.find((line) => line.startsWith("aws")),
          bindAddress: !lines.includes("!"),
        };
        const made = outcome(() => instanceCredentialPolicies(options));
        if ("code" in made) return made.code;
        for (const { json, limit, document } of made.value) {
          hold(
            json.length <= limit && JSON.stringify(JSON.parse(json)) === JSON.stringify(document),
            "a policy is JSON within its limit",
            { length: json.length, limit },
          );
          hold(!/\$\{(?!aws:SourceVpc\}|aws:VpcSourceIp\})/.test(json), "no variable of IAM is smuggled in", json);
        }
        return `${options.vpcIds !== undefined} ${options.partition}`;
      };
    },
  },
];
