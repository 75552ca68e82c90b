/** A suite whose clock stands still, and that loads its service anew for each test. */
beforeEach(() => {
  jest.resetModules();
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

require("./checks.cjs")({
  test,
  equal: (value, wanted) => expect(value).toEqual(wanted),
  service: new Proxy(
    {},
    {
      get:
        (_, name) =>
        (...args) =>
          require("./service.cjs")[name](...args),
    },
  ),
});
