// @ts-check
/** A small answer to every request, on a port of loopback that is told over IPC. */
import { createServer } from "node:http";

const body = Buffer.from(
  JSON.stringify({ items: Array.from({ length: 16 }, (_, id) => ({ id, name: `item ${id}` })) }),
);
const server = createServer((request, response) => {
  request.resume();
  response.writeHead(200, { "Content-Type": "application/json", "Content-Length": body.length });
  response.end(body);
});
await new Promise((resolve) => {
  server.listen(0, "127.0.0.1", () => {
    resolve(undefined);
  });
});

process.on("message", () => {
  const address = server.address();
  process.send?.({ url: `http://127.0.0.1:${typeof address === "object" ? address?.port : address}/` });
});
process.on("disconnect", () => {
  process.exit(0);
});
