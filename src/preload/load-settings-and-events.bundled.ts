/** The form of load-settings-and-events.ts in a bundle, which has everything in it. */
import * as module from "./settings-and-events.js";

export const settingsAndEvents = (): typeof module => module;
