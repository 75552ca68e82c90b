const { deepEqual } = require("node:assert/strict");
const service = require("./service.cjs");

require("./checks.cjs")({ test: it, equal: deepEqual, service });
