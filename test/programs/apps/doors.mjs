/** The same application as an ES module. */
import { createRequire } from "node:module";
const main = createRequire(import.meta.url)("./doors.cjs");
await main((name) => import(name), process.argv.slice(2));
