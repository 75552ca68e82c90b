// @ts-check
/** Logs of Suricata to scan (EVE): flows, DNS, TLS and HTTP, with few lines that a rule matches. */
import { closeSync, openSync, writeSync } from "node:fs";

/** One line in so many goes to the metadata service. */
const IMDS_EVERY = 10_000;
/** One TLS connection in so many goes to AWS, which the rules look at, too. */
const AWS_EVERY = 50;
/** A few thousand hosts, so that each is seen again and again. */
const HOSTS_BY_256 = 8;
const BEGINS = Date.UTC(2025, 10, 21, 10);
const BATCH_BYTES = 2 ** 20;

/** The line of a number: no two are the same. @param {number} index @returns {string} */
export function eveLine(index) {
  const imds = index % IMDS_EVERY === IMDS_EVERY - 1;
  const timestamp = new Date(BEGINS + index).toISOString().replace("Z", "000+0000");
  const base = {
    timestamp,
    flow_id: (index * 2_654_435_761) % 2 ** 48,
    in_iface: "eth0",
    src_ip: `10.20.${(index >> 8) % HOSTS_BY_256}.${index % 256}`,
    src_port: 32_768 + (index % 28_000),
    dest_ip: imds ? "169.254.169.254" : `203.0.113.${index % 251}`,
    dest_port: imds ? 80 : 443,
    proto: "TCP",
  };
  return JSON.stringify({ ...base, ...eventOf(index, timestamp) });
}

/** @param {number} index @param {string} timestamp */
function eventOf(index, timestamp) {
  const [site, address] = [`www${index % 97}.example.com`, `203.0.113.${index % 251}`];
  const kind = index % 10;
  if (kind === 0) {
    const http = {
      hostname: site,
      url: `/api/v1/items/${index % 1_009}?page=${index % 7}`,
      http_user_agent: "Mozilla/5.0 (X11; Linux x86_64)",
      http_method: "GET",
      protocol: "HTTP/1.1",
      status: 200,
      length: index % 4_096,
    };
    return { event_type: "http", http };
  }
  if (kind < 3)
    return {
      event_type: "dns",
      dns: {
        version: 2,
        type: "answer",
        rrname: site,
        rrtype: "A",
        rcode: "NOERROR",
        answers: [{ rrname: site, rrtype: "A", ttl: 300, rdata: address }],
      },
    };
  if (kind < 5) {
    const aws = Math.floor(index / 10) % AWS_EVERY === 0;
    return { event_type: "tls", tls: { sni: aws ? "s3.eu-central-1.amazonaws.com" : site, version: "TLS 1.3" } };
  }
  const flow = {
    pkts_toserver: 12,
    pkts_toclient: 11,
    bytes_toserver: 1_800,
    bytes_toclient: 6_000,
    start: timestamp,
    end: timestamp,
    age: 1,
    state: "closed",
    reason: "timeout",
    alerted: false,
  };
  return { event_type: "flow", app_proto: "tls", flow };
}

/** Writes a log of at least so many bytes, in whole lines. @param {string} path @param {number} bytes */
export function writeEveLog(path, bytes) {
  const file = openSync(path, "w");
  try {
    for (let written = 0, index = 0; written < bytes;) {
      let batch = "";
      while (batch.length < Math.min(BATCH_BYTES, bytes - written)) batch += `${eveLine(index++)}\n`;
      written += writeSync(file, batch);
    }
  } finally {
    closeSync(file);
  }
}
