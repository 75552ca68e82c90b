/** Ends of connections, and what a program may take them for. */
import { expect, test } from "vitest";
import { askedEnds, askingEnd, endsOf, hasOwner } from "../../src/gateway/connection.js";
import { connection } from "./kernel-table.js";

test.each(["remoteAddress", "remotePort", "localAddress", "localPort"] as const)(
  "without %s there is nobody",
  (name) => {
    expect(endsOf({ ...connection, [name]: undefined })).toBeUndefined();
    expect(endsOf({ ...connection, timeout: 5 } as typeof connection)).toEqual(connection);
  },
);

test.each([
  ["10.0.0.5", "127.0.0.1", ["a9fea9fe:80", "7f000001:9100"], "0a000005:40000"],
  ["::ffff:10.0.0.5", "::FFFF:127.0.0.1", ["a9fea9fe:80", "7f000001:9100"], "0a000005:40000"],
  [
    "2001:db8::1",
    "::1",
    ["fd000ec2000000000000000000000254:80", "00000000000000000000000000000001:9100"],
    "20010db8000000000000000000000001:40000",
  ],
  ["no address", "127.0.0.1", ["fd000ec2000000000000000000000254:80", "7f000001:9100"], undefined],
])("%s at %s was led here from IMDS, or asked for this port", (remoteAddress, localAddress, asked, asking) => {
  const shown = (end: ReturnType<typeof askingEnd>) => end && `${Buffer.from(end.bytes).toString("hex")}:${end.port}`;
  const given = { ...connection, remoteAddress, localAddress };
  expect(shown(askingEnd(given))).toBe(asking);
  expect(askedEnds(given).map(shown)).toEqual(asked);
});

test("a socket that waits, closes or listens has no owner", () => {
  const owned = Array.from({ length: 12 }, (_, index) => index + 1).filter(hasOwner);
  expect(owned).toEqual([1, 2, 3, 4, 5, 8, 11]);
});
