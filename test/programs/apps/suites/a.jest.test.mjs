import { expect, test } from "@jest/globals";
import { createGuard, isImdsGuardError } from "imds-guard";
import checks from "./checks.cjs";
import service from "./service.cjs";

checks({ test, equal: (value, wanted) => expect(value).toEqual(wanted), service });
test("meets one by import", async () => {
  expect(
    isImdsGuardError(
      await createGuard()
        .credentials()
        .catch((error) => error),
    ),
  ).toBe(true);
});
