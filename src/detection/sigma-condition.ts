/** The condition of a Sigma rule: names of searches joined by `and`, `or`, `not`, `1 of`, `all of` and parentheses. */
import { invalidArgument } from "../base/errors.js";

/** A parsed condition. */
export type Condition =
  | { readonly kind: "search"; readonly name: string }
  | { readonly kind: "not"; readonly of: Condition }
  | { readonly kind: "all" | "any"; readonly of: readonly Condition[] };

/** Parentheses and `not` may be nested this deep; real rules need three. */
const DEEPEST = 64;

/**
 * Parses a condition over the searches `names`. `not` binds closer than `and`, `and` closer than `or`. A name that
 * begins with `_` is not among `them`.
 *
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE`
 */
export function parseCondition(text: string, names: readonly string[]): Condition {
  const tokens = text.match(/[()]|[^\s()]+/g) ?? [];
  let at = 0;

  function wrong(expected: string): TypeError {
    return invalidArgument("condition", text, `${expected} at ${JSON.stringify(tokens[at] ?? "the end")}`);
  }

  function chain(operator: "or" | "and", operand: (depth: number) => Condition, depth: number): Condition {
    const parts = [operand(depth)];
    while (tokens[at]?.toLowerCase() === operator) {
      at++;
      parts.push(operand(depth));
    }
    return parts.length === 1 ? parts[0]! : { kind: operator === "or" ? "any" : "all", of: parts };
  }

  const anyOf = (depth: number): Condition => chain("or", allOf, depth);
  const allOf = (depth: number): Condition => chain("and", term, depth);

  function term(depth: number): Condition {
    if (depth > DEEPEST) throw wrong("less nesting");
    const token = tokens[at++];
    const word = token?.toLowerCase();
    if (word === "not") return { kind: "not", of: term(depth + 1) };
    if (word === "(") {
      const inner = anyOf(depth + 1);
      if (tokens[at++] !== ")") throw wrong("a closing parenthesis");
      return inner;
    }
    if ((word === "1" || word === "any" || word === "all") && tokens[at]?.toLowerCase() === "of") {
      at++;
      return quantified(word === "all" ? "all" : "any", tokens[at++]);
    }
    if (token === undefined || !names.includes(token)) {
      at--;
      throw wrong(`the name of a search (${names.join(", ")})`);
    }
    return { kind: "search", name: token };
  }

  function quantified(kind: "all" | "any", which: string | undefined): Condition {
    const chosen = names.filter((name) =>
      which?.toLowerCase() === "them" ? !name.startsWith("_") : which !== undefined && fits(name, which),
    );
    if (chosen.length === 0) throw wrong("names of searches");
    return { kind, of: chosen.map((name) => ({ kind: "search", name })) };
  }

  const condition = anyOf(0);
  if (at < tokens.length) throw wrong("and, or");
  return condition;
}

function fits(name: string, pattern: string): boolean {
  const body = pattern.split("*").map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${body.join(".*")}$`).test(name);
}
