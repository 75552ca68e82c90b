/** One request of a program of this host, as the responder tells of it. */
import type { Exchange } from "../../src/gateway/responder.js";
import type { Caller } from "../../src/gateway/rules.js";

/** `who` changes the caller. */
export const exchange = (given: Partial<Exchange> = {}, who: Partial<Caller> = {}): Exchange => ({
  caller: {
    uid: 1_500,
    user: "web",
    gids: [],
    pid: 7,
    program: "curl",
    unit: undefined,
    container: undefined,
    address: "10.0.0.5",
    bridge: undefined,
    ...who,
  },
  method: "GET",
  path: "/latest/meta-data/mac",
  version: 2,
  status: 200,
  outcome: "answered",
  reason: "",
  ...given,
});
