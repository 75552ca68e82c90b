// @ts-check
/** Lines of logs that name no metadata service, one maker for each format; no two lines are the same. */
import { closeSync, openSync, writeSync } from "node:fs";

const BATCH_BYTES = 2 ** 20;

const host = (/** @type {number} */ index) => `10.20.${(index >> 8) % 8}.${index % 256}`;
const peer = (/** @type {number} */ index) => `203.0.113.${index % 251}`;
const port = (/** @type {number} */ index) => 32_768 + (index % 28_000);
const seconds = (/** @type {number} */ index) => String(index % 60).padStart(2, "0");
const syslog = (/** @type {number} */ index, /** @type {string} */ of) => `Nov 23 10:11:${seconds(index)} ${of}`;
const AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36";

/** @type {Readonly<Record<string, (index: number) => string>>} */
export const FORMAT_LINES = {
  "nginx, combined": (index) =>
    `${peer(index)} - - [23/Nov/2026:10:${seconds(index >> 6)}:${seconds(index)} +0000] "GET /items/${index}.js?v=${index % 97} HTTP/1.1" 200 ${index % 9_999} "https://www.example.com/page/${index}" "${AGENT}"`,
  squid: (index) =>
    `17637192${seconds(index)}.${String(index % 1_000).padStart(3, "0")}    ${index % 400} ${host(index)} TCP_MISS/200 ${index % 9_999} GET http://www.example.com/items/${index} - HIER_DIRECT/${peer(index)} text/html`,
  "haproxy in syslog": (index) =>
    `${syslog(index, "lb1")} haproxy[814]: ${host(index)}:${port(index)} [23/Nov/2026:10:11:12.345] web~ app/s1 0/0/1/5/6 200 ${index % 9_999} - - ---- 10/10/0/0/0 0/0 "GET /items/${index} HTTP/1.1"`,
  "JSON access log": (index) =>
    JSON.stringify({
      time: `2026-11-23T10:11:${seconds(index)}+00:00`,
      remote_addr: peer(index),
      request_method: "GET",
      request_uri: `/items/${index}`,
      status: "200",
      body_bytes_sent: String(index % 9_999),
      http_user_agent: AGENT,
    }),
  "combined in Docker's json-file": (index) =>
    JSON.stringify({
      log: `${peer(index)} - - [23/Nov/2026:10:11:${seconds(index)} +0000] "GET /items/${index}.js HTTP/1.1" 200 ${index % 9_999} "-" "curl/8.4.0"\n`,
      stream: "stdout",
      time: `2026-11-23T10:11:${seconds(index)}.123456789Z`,
    }),
  "pfSense filterlog": (index) =>
    `${syslog(index, "fw1")} filterlog[1234]: 5,,,1000000103,igb1,match,pass,out,4,0x0,,64,${index % 65_536},0,DF,6,tcp,60,${host(index)},${peer(index)},${port(index)},443,0,S,${index},,64240,,mss;sackOK;TS`,
  "UFW in syslog": (index) =>
    `${syslog(index, "web1")} kernel: [ 1234.${String(index % 1_000_000).padStart(6, "0")}] [UFW BLOCK] IN= OUT=eth0 SRC=${host(index)} DST=${peer(index)} LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=${index % 65_536} DF PROTO=TCP SPT=${port(index)} DPT=443 WINDOW=64240 RES=0x00 SYN URGP=0`,
  "Cisco ASA": (index) =>
    `Nov 23 2026 10:11:${seconds(index)} asa1 : %ASA-6-302013: Built outbound TCP connection ${index} for outside:${peer(index)}/443 (${peer(index)}/443) to inside:${host(index)}/${port(index)} (192.0.2.1/${port(index)})`,
  FortiGate: (index) =>
    `date=2026-11-23 time=10:11:${seconds(index)} devname="fw1" devid="FG100" logid="0000000013" type="traffic" subtype="forward" level="notice" vd="root" srcip=${host(index)} srcport=${port(index)} dstip=${peer(index)} dstport=443 proto=6 action="accept" policyid=1 service="HTTPS" sentbyte=${index} rcvdbyte=${index % 9_999}`,
  "VPC flow, version 2": (index) =>
    `2 123456789010 eni-0a1b2c3d4e5f${String(index % 10_000).padStart(4, "0")} ${host(index)} ${peer(index)} ${port(index)} 443 6 20 ${index % 9_999} 1763719200 1763719260 ACCEPT OK`,
  "Linux audit": (index) =>
    `type=SYSCALL msg=audit(17637192${seconds(index)}.${String(index % 1_000).padStart(3, "0")}:${index}): arch=c000003e syscall=42 success=yes exit=0 a0=3 a1=7ffd a2=10 a3=0 items=0 ppid=1 pid=${index % 30_000} auid=1000 uid=1000 gid=1000 euid=1000 suid=1000 fsuid=1000 egid=1000 sgid=1000 fsgid=1000 tty=pts0 ses=1 comm="curl" exe="/usr/bin/curl" key="net"`,
  "sshd in syslog": (index) =>
    `${syslog(index, "web1")} sshd[${index % 30_000}]: Accepted publickey for deploy from ${peer(index)} port ${port(index)} ssh2: ED25519 SHA256:abcdefghijklmnop${index}`,
  "logfmt of a router": (index) =>
    `time=2026-11-23T10:11:${seconds(index)}Z level=info method=GET path=/items/${index} host=www.example.com fwd="${peer(index)}" dyno=web.1 connect=1ms service=${index % 100}ms status=200 bytes=${index % 9_999}`,
};

/** Writes so many bytes of lines, and a little more. @param {string} path @param {string} format @param {number} bytes */
export function writeFormatLog(path, format, bytes) {
  const line = FORMAT_LINES[format];
  if (line === undefined) throw new Error(`no lines of ${format}`);
  const file = openSync(path, "w");
  try {
    for (let index = 0, written = 0; written < bytes;) {
      let batch = "";
      while (batch.length < BATCH_BYTES && written + batch.length < bytes) batch += `${line(index++)}\n`;
      written += writeSync(file, batch);
    }
  } finally {
    closeSync(file);
  }
}
