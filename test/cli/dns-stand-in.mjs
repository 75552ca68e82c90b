// @ts-check
/** A DNS server on 127.0.0.1 port 53 that knows the addresses given as `name=address`, and no other name. */
import { createSocket } from "node:dgram";
import { decode, encode } from "dns-packet";

/** @type {Map<string, string>} */
const known = new Map(process.argv.slice(2).map((pair) => /** @type {[string, string]} */ (pair.split("="))));

const socket = createSocket("udp4");
socket.on("message", (packet, sender) => {
  const query = decode(packet);
  const [question] = query.questions ?? [];
  if (question === undefined) return;
  const address = known.get(question.name.toLowerCase());
  const answers =
    address !== undefined && question.type === "A"
      ? [{ type: /** @type {const} */ ("A"), name: question.name, ttl: 0, data: address }]
      : [];
  const flags = address === undefined ? 3 : 0;
  socket.send(
    encode({ type: "response", id: query.id ?? 0, flags, questions: [question], answers }),
    sender.port,
    sender.address,
  );
});
socket.bind(53, "127.0.0.1", () => {
  console.log("ready");
});
