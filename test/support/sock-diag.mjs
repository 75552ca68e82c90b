// @ts-check
/** A socket of sock_diag for a program, as a service manager hands one over. Node.js makes none. */
import { spawnSync } from "node:child_process";

/** AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG. */
const WAYS = [
  [
    "perl",
    "-MPOSIX=dup2",
    "-e",
    "$^F = 255; socket(S, 16, 3, 4) or die; dup2(fileno(S), 3); @ENV{'LISTEN_PID', 'LISTEN_FDS'} = ($$, 1); exec @ARGV or die",
  ],
  [
    "python3",
    "-c",
    "import os, socket, sys; s = socket.socket(16, 3, 4); os.dup2(s.fileno(), 3); os.set_inheritable(3, True); os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); os.execvp(sys.argv[1], sys.argv[1:])",
  ],
];

/**
 * The words to put before a program's own, whose descriptor 3 it then is. Undefined where neither Perl nor Python makes
 * one here.
 *
 * @returns {readonly string[] | undefined}
 */
export function withSockDiag() {
  return WAYS.find(([name = "", ...words]) => spawnSync(name, [...words, "true"], { stdio: "ignore" }).status === 0);
}
