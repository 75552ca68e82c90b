module.exports = { testMatch: ["**/*.jest.test.cjs"], testEnvironment: "node" };
