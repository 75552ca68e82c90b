const service = require("./service.cjs");
require("./checks.cjs")({ test, equal: (value, wanted) => expect(value).toEqual(wanted), service });
