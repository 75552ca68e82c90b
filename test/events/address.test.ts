import { expect, test } from "vitest";
import { hostAndPort, ipVersion } from "../../src/events/address.js";

test.each([
  ["169.254.169.254", "169.254.169.254:80", 4],
  ["fd00:ec2::254", "[fd00:ec2::254]:80", 6],
  ["fe80::1%eth0", "[fe80::1%eth0]:80", 0],
  ["localhost", "localhost:80", 0],
  ["", ":80", 0],
])("%j is shown as %s and is of IP version %i", (address, shown, version) => {
  expect(hostAndPort({ address, port: 80 })).toBe(shown);
  expect(ipVersion(address)).toBe(version);
});
