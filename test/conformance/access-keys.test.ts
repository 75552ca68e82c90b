/** Account ids of real access key ids and principal ids, against the shared data. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { accountOfAccessKey, accountOfPrincipalId } from "../../src/aws/access-key.js";

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

  test.each(pairs.filter((pair) => !pair.decodable))("$accessKeyId tells no account", ({ accessKeyId }) => {
    expect(accountOfAccessKey(accessKeyId).kind).toBe("unknown");
  });

  test.each(principals)("$uniqueId is of account $accountId", ({ uniqueId, accountId }) => {
    expect(accountOfPrincipalId(uniqueId)).toEqual({ kind: "known", accountId });
    expect(accountOfAccessKey(uniqueId)).toEqual({ kind: "unknown", reason: "not-an-access-key" });
  });
});
