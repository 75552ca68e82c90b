/** What an error says: in its fields, on a terminal, as JSON, and to `instanceof`. */
import { inspect } from "node:util";
import { describe as suite, expect, test } from "vitest";
import type { Evidence, ImdsGuardErrorDetails, ImdsGuardErrorKind } from "../../src/base/errors.js";
import {
  brandAs,
  carryEvidence,
  describe,
  ImdsGuardError,
  ImdsGuardSettingsError,
  ImdsImpersonationError,
  ImdsRefusedError,
  ImdsUnavailableError,
  ImdsUntrustedError,
  invalidArgument,
  isImdsGuardError,
  mayPass,
  RolesAnywhereError,
} from "../../src/base/errors.js";
import { fc } from "../support/properties.js";

const advice = "Do something about it.";
const fact: Evidence = { source: "somewhere", value: "x", says: "it is so" };

type Make = (message: string, details: ImdsGuardErrorDetails) => ImdsGuardError;
const KINDS: readonly (readonly [ImdsGuardErrorKind, string, string, boolean, Make])[] = [
  [
    "refused",
    "ImdsRefusedError",
    "ERR_IMDS_NOT_EC2",
    true,
    (...rest) => new ImdsRefusedError("ERR_IMDS_NOT_EC2", ...rest),
  ],
  [
    "unavailable",
    "ImdsUnavailableError",
    "ERR_IMDS_TIMEOUT",
    true,
    (...rest) => new ImdsUnavailableError("ERR_IMDS_TIMEOUT", ...rest),
  ],
  [
    "untrusted",
    "ImdsUntrustedError",
    "ERR_IMDS_REDIRECT",
    false,
    (...rest) => new ImdsUntrustedError("ERR_IMDS_REDIRECT", ...rest),
  ],
  [
    "impersonation",
    "ImdsImpersonationError",
    "ERR_IMDS_STS_MISMATCH",
    false,
    (...rest) => new ImdsImpersonationError("ERR_IMDS_STS_MISMATCH", ...rest),
  ],
  [
    "settings",
    "ImdsGuardSettingsError",
    "ERR_IMDS_GUARD_SETTING",
    false,
    (...rest) => new ImdsGuardSettingsError("ERR_IMDS_GUARD_SETTING", ...rest),
  ],
  [
    "roles-anywhere",
    "RolesAnywhereError",
    "ERR_ROLES_ANYWHERE_KEY",
    false,
    (...rest) => new RolesAnywhereError("ERR_ROLES_ANYWHERE_KEY", ...rest),
  ],
];
const CLASSES = [
  ImdsRefusedError,
  ImdsUnavailableError,
  ImdsUntrustedError,
  ImdsImpersonationError,
  ImdsGuardSettingsError,
  RolesAnywhereError,
] as const;

suite.each(KINDS)("an error of kind %s", (kind, name, code, tryNextLink, make) => {
  const cause = new Error("below");
  const error = make("It went wrong", { advice, evidence: [fact], cause });

  test("has its name, kind, code, section, evidence, advice and cause", () => {
    expect({ ...error }).toEqual({ name, kind, code, evidence: [fact], advice, tryNextLink });
    expect(error.message).toBe(`It went wrong. See docs/errors.md#${code}`);
    expect(error.cause).toBe(cause);
  });

  test("is of the base class and of its own, and of no other", () => {
    expect(error).toBeInstanceOf(Error);
    expect(error).toBeInstanceOf(ImdsGuardError);
    expect(isImdsGuardError(error)).toBe(true);
    expect(CLASSES.filter((Class) => error instanceof Class)).toEqual(CLASSES.filter(({ KIND }) => KIND === kind));
  });

  test("says for itself whether a chain may go on, where it is told", () => {
    expect(make("x", { advice, tryNextLink: !tryNextLink }).tryNextLink).toBe(!tryNextLink);
  });

  test("has nothing where nothing was given", () => {
    const bare = make("x", { advice });
    expect(bare.evidence).toEqual([]);
    expect(Object.hasOwn(bare, "cause")).toBe(false);
  });
});

test.each(["Why?", "Stop!", "Well."])("a sentence that has its end gets no other: %s", (message) => {
  const error = new ImdsRefusedError("ERR_IMDS_DISABLED", message, { advice });
  expect(error.message).toBe(`${message} See docs/errors.md#ERR_IMDS_DISABLED`);
});

test("one that only has a full stop within does", () => {
  const error = new ImdsRefusedError("ERR_IMDS_DISABLED", "It took 1.5 s", { advice });
  expect(error.message).toBe("It took 1.5 s. See docs/errors.md#ERR_IMDS_DISABLED");
});

test("evidence may be a function, which is called once", () => {
  let calls = 0;
  const evidence = (): Evidence[] => [{ ...fact, value: String(++calls) }];
  const error = new ImdsRefusedError("ERR_IMDS_DISABLED", "x", { advice, evidence });
  expect([error.evidence, error.evidence, calls]).toEqual([[{ ...fact, value: "1" }], [{ ...fact, value: "1" }], 1]);
});

test("an outage of the certificate's way may pass, and so says itself", () => {
  const unreachable = new RolesAnywhereError("ERR_ROLES_ANYWHERE_UNREACHABLE", "x", { advice });
  const refused = new RolesAnywhereError("ERR_ROLES_ANYWHERE_REFUSED", "x", { advice });
  expect([unreachable.tryNextLink, refused.tryNextLink]).toEqual([true, false]);
  const final = new RolesAnywhereError("ERR_ROLES_ANYWHERE_UNREACHABLE", "x", { advice, tryNextLink: false });
  expect(final.tryNextLink).toBe(false);
  const unavailable = new ImdsUnavailableError("ERR_IMDS_FORBIDDEN", "x", { advice });
  const untrusted = new ImdsUntrustedError("ERR_IMDS_REDIRECT", "x", { advice });
  expect([unreachable, refused, unavailable, untrusted, new Error("x"), undefined].map(mayPass)).toEqual([
    true,
    false,
    true,
    false,
    false,
    false,
  ]);
});

suite("the brand", () => {
  test.each([undefined, null, "ImdsGuardError", 5, {}, new Error("x"), () => undefined])("is not on %s", (value) => {
    expect(isImdsGuardError(value)).toBe(false);
    expect(value instanceof ImdsGuardError).toBe(false);
    expect(value instanceof ImdsRefusedError).toBe(false);
  });

  test("makes an error of the SDK one of a kind, and is neither listed nor changed", () => {
    const foreign = new Error("x");
    brandAs(foreign, "impersonation");
    expect(foreign).toBeInstanceOf(ImdsGuardError);
    expect(foreign).toBeInstanceOf(ImdsImpersonationError);
    expect(foreign).not.toBeInstanceOf(ImdsRefusedError);
    expect(Object.keys(foreign)).toEqual([]);
    const brand = Symbol.for("imds-guard.error");
    expect(Object.getOwnPropertyDescriptor(foreign, brand)).toEqual({
      value: "impersonation",
      writable: false,
      enumerable: false,
      configurable: false,
    });
    const own = new ImdsRefusedError("ERR_IMDS_DISABLED", "x", { advice });
    expect(Object.getOwnPropertyDescriptor(own, brand)).toMatchObject({ value: "refused", enumerable: false });
  });

  test("of a subclass of the base class that is none of ours is any", () => {
    class Other extends ImdsGuardError {}
    expect(new ImdsRefusedError("ERR_IMDS_DISABLED", "x", { advice }) instanceof Other).toBe(true);
  });
});

suite("printed", () => {
  const printed = (details: Partial<ImdsGuardErrorDetails>, stack?: string): string[] => {
    const error = new ImdsRefusedError("ERR_IMDS_DISABLED", "IMDS is disabled", { advice, ...details });
    error.stack = stack ?? "";
    return inspect(error).split("\n");
  };
  const HEAD = [
    "ImdsRefusedError [ERR_IMDS_DISABLED]: IMDS is disabled. See docs/errors.md#ERR_IMDS_DISABLED",
    `  advice: ${advice}`,
  ];
  const facts = (count: number): Evidence[] =>
    Array.from({ length: count }, (_, at) => ({ source: `s${at}`, says: "so" }));

  test("it is what happened, the advice and the facts", () => {
    const evidence = [fact, { source: "elsewhere", says: "nothing was read" }];
    expect(printed({ evidence })).toEqual([
      ...HEAD,
      "  evidence: somewhere = x: it is so",
      "  evidence: elsewhere: nothing was read",
    ]);
  });

  test("four facts are shown, and of more their number", () => {
    const four = facts(4).map(({ source }) => `  evidence: ${source}: so`);
    expect(printed({ evidence: facts(4) })).toEqual([...HEAD, ...four]);
    expect(printed({ evidence: facts(6) })).toEqual([...HEAD, ...four, "  2 more in error.evidence"]);
  });

  test("a cause that is an error and says something else is shown", () => {
    expect(printed({ cause: new RangeError("below") })).toEqual([...HEAD, "  cause: RangeError: below"]);
    expect(printed({ cause: "below" })).toEqual(HEAD);
    expect(printed({ cause: new Error("IMDS is disabled. See docs/errors.md#ERR_IMDS_DISABLED") })).toEqual(HEAD);
  });

  test("four frames of the stack are shown, and nothing else of it", () => {
    const frames = ["a", "b", "c", "d", "e"].map((name) => `    at ${name} (file.js:1:1)`);
    const stack = ["Error: at home", "look at this", ...frames].join("\n");
    expect(printed({}, stack)).toEqual([...HEAD, ...frames.slice(0, 4)]);
  });

  test("an error without a stack is printed as well", () => {
    const error = new ImdsRefusedError("ERR_IMDS_DISABLED", "IMDS is disabled", { advice });
    Object.assign(error, { stack: undefined });
    expect(inspect(error).split("\n")).toEqual(HEAD);
  });

  test("no value of any part begins a line of its own", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (value, source, message) => {
        const evil = { source: `${source}\n`, value: `\r\n\u2028${value}`, says: "so" };
        const lines = printed({ evidence: [evil], cause: new Error(`\n${message}`) });
        expect(lines).toHaveLength(4);
      }),
    );
  });
});

test("as JSON it is what its fields say, without stack and cause", () => {
  const error = new ImdsRefusedError("ERR_IMDS_DISABLED", "x", { advice, evidence: [fact], cause: new Error("below") });
  expect(JSON.parse(JSON.stringify(error))).toEqual({
    name: "ImdsRefusedError",
    code: "ERR_IMDS_DISABLED",
    kind: "refused",
    message: "x. See docs/errors.md#ERR_IMDS_DISABLED",
    advice,
    evidence: [fact],
  });
});

test("the evidence of a foreign error is listed, its forms for printing are not, and all can be replaced", () => {
  const foreign = new Error("x");
  carryEvidence(foreign, () => [fact]);
  carryEvidence(foreign, [fact, fact]);
  expect(Object.keys(foreign)).toEqual(["evidence"]);
  expect(foreign).toMatchObject({ evidence: [fact, fact] });
  for (const name of ["toJSON", Symbol.for("nodejs.util.inspect.custom")])
    expect(Object.getOwnPropertyDescriptor(foreign, name)).toMatchObject({
      enumerable: false,
      configurable: true,
      writable: true,
    });
});

test.each([
  ["text", '"text"'],
  ["a\nline", String.raw`"a\nline"`],
  ["x".repeat(81), `"${"x".repeat(80)}..."`],
  [5, "5"],
  [Symbol("x"), "Symbol(x)"],
  [true, "true"],
  [undefined, "undefined"],
  [null, "null"],
  [[1, 2], "an array"],
  [{ secret: "x" }, "an object"],
  [new Map(), "an object"],
  [() => "secret", "a function"],
])("%# is described as %s", (value, words) => {
  expect(describe(value)).toBe(words);
});

test("a mistake of the caller's is a TypeError with Node's own code", () => {
  const error = invalidArgument("mode", "alow", "allow, deny");
  expect(error).toBeInstanceOf(TypeError);
  expect(error).toMatchObject({
    code: "ERR_INVALID_ARG_VALUE",
    message: 'mode is "alow"; allowed: allow, deny [ERR_INVALID_ARG_VALUE]',
  });
});
