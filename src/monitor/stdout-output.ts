/** Events as lines on a stream that exists once and cannot be opened again. */
import type { Writable } from "node:stream";
import type { GuardEvent } from "../events/catalogue.js";
import type { Output } from "./output.js";
import { createSpool } from "./output.js";

/** Writes a line for each event, and no more than the reader takes: what it does not take waits in a bounded spool. */
export function stdoutOutput(stream: Writable, line: (event: GuardEvent) => string): Output {
  const spool = createSpool<string>();
  let delivered = 0;
  const pump = (): void => {
    while (!stream.writableNeedDrain && !stream.destroyed) {
      const next = spool.shift();
      if (next === undefined) return;
      stream.write(`${next}\n`);
      delivered += 1;
    }
  };
  stream.on("drain", pump);
  return {
    name: "stdout",
    write(event) {
      spool.push(line(event));
      pump();
    },
    retry: pump,
    status: () => ({ delivered, waiting: spool.length, dropped: spool.dropped }),
    async close(deadlineMs) {
      const deadline = performance.now() + deadlineMs;
      while ((spool.length > 0 || stream.writableLength > 0) && !stream.destroyed && performance.now() < deadline) {
        pump();
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      stream.off("drain", pump);
    },
  };
}
