/** Serves what Nitro built, asks its route once and prints the answer. */
import { createServer } from "node:http";
import { listener } from "../../out/Nitro/server/server/index.mjs";

const server = createServer(listener);
server.listen(0, "127.0.0.1", async () => {
  const response = await fetch(`http://127.0.0.1:${server.address().port}/ask`);
  process.stdout.write(await response.text(), () => process.exit(0));
});
