import { describe, expect, test } from "vitest";
import { nearest } from "../../src/settings/nearest.js";
import { fc } from "../support/properties.js";

const WORDS = ["mode", "attestation", "expectedAccounts", "expectedRoles"];

describe("nearest", () => {
  test.each<[string, string | undefined]>([
    ["mode", "mode"],
    ["mod", "mode"],
    ["MODE", "mode"],
    ["modes", "mode"],
    ["expectedAccount", "expectedAccounts"],
    ["expectedroles", "expectedRoles"],
    ["atestation", "attestation"],
    ["zzzzzzzzzzzz", undefined],
    // A third of the word, two at least, and six at most.
    ["mo", "mode"],
    ["m", undefined],
    ["modexyz", undefined],
    ["attestationxyzw", "attestation"],
    ["attestationxyzwv", "attestation"],
    ["attestationxyzwvuts", undefined],
    ["expectedAccountsxxxxxx", "expectedAccounts"],
    ["expectedAccountsxxxxxxx", undefined],
  ])("of %s is %s", (word, found) => expect(nearest(word, WORDS)).toBe(found));

  test("is the first of those that are equally near", () => expect(nearest("moda", ["modb", "modc"])).toBe("modb"));

  test("is nothing for a long one", () => expect(nearest("x".repeat(5_000), WORDS)).toBeUndefined());

  test("is nothing among no words", () => expect(nearest("mode", [])).toBeUndefined());

  test("is the word itself if it is there, and one of the words in any case", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 30 }), fc.array(fc.string({ maxLength: 30 })), (word, words) => {
        const found = nearest(word, words);
        expect(found === undefined || words.includes(found)).toBe(true);
        expect(nearest(word, [...words, word])?.toLowerCase()).toBe(word.toLowerCase());
      }),
    );
  });
});
