/** The single executable does what the program does: the same scripts, with RIG_BINARY in place of the program. */
import "../cli/cli.test.js";
