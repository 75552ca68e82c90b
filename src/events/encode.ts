/** The forms in which an event is written as JSON. */
import { PACKAGE_VERSION } from "../base/package-version.js";
import type { EventFormat, GuardEvent } from "./catalogue.js";
import { toEcs } from "./ecs.js";
import { toOcsf } from "./ocsf.js";

const ENCODERS: Readonly<Record<EventFormat, (event: GuardEvent) => object>> = {
  json: (event) => event,
  ecs: (event) => toEcs(event, PACKAGE_VERSION),
  ocsf: (event) => toOcsf(event, PACKAGE_VERSION),
};

/** What makes the object to be written out of an event. */
export function encoderOf(format: EventFormat): (event: GuardEvent) => object {
  return ENCODERS[format];
}
