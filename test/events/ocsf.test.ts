import { isIP } from "node:net";
import { describe, expect, test } from "vitest";
import { isFinding } from "../../src/events/weights.js";
import { OCSF_VERSION, toOcsf } from "../../src/events/ocsf.js";
import { GOLDEN } from "./golden.js";
import { CLASSES, faultsOfShape } from "./ocsf-schema.js";
import type { Shape } from "./ocsf-schema.js";
import { CODES, anyCode, anyDetails, eventOf } from "./samples.js";
import { fc } from "../support/properties.js";

function checkEvent(event: ReturnType<typeof toOcsf>): void {
  expect(faultsOfShape(event, CLASSES[event.class_uid] as Shape)).toEqual([]);
  expect(event.class_uid).toBe(event.category_uid * 1_000 + (event.class_uid % 1_000));
  expect(event.type_uid).toBe(event.class_uid * 100 + event.activity_id);
  expect(event.metadata).toMatchObject({ version: OCSF_VERSION });
  for (const endpoint of endpointsOf(event)) if (endpoint.ip !== undefined) expect(isIP(endpoint.ip)).not.toBe(0);
}

function endpointsOf(event: ReturnType<typeof toOcsf>): { ip?: string }[] {
  const holders = event.class_uid === 2004 ? event.evidences : [event];
  return (holders as { src_endpoint?: object; dst_endpoint?: object }[]).flatMap(({ src_endpoint, dst_endpoint }) => [
    src_endpoint ?? {},
    dst_endpoint ?? {},
  ]);
}

describe("toOcsf", () => {
  test.each(Object.keys(GOLDEN))("%s is as kept", async (name) => {
    const event = toOcsf(GOLDEN[name] as (typeof GOLDEN)[string], "1.2.3");
    await expect(`${JSON.stringify(event, null, 2)}\n`).toMatchFileSnapshot(`golden/${name}.ocsf.json`);
  });

  test.each(CODES)("%s fits the schema", (code) => {
    const event = toOcsf(eventOf(code), "1.2.3");
    checkEvent(event);
    expect(event.class_uid).toBe(isFinding(code) ? 2004 : 4001);
  });

  test.each([
    ["imds.impersonation_detected", 200401, 0, 15],
    ["credentials.account_unexpected", 200401, 2, 2],
    ["imds.refused_not_ec2", 400105, 2, 2],
    ["firewall.connection_blocked", 400105, 2, 2],
    ["imds.token_timeout", 400104, 0, 17],
    ["imds.credentials_obtained", 400106, 1, 1],
  ] as const)("%s is of type %i, action %i, disposition %i", (code, type_uid, action_id, disposition_id) => {
    expect(toOcsf(eventOf(code), "1.2.3")).toMatchObject({ type_uid, action_id, disposition_id });
  });

  test("fits the schema whatever comes in", () => {
    fc.assert(
      fc.property(anyCode, anyDetails, (code, details) => checkEvent(toOcsf(eventOf(code, details), "1.2.3"))),
      { numRuns: 40 },
    );
  });
});
