/** Which interfaces are bridges, and by which addresses they are listened on. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { NetworkInterfaceInfo } from "node:os";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { bridgesOf } from "../../src/gateway/bridges.js";

const at = (...addresses: readonly string[]): NetworkInterfaceInfo[] =>
  addresses.map((address) => ({ address }) as NetworkInterfaceInfo);

it("a bridge is what the kernel says is one, with its addresses but those of the link", () => {
  const sys = mkdtempSync(join(tmpdir(), "imds-guard-sys-"));
  try {
    for (const name of ["docker0", "br-1", "br-2", "br-3"])
      mkdirSync(join(sys, "class", "net", name, "bridge"), { recursive: true });
    mkdirSync(join(sys, "class", "net", "eth0"));
    writeFileSync(join(sys, "class", "net", "eth0", "address"), "");
    const interfaces = {
      lo: at("127.0.0.1"),
      eth0: at("10.0.0.5"),
      docker0: at("172.17.0.1", "fd00::1", "fe80::1"),
      "br-1": at("fe80::2"),
      "br-2": undefined,
      "br-3": at("10.1.0.1"),
    };
    expect(bridgesOf(sys, interfaces)).toEqual([
      { name: "docker0", addresses: ["172.17.0.1", "fd00::1"] },
      { name: "br-3", addresses: ["10.1.0.1"] },
    ]);
    expect(bridgesOf(join(sys, "none"), interfaces)).toEqual([]);
    // This host's own: whichever they are, loopback is none.
    expect(bridgesOf().map(({ name }) => name)).not.toContain("lo");
  } finally {
    rmSync(sys, { recursive: true });
  }
});
