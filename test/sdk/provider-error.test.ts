/** Errors of the guard as those of the SDK. */
import { CredentialsProviderError } from "@smithy/core/config";
import { expect, it } from "vitest";
import { ImdsUnavailableError, isImdsGuardError } from "../../src/base/errors.js";
import { toProviderError } from "../../src/sdk/provider-error.js";

const evidence = [{ source: "a", says: "b" }];
const ours = (): ImdsUnavailableError =>
  new ImdsUnavailableError("ERR_IMDS_TIMEOUT", "late", { advice: "wait", evidence });

it.each([
  [undefined, true],
  [true, true],
  [false, false],
])("an error of ours is one of the SDK's, and goes on as asked (%s)", async (asked, tryNextLink) => {
  const error = ours();
  const dressed = (await toProviderError(error, undefined, asked)) as CredentialsProviderError;
  expect(dressed).toBeInstanceOf(CredentialsProviderError);
  expect(dressed).toMatchObject({
    message: error.message,
    code: "ERR_IMDS_TIMEOUT",
    kind: "unavailable",
    advice: "wait",
    evidence,
    tryNextLink,
  });
  expect([dressed.cause, isImdsGuardError(dressed)]).toEqual([error, true]);
  expect(await toProviderError(dressed, undefined, true)).toBe(dressed);
});

it("is said to the logger as every error of a provider", async () => {
  const said: unknown[] = [];
  const logger = { debug: (...words: unknown[]) => void said.push(words), info() {}, warn() {}, error() {} };
  await toProviderError(ours(), logger);
  expect(said).toHaveLength(1);
});

it.each([new Error("no"), "no", undefined])("anything else is as it was: %s", async (error) => {
  expect(await toProviderError(error)).toBe(error);
});
