// @ts-check
/** Packet captures (pcap, Ethernet) of made-up HTTP connections, for sensors to read. */

const CLIENT = [10, 20, 0, 15];
const SERVER = [203, 0, 113, 9];
const SYN = 0x02;
const ACK = 0x10;
const PUSH = 0x08;
const FIN = 0x01;

/** One connection for each request, answered with 200. @param {readonly string[]} requests */
export function captureOf(requests) {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65_535, 16);
  header.writeUInt32LE(1, 20);
  let time = 1_795_082_400_000;
  const packets = requests.flatMap((request, index) => {
    const port = 40_000 + index;
    const sent = Buffer.from(request, "latin1");
    const answer = Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let [ours, theirs] = [1_000, 5_000];
    const out = (/** @type {number} */ flags, data = Buffer.alloc(0)) => {
      const packet = framed(CLIENT, port, SERVER, 80, ours, theirs, flags, data, time++);
      ours += data.length + (flags & (SYN | FIN) ? 1 : 0);
      return packet;
    };
    const back = (/** @type {number} */ flags, data = Buffer.alloc(0)) => {
      const packet = framed(SERVER, 80, CLIENT, port, theirs, ours, flags, data, time++);
      theirs += data.length + (flags & (SYN | FIN) ? 1 : 0);
      return packet;
    };
    return [
      out(SYN),
      back(SYN | ACK),
      out(ACK),
      out(PUSH | ACK, sent),
      back(PUSH | ACK, answer),
      out(FIN | ACK),
      back(FIN | ACK),
      out(ACK),
    ];
  });
  return Buffer.concat([header, ...packets]);
}

/**
 * @param {readonly number[]} from @param {number} fromPort @param {readonly number[]} to @param {number} toPort
 * @param {number} sequence @param {number} acknowledged @param {number} flags @param {Buffer} data @param {number} time
 */
function framed(from, fromPort, to, toPort, sequence, acknowledged, flags, data, time) {
  const ethernet = Buffer.from("0200000000010200000000020800", "hex");
  const ip = Buffer.alloc(20);
  ip[0] = 0x45;
  ip.writeUInt16BE(40 + data.length, 2);
  ip[8] = 64;
  ip[9] = 6;
  ip.set(from, 12);
  ip.set(to, 16);
  const tcp = Buffer.alloc(20);
  tcp.writeUInt16BE(fromPort, 0);
  tcp.writeUInt16BE(toPort, 2);
  tcp.writeUInt32BE(sequence, 4);
  tcp.writeUInt32BE(flags & ACK ? acknowledged : 0, 8);
  tcp[12] = 0x50;
  tcp[13] = flags;
  tcp.writeUInt16BE(65_535, 14);
  const frame = Buffer.concat([ethernet, ip, tcp, data]);
  const record = Buffer.alloc(16);
  record.writeUInt32LE(Math.floor(time / 1_000), 0);
  record.writeUInt32LE((time % 1_000) * 1_000, 4);
  record.writeUInt32LE(frame.length, 8);
  record.writeUInt32LE(frame.length, 12);
  return Buffer.concat([record, frame]);
}
