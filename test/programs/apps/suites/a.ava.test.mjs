import { deepEqual } from "node:assert/strict";
import ava from "ava";
import checks from "./checks.cjs";
import service from "./service.cjs";

const test = (title, check) =>
  ava.serial(title, async (t) => {
    await check();
    t.pass();
  });
checks({ test, equal: deepEqual, service });
