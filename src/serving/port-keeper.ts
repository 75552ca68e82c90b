/** Keeps the port of a credential server that has ended, in a process of its own, for as long as somebody knows it. */
import { isSingleExecutable } from "../base/executable-files.js";

/** Of a single executable, which does not take `-e` as Node.js does: it keeps the port and does nothing else. */
export const KEEP_PORT = "--keep-port";

const SAYS = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
const ENDED = { code: "Ended", message: "the imds-guard exec that served credentials here has ended" };
/** Answers until the pipe ends, and needs nothing of this package. */
const KEEPER =
  `const net = require("net"); const end = () => process.exit();` +
  `net.createServer((s) => { s.on("error", () => {}); s.setTimeout(1000, () => s.destroy()); ` +
  `s.once("data", () => s.end(${JSON.stringify(SAYS + JSON.stringify(ENDED))})); }).on("error", end).listen({ fd: 3 });` +
  `new net.Socket({ fd: 4 }).on("error", end).on("close", end).resume();`;

/**
 * What this very program is called with to keep the listening socket that is its descriptor 3 until the pipe that is
 * its descriptor 4 ends; every request is answered with 503.
 */
export const portKeeperArguments = (): string[] => (isSingleExecutable() ? [KEEP_PORT] : ["-e", KEEPER]);

/** Does it in this process. */
export function keepPort(require: NodeJS.Require): void {
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call -- a constant above
  new Function("require", KEEPER)(require);
}
