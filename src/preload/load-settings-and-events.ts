/** Loads what the preload needs only if there is something to read or to tell, at once. */

export function settingsAndEvents(): typeof import("./settings-and-events.js") {
  return require("./settings-and-events.js") as typeof import("./settings-and-events.js");
}
