/**
 * The preload for `import "imds-guard/register"` and `node --import`: the same file as for `-r`.
 * @module imds-guard/register
 */
import "./register.js";
