// @ts-check
/**
 * A syslog receiver: appends the content of every whole message to a file, and can be killed at any time. Arguments:
 * port and file.
 */
import { appendFileSync } from "node:fs";
import { createServer } from "node:net";

const [port, file = ""] = process.argv.slice(2);
createServer((socket) => {
  let pending = "";
  socket.on("error", () => {});
  socket.setEncoding("latin1").on("data", (chunk) => {
    pending += chunk;
    for (let head = /^(\d+) /.exec(pending); head !== null; head = /^(\d+) /.exec(pending)) {
      const end = head[0].length + Number(head[1]);
      if (pending.length < end) return;
      const message = pending.slice(head[0].length, end);
      appendFileSync(file, `${message.slice(message.indexOf(" - ") + 3)}\n`);
      pending = pending.slice(end);
    }
  });
}).listen(Number(port), "127.0.0.1", () => {
  process.stdout.write("ready\n");
});
