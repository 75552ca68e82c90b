/** One request in plain bytes, which no agent, proxy or hook of HTTP touches, and the first bytes of the answer. */
import { Socket } from "node:net";
import { markOwn } from "../../base/own-sockets.js";

/** What is asked, and how long and how much is read. */
export interface RawExchange {
  /** A literal address. */
  readonly address: string;
  readonly port: number;
  /** The request line and the headers, without the empty line behind them. */
  readonly head: readonly string[];
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** What was received until it was enough, the other end closed, or time was up. Never rejects. */
export function exchangeRaw({ address, port, head, timeoutMs, maxBytes }: RawExchange): Promise<string> {
  return new Promise((resolve) => {
    const socket = new Socket();
    let received = "";
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(received);
    };
    const timer = setTimeout(finish, timeoutMs);
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      received += chunk.slice(0, maxBytes - received.length);
      if (received.length >= maxBytes) finish();
    });
    socket.on("end", finish);
    socket.on("error", finish);
    markOwn(socket.connect({ host: address, port, autoSelectFamily: false }));
    socket.write(`${[...head, "Connection: close"].join("\r\n")}\r\n\r\n`);
  });
}
