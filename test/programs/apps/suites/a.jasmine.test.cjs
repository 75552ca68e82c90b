const service = require("./service.cjs");

describe("a service", () => {
  require("./checks.cjs")({ test: it, equal: (value, wanted) => expect(value).toEqual(wanted), service });
});
