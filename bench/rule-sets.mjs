// @ts-check
/** Sets of Sigma rules of any size: the package's, and copies of them that look for other texts. */

/**
 * @typedef {import("../src/detection/sigma-rule.js").SigmaRule} SigmaRule
 * @typedef {import("../src/detection/sigma-rule.js").ShippedRule} ShippedRule
 */

/** What the rules look for, each with the place where a copy has a number of its own. */
const TEXTS = /** @type {const} */ ([
  ["169.254.169.254", (/** @type {number} */ copy) => `169.254.${copy}.254`],
  ["fd00:", (/** @type {number} */ copy) => `fd${String(copy).padStart(2, "0")}:`],
  ["instance-data", (/** @type {number} */ copy) => `instance${copy}-data`],
  ["/latest/", (/** @type {number} */ copy) => `/latest${copy}/`],
  ["-data/i", (/** @type {number} */ copy) => `-data${copy}/i`],
  ["instance-identity", (/** @type {number} */ copy) => `instance${copy}-identity`],
  ["aws-ec2-metadata", (/** @type {number} */ copy) => `aws-ec2-metadata${copy}`],
  [".amazonaws.", (/** @type {number} */ copy) => `.amazonaws${copy}.`],
  [".api.aws", (/** @type {number} */ copy) => `.api${copy}.aws`],
]);

/**
 * `count` rules: first those that `reads` says read the log, the correlations that join them next, and then those of
 * other logs; where that is not enough, all once more in copies under names of their own.
 *
 * @param {readonly ShippedRule[]} shipped @param {number} count @param {(rule: SigmaRule) => boolean} reads
 * @returns {readonly SigmaRule[]}
 */
export function ruleSet(shipped, count, reads) {
  const all = shipped.map(({ rule }) => rule).toSorted((left, right) => rank(left, reads) - rank(right, reads));
  const copies = Array.from({ length: Math.ceil(count / all.length) - 1 }, (_, index) => copyOf(all, index + 1));
  return [all, ...copies].flat().slice(0, count);
}

/** @param {SigmaRule} rule @param {(rule: SigmaRule) => boolean} reads */
function rank(rule, reads) {
  if ("correlation" in rule) return 1;
  return reads(rule) ? 0 : 2;
}

/** @param {readonly SigmaRule[]} rules @param {number} copy @returns {readonly SigmaRule[]} */
function copyOf(rules, copy) {
  let text = JSON.stringify(rules);
  for (const { id, name } of rules) {
    text = text.replaceAll(`"${id}"`, JSON.stringify(id.replace(/^.{4}/, String(copy).padStart(4, "0"))));
    if (name !== undefined) text = text.replaceAll(`"${name}"`, `"${name}_${copy}"`);
  }
  for (const [wanted, other] of TEXTS) text = text.replaceAll(wanted, other(copy));
  return JSON.parse(text);
}
