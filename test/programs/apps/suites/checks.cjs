/**
 * What each test file of the suites does, whatever the runner: `test` and `expect` are the runner's. On a host that is
 * no EC2 instance, everything is refused.
 */
module.exports = function checks({ test, equal, service }) {
  test("starts with the firewall", async () => equal(await service.start(), "block"));
  test("starts a second time", async () => equal(await service.start(), "block"));
  test("meets a refusal", async () => equal(await service.refusal(), { branded: true, code: "ERR_IMDS_NOT_EC2" }));
  test("meets one through the chain", async () => equal(await service.chain(), "ERR_IMDS_NOT_EC2"));
  test("meets one through a client", async () => equal(await service.client(), "ERR_IMDS_NOT_EC2"));
  test("meets one through the SDK as it is", async () => equal(await service.stock(), "refused"));
  test("sends no forged request", async () => equal(await service.forged(), "EACCES"));
};
