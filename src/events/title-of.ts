/** What an event says that brings no message of its own. */
import { CATALOGUE } from "./catalogue.js";
import type { EventCode } from "./weights.js";

export const titleOf = (code: EventCode): string => CATALOGUE[code].title;
