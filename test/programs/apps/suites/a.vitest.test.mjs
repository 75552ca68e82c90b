import { expect, test } from "vitest";
import checks from "./checks.cjs";
import service from "./service.cjs";

checks({ test, equal: (value, wanted) => expect(value).toEqual(wanted), service });
