import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { toEcs } from "../../src/events/ecs.js";
import { encoderOf } from "../../src/events/encode.js";
import { toOcsf } from "../../src/events/ocsf.js";
import { PACKAGE_VERSION } from "../../src/base/package-version.js";
import { EVENT_FORMATS } from "../../src/events/catalogue.js";
import { eventOf, IMPERSONATION } from "./samples.js";

const event = eventOf("imds.impersonation_detected", IMPERSONATION);

test("json is the event itself", () => {
  expect(encoderOf("json")(event)).toBe(event);
});

test("the schemas state the version of the package", () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  expect(PACKAGE_VERSION).toBe(version);
  expect(encoderOf("ecs")(event)).toEqual(toEcs(event, version));
  expect(encoderOf("ocsf")(event)).toEqual(toOcsf(event, version));
});

test("there is an encoder for every word of the setting", () => {
  for (const format of EVENT_FORMATS) expect(JSON.stringify(encoderOf(format)(event))).toContain(event.id);
});
