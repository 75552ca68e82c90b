/** Lines of the kernel's table of sockets, as tests have them. */
export const HEAD =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

/** 10.0.0.5:40000 to 169.254.169.254:80, as a little-endian machine writes it. */
export const line = ({
  local = "0500000A:9C40",
  remote = "FEA9FEA9:0050",
  state = "01",
  uid = "1500",
  inode = "777",
} = {}): string =>
  `   1: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 ${inode} 1 0000000000000000 20 4 30 10 -1\n`;

/** The same, as the listening side has it. */
export const connection = {
  remoteAddress: "10.0.0.5",
  remotePort: 40_000,
  localAddress: "127.0.0.1",
  localPort: 9_100,
};
