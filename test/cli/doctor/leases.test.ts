/** Routes in DHCP leases: four formats, and whatever else stands in such files. */
import { describe, expect, it } from "vitest";
import {
  isTelling,
  readClasslessRoutes,
  readDhclientLease,
  readDhcpMessage,
  readNetworkdLease,
} from "../../../src/cli/doctor/leases.js";
import { fc } from "../../support/properties.js";

const octet = fc.integer({ min: 0, max: 255 });
const quad = fc.tuple(octet, octet, octet, octet);
const route = fc.record({ width: fc.integer({ min: 0, max: 32 }), network: quad, gateway: quad });

/** RFC 3442, written independently of the reader. */
function encode(
  routes: readonly { width: number; network: readonly number[]; gateway: readonly number[] }[],
): number[] {
  return routes.flatMap(({ width, network, gateway }) => [
    width,
    ...network.slice(0, Math.ceil(width / 8)),
    ...gateway,
  ]);
}

function expected({
  width,
  network,
  gateway,
}: {
  width: number;
  network: readonly number[];
  gateway: readonly number[];
}) {
  const kept = network.map((part, index) => (index < Math.ceil(width / 8) ? part : 0));
  return { network: `${kept.join(".")}/${width}`, prefixLength: width, gateway: gateway.join(".") };
}

function message(options: readonly number[]): Buffer {
  return Buffer.concat([Buffer.alloc(236), Buffer.from([99, 130, 83, 99]), Buffer.from(options), Buffer.from([255])]);
}

describe("option 121", () => {
  it("is read as it is written", () => {
    fc.assert(
      fc.property(fc.array(route, { maxLength: 20 }), (routes) => {
        expect(readClasslessRoutes(encode(routes))).toEqual(routes.map(expected));
      }),
    );
  });

  it("keeps what is whole of a broken one, and never throws", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(octet, fc.constant(Number.NaN), fc.integer())), (octets) => {
        expect(readClasslessRoutes(octets).every(({ prefixLength }) => prefixLength >= 0 && prefixLength <= 32)).toBe(
          true,
        );
      }),
    );
    expect(readClasslessRoutes([32, 169, 254, 169, 254, 192, 0, 2, 1, 16, 169])).toHaveLength(1);
  });
});

describe("dhclient", () => {
  const imds = { network: "169.254.169.254/32", prefixLength: 32, gateway: "192.0.2.66" };
  it.each([
    ["by its usual name", "option rfc3442-classless-static-routes 32,169,254,169,254,192,0,2,66;"],
    ["by another name", "  option ms-classless-static-routes 32,169,254,169,254,192,0,2,66;"],
    ["as unknown option", "  option unknown-121 20:a9:fe:a9:fe:c0:0:2:42;"],
    ["as option 33", "  option static-routes 169.254.169.254 192.0.2.66;"],
  ])("%s", (_name, line) => {
    expect(readDhclientLease(`lease {\n${line}\n  renew 4 2026/11/19 10:00:00;\n}\n`)).toEqual([imds]);
  });

  it("never throws", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        readDhclientLease(`option rfc3442-classless-static-routes ${text};\noption static-routes ${text};`);
      }),
    );
  });
});

describe("systemd-networkd", () => {
  it("has all three names", () => {
    const text =
      "ADDRESS=192.0.2.10\nROUTES=0.0.0.0/0,192.0.2.1\nCLASSLESS_ROUTES=169.254.169.254/32,192.0.2.2\nSTATIC_ROUTES=10.0.0.0/8,192.0.2.3 bad/9,x\n";
    expect(readNetworkdLease(text).map(({ gateway }) => gateway)).toEqual(["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
  });
});

describe("a DHCP message", () => {
  it("gives options 121, 249 and 33, in pieces as well", () => {
    const routes = encode([{ width: 32, network: [169, 254, 169, 254], gateway: [192, 0, 2, 66] }]);
    expect(
      readDhcpMessage(message([53, 1, 5, 121, 4, ...routes.slice(0, 4), 0, 121, 5, ...routes.slice(4)])),
    ).toHaveLength(1);
    expect(readDhcpMessage(message([249, routes.length, ...routes]))).toHaveLength(1);
    expect(readDhcpMessage(message([33, 8, 169, 254, 169, 254, 192, 0, 2, 66]))).toEqual([
      { network: "169.254.169.254/32", prefixLength: 32, gateway: "192.0.2.66" },
    ]);
  });

  it("is nothing without the cookie, and never throws", () => {
    expect(readDhcpMessage(Buffer.alloc(300))).toEqual([]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        readDhcpMessage(Buffer.from(bytes));
        readDhcpMessage(message([...bytes]));
      }),
    );
  });
});

describe("isTelling", () => {
  it.each([
    ["169.254.169.254/32", true],
    ["169.254.169.253/32", true],
    ["169.254.169.252/30", true],
    ["169.254.0.0/16", true],
    ["169.0.0.0/8", true],
    ["0.0.0.0/0", false],
    ["169.254.170.2/32", false],
    ["10.0.0.0/8", false],
    ["168.0.0.0/7", false],
  ])("%s: %s", (network, telling) => {
    expect(isTelling({ network, prefixLength: Number(network.split("/")[1]), gateway: "192.0.2.1" })).toBe(telling);
  });
});
