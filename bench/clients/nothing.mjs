// @ts-check
/** An empty program: what a start costs. */
import { report } from "./order.mjs";

report({});
