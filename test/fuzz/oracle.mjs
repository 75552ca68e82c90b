// @ts-check
/** What has to hold of every answer, and the secrets that no error may repeat. */
import { inspect } from "node:util";

/** Something that has to hold did not. */
export class Violation extends Error {
  /** @override */
  name = "Violation";
  /** @param {string} what in the same words for every input @param {unknown} [detail] */
  constructor(what, detail) {
    super(detail === undefined ? what : `${what}: ${inspect(detail, { breakLength: 160, depth: 6 }).slice(0, 600)}`);
    this.what = what;
  }
}

/**
 * @param {unknown} condition @param {string} what complete as "it did not hold that ..." @param {unknown} [detail]
 * @returns {asserts condition}
 */
export function hold(condition, what, detail) {
  if (!condition) throw new Violation(what, detail);
}

/** Secrets of no account, for seeds and dictionaries. */
export const SECRETS = {
  key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzSecretKey",
  session: "IQoJb3JpZ2luX2VjEJrSessionTokenOfNobody0123456789",
  token: "AQAAAToKeNOfIMDSv2OfNobodyXq9wPz3mLk8vBn2cRt5yHg7f==",
};

/** Half of a secret is one, too. */
const TELLING = 12;

/**
 * Says of an error that it repeats no secret of its input, nor does its cause.
 *
 * @param {unknown} error
 * @param {string} input
 * @param {string} [quotable] what an error may quote, because no secret belongs there
 */
export function holdsItsTongue(error, input, quotable = "") {
  /** @type {string | undefined} */
  let printed;
  for (const secret of Object.values(SECRETS)) {
    for (let at = 0; at + TELLING <= secret.length; at++) {
      const part = secret.slice(at, at + TELLING);
      if (!input.includes(part) || quotable.includes(part)) continue;
      printed ??= `${inspect(error, { depth: 8, maxStringLength: null })} ${JSON.stringify(error)}`;
      hold(!printed.includes(part), "an error repeats no secret", part);
    }
  }
}

/**
 * The code of an error that was announced; any other goes on its way.
 *
 * @param {unknown} error
 * @param {Readonly<Record<string, readonly string[]>>} announced name of the class -> codes
 * @returns {string}
 */
export function declared(error, announced) {
  if (!(error instanceof Error)) throw new Violation("what is thrown is an error", error);
  const { name, code } = /** @type {NodeJS.ErrnoException} */ (error);
  if (code === undefined || announced[name]?.includes(code) !== true) throw error;
  return code;
}

/** What parsers throw for an argument that cannot be used. */
export const WRONG_ARGUMENT = { TypeError: ["ERR_INVALID_ARG_VALUE"] };
