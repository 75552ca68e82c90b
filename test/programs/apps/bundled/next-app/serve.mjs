/** Serves what was built in `.next`, asks its route once and prints the answer. */
import { createServer } from "node:http";

// Standard output is for the outcome.
console.log = console.error;
const { default: next } = await import("next");
const app = next({ dev: false, dir: import.meta.dirname, hostname: "127.0.0.1", port: 0 });
await app.prepare();
const server = createServer(app.getRequestHandler());
server.listen(0, "127.0.0.1", async () => {
  const response = await fetch(`http://127.0.0.1:${server.address().port}/ask`);
  process.stdout.write(await response.text(), () => process.exit(0));
});
