/** A file that ends with its first refusal: what the guard does in the background comes after the end of its loader. */
const service = require("./service.cjs");

test("meets a refusal", async () => {
  expect((await service.refusal()).branded).toBe(true);
});
