import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import checks from "./checks.cjs";
import service from "./service.cjs";

checks({ test, equal: deepEqual, service });
