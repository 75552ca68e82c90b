/** Account ids of real access key ids and principal ids, against the shared data. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { accessKeyPattern, accountOfAccessKey, accountOfPrincipalId, startOfKeyIds } from "../../src/aws/access-key.js";

const root = new URL("../../../shared/access-key-ids/", import.meta.url);
const absent = !existsSync(root);
if (absent) console.log("conformance/access-keys: skipped, ../shared/access-key-ids is not there");

interface Pair {
  readonly accessKeyId: string;
  readonly accountId: string | null;
  readonly decodable: boolean;
}

const readJson = (name: string): unknown => (absent ? [] : JSON.parse(readFileSync(new URL(name, root), "utf8")));
const pairs = readJson("pairs.json") as readonly Pair[];
const principals = readJson("principal-ids.json") as readonly {
  readonly uniqueId: string;
  readonly accountId: string;
}[];

describe.skipIf(absent)("access key ids", () => {
  test("there are some of each kind", () => {
    expect(new Set(pairs.map((pair) => pair.decodable))).toEqual(new Set([true, false]));
  });

  test.each(pairs.filter((pair) => pair.decodable))(
    "$accessKeyId is of account $accountId",
    ({ accessKeyId, accountId }) => {
      expect(accountOfAccessKey(accessKeyId)).toEqual({ kind: "known", accountId });
    },
  );

  test("the pattern of an account matches its keys, and no other", () => {
    const known = pairs.filter(({ decodable, accessKeyId }) => decodable && /^(?:AKIA|ASIA)/.test(accessKeyId));
    for (const { accountId } of known) {
      const pattern = accessKeyPattern(accountId!);
      const expected = known.filter((other) => other.accountId === accountId);
      expect(pairs.filter(({ accessKeyId }) => pattern.test(accessKeyId))).toEqual(expected);
    }
    for (const { uniqueId, accountId } of principals)
      expect(uniqueId).toMatch(new RegExp(`^A[A-Z]{3}${startOfKeyIds(accountId)}`));
  });

  test.each(pairs.filter((pair) => !pair.decodable))("$accessKeyId tells no account", ({ accessKeyId }) => {
    expect(accountOfAccessKey(accessKeyId).kind).toBe("unknown");
  });

  test.each(principals)("$uniqueId is of account $accountId", ({ uniqueId, accountId }) => {
    expect(accountOfPrincipalId(uniqueId)).toEqual({ kind: "known", accountId });
    expect(accountOfAccessKey(uniqueId)).toEqual({ kind: "unknown", reason: "not-an-access-key" });
  });
});
