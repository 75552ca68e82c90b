/**
 * The preload for `node --import imds-guard/register`: the same file as for `-r`, loaded at once.
 * @module imds-guard/register
 */
import { createRequire } from "node:module";

createRequire(import.meta.url)("./register.cjs");
