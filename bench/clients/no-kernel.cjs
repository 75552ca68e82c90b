// @ts-check
/**
 * Preload: connections are refused by this process itself and never reach the kernel, whose part is a hundred times
 * what the firewall adds and varies by more than that. What is left is JavaScript alone, Node's and the firewall's.
 */
const ECONNREFUSED = -require("node:os").constants.errno.ECONNREFUSED;
process.noDeprecation = true;
const { prototype } = /** @type {any} */ (process).binding("tcp_wrap").TCP;
process.noDeprecation = false;
prototype.connect = prototype.connect6 = () => ECONNREFUSED;
