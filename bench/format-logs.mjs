// @ts-check
/** Logs that name no metadata service, one maker of lines for each format; no two lines are the same. */
import { closeSync, openSync, writeSync } from "node:fs";

const BATCH_BYTES = 2 ** 20;

const host = (/** @type {number} */ index) => `10.20.${(index >> 8) % 8}.${index % 256}`;
const peer = (/** @type {number} */ index) => `203.0.113.${index % 251}`;
const port = (/** @type {number} */ index) => 32_768 + (index % 28_000);
const seconds = (/** @type {number} */ index) => String(index % 60).padStart(2, "0");
const syslog = (/** @type {number} */ index, /** @type {string} */ of) => `Nov 23 10:11:${seconds(index)} ${of}`;
const AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36";

/** @type {Readonly<Record<string, (index: number) => string>>} */
const FORMAT_LINES = {
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
  "CEF of a firewall": (index) =>
    `CEF:0|Vendor|Product|1.0|100|Connection allowed|3|rt=17637192${seconds(index)}000 src=${host(index)} spt=${port(index)} dst=${peer(index)} dpt=443 act=allowed suser=bob in=${index % 9_999} out=120`,
  "LEEF of a firewall": (index) =>
    `LEEF:1.0|Vendor|Product|1.0|100|devTime=17637192${seconds(index)}000\tsrc=${host(index)}\tdst=${peer(index)}\tsrcPort=${port(index)}\tdstPort=443\tproto=6\taction=allow\tusrName=bob`,
  "Check Point, name=value": (index) =>
    `time=17637192${seconds(index)} action="Accept" ifdir=inbound ifname=bond1 loguid={0x60f1,0x${index}} origin=10.20.0.40 src=${host(index)} s_port=${port(index)} dst=${peer(index)} service=443 proto=6 rule=77 product="VPN-1 & FireWall-1"`,
  "Palo Alto traffic": (index) =>
    `1,2026/11/23 10:11:${seconds(index)},0011,TRAFFIC,end,2305,2026/11/23 10:11:${seconds(index)},${host(index)},${peer(index)},0.0.0.0,0.0.0.0,rule1,,,web-browsing,vsys1,trust,untrust,e1,e2,fwd,2026/11/23 10:11:12,${index},1,${port(index)},443,0,0,0x0,tcp,allow,${index % 9_999},120`,
  "Juniper SRX, structured": (index) =>
    `<14>1 2026-11-23T10:11:${seconds(index)}.573Z srx1 RT_FLOW - RT_FLOW_SESSION_CREATE [junos@2636.1.1.1.2.129 source-address="${host(index)}" source-port="${port(index)}" destination-address="${peer(index)}" destination-port="443" service-name="junos-https" protocol-id="6" policy-name="p1" session-id-32="${index}"]`,
  "Cisco Firepower": (index) =>
    `<166>2026-11-23T10:11:${seconds(index)}Z ftd : %FTD-6-302014: Teardown TCP connection ${index} for inside:${host(index)}/${port(index)} to outside:${peer(index)}/443 duration 0:00:30 bytes ${index % 9_999} TCP FINs`,
  "conntrack -L": (index) =>
    `tcp      6 ${index % 431_999} ESTABLISHED src=${host(index)} dst=${peer(index)} sport=${port(index)} dport=443 src=${peer(index)} dst=${host(index)} sport=443 dport=${port(index)} [ASSURED] mark=0 use=1`,
  tcpdump: (index) =>
    `10:11:${seconds(index)}.${String(index % 1_000_000).padStart(6, "0")} IP ${host(index)}.${port(index)} > ${peer(index)}.443: Flags [S], seq ${index}, win 64240, options [mss 1460], length 0`,
  "Suricata EVE, flow": (index) =>
    JSON.stringify({
      timestamp: `2026-11-23T10:11:${seconds(index)}.690014+0000`,
      flow_id: 2_115_002_772_430 + index,
      in_iface: "eth0",
      event_type: "flow",
      src_ip: host(index),
      src_port: port(index),
      dest_ip: peer(index),
      dest_port: 443,
      proto: "TCP",
      app_proto: "tls",
      flow: {
        pkts_toserver: 8,
        pkts_toclient: 9,
        bytes_toserver: index % 9_999,
        bytes_toclient: 5_120,
        state: "closed",
      },
    }),
  "Zeek conn, JSON": (index) =>
    JSON.stringify({
      ts: 1_763_719_200.1 + index,
      uid: `C${index}`,
      "id.orig_h": host(index),
      "id.orig_p": port(index),
      "id.resp_h": peer(index),
      "id.resp_p": 443,
      proto: "tcp",
      duration: 0.07,
      orig_bytes: 75,
      resp_bytes: index % 9_999,
      conn_state: "SF",
      history: "ShADadFf",
    }),
  "W3C, IIS without a header": (index) =>
    `2026-11-23 10:11:${seconds(index)} 10.20.0.1 GET /items/${index} v=${index % 97} 443 - ${peer(index)} curl/8 - 200 0 0 ${index % 400}`,
  CloudTrail: (index) =>
    JSON.stringify({
      eventVersion: "1.08",
      userIdentity: {
        type: "IAMUser",
        principalId: "AIDAEXAMPLE",
        arn: "arn:aws:iam::123456789012:user/bob",
        userName: "bob",
      },
      eventTime: `2026-11-23T10:11:${seconds(index)}Z`,
      eventSource: "s3.amazonaws.com",
      eventName: "ListObjects",
      awsRegion: "us-east-1",
      sourceIPAddress: peer(index),
      userAgent: "aws-cli/2.15",
      requestParameters: { bucketName: `b${index}` },
      eventID: `e-${index}`,
      readOnly: true,
      eventType: "AwsApiCall",
    }),
  "VPC flow, JSON": (index) =>
    `{"version":5,"account_id":"123456789010","interface_id":"eni-1","srcaddr":"${host(index)}","dstaddr":"${peer(index)}","srcport":${port(index)},"dstport":443,"protocol":6,"packets":14,"bytes":${index % 9_999},"start":1763719200,"end":1763719260,"action":"ACCEPT","log_status":"OK"}`,
  "Route 53 resolver": (index) =>
    `{"version":"1.100000","account_id":"123456789012","region":"us-east-1","vpc_id":"vpc-1","query_timestamp":"2026-11-23T10:11:${seconds(index)}Z","query_name":"host${index}.example.com.","query_type":"A","query_class":"IN","rcode":"NOERROR","answers":[{"Rdata":"${peer(index)}","Type":"A","Class":"IN"}],"srcaddr":"${host(index)}","srcport":"${port(index)}","transport":"UDP"}`,
  "sshd in the journal's JSON": (index) =>
    JSON.stringify({
      __REALTIME_TIMESTAMP: `17637192${seconds(index)}123456`,
      _HOSTNAME: "web1",
      SYSLOG_IDENTIFIER: "sshd",
      _PID: String(index % 30_000),
      MESSAGE: `Accepted publickey for deploy from ${peer(index)} port ${port(index)} ssh2`,
    }),
  "combined in Filebeat's envelope": (index) =>
    JSON.stringify({
      "@timestamp": `2026-11-23T10:11:${seconds(index)}.123Z`,
      agent: { type: "filebeat", version: "8.11.0" },
      host: { name: "web1" },
      log: { file: { path: "/var/log/nginx/access.log" }, offset: index },
      message: `${peer(index)} - - [23/Nov/2026:10:11:${seconds(index)} +0000] "GET /items/${index}.js HTTP/1.1" 200 ${index % 9_999} "-" "curl/8.4.0"`,
    }),
  "ECS, network": (index) =>
    JSON.stringify({
      "@timestamp": `2026-11-23T10:11:${seconds(index)}.123Z`,
      ecs: { version: "8.11.0" },
      event: { kind: "event", category: ["network"], dataset: "flow" },
      source: { ip: host(index), port: port(index) },
      destination: { ip: peer(index), port: 443, bytes: index % 9_999 },
      network: { transport: "tcp" },
    }),
  "Windows 5156, XML": (index) =>
    `<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing'/><EventID>5156</EventID><TimeCreated SystemTime='2026-11-23T10:11:${seconds(index)}.1Z'/><EventRecordID>${index}</EventRecordID><Computer>win1</Computer></System><EventData><Data Name='ProcessID'>1234</Data><Data Name='Application'>\\device\\harddiskvolume2\\node.exe</Data><Data Name='SourceAddress'>${host(index)}</Data><Data Name='SourcePort'>${port(index)}</Data><Data Name='DestAddress'>${peer(index)}</Data><Data Name='DestPort'>443</Data></EventData></Event>`,
  "Windows 5156, JSON": (index) =>
    JSON.stringify({
      EventID: 5156,
      TimeCreated: `2026-11-23T10:11:${seconds(index)}.1Z`,
      Computer: "win1",
      EventData: {
        ProcessID: "1234",
        Application: "node.exe",
        SourceAddress: host(index),
        SourcePort: String(port(index)),
        DestAddress: peer(index),
        DestPort: "443",
      },
    }),
  "dnsmasq in syslog": (index) =>
    `${syslog(index, "ns1")} dnsmasq[512]: reply host${index}.example.net is ${peer(index)}`,
  "Envoy, text": (index) =>
    `[2026-11-23T10:11:${seconds(index)}.123Z] "GET /items/${index} HTTP/1.1" 200 - via_upstream - "-" 0 ${index % 9_999} 3 2 "-" "curl/8" "0b9c-${index}" "www.example.com" "10.0.0.6:80" outbound|80||a 10.0.0.5:5 10.0.0.7:80 ${host(index)}:${port(index)} - default`,
  "Azure flow, network security group": (index) =>
    JSON.stringify({
      time: `2026-11-23T10:11:${seconds(index)}.123Z`,
      category: "NetworkSecurityGroupFlowEvent",
      properties: {
        Version: 2,
        flows: [
          {
            rule: "DefaultRule_AllowInternetOutBound",
            flows: [
              {
                mac: "000D3AF87856",
                flowTuples: [0, 1, 2, 3].map(
                  (step) =>
                    `17637192${seconds(index)},${host(index)},${peer(index + step)},${port(index)},443,T,O,A,B,,,,`,
                ),
              },
            ],
          },
        ],
      },
    }),
  "Cisco IOS": (index) =>
    `<189>${index}: rtr1: *Nov 23 10:11:${seconds(index)}.123: %SEC-6-IPACCESSLOGP: list 101 denied tcp ${host(index)}(${port(index)}) -> ${peer(index)}(443), 1 packet`,
  "columns without a header": (index) =>
    `Nov 23 10:11:${seconds(index)} fw1 firewall: Allow 1-Trusted 0-External 60 tcp 20 127 ${host(index)} ${peer(index)} ${port(index)} 443 offset 10 S (Allow-00)`,
  "CSV of no known columns": (index) =>
    index === 0
      ? "id,when,who,what,where"
      : `${index},2026-11-23T10:11:${seconds(index)}Z,user${index % 97},opened,/items/${index}`,
  "message of a program in syslog": (index) =>
    `${syslog(index, "web1")} app[${index % 30_000}]: starting worker ${index % 64} for ${host(index)} after ${index % 1_000} ms`,
  "JSON of no known format": (index) =>
    JSON.stringify({
      when: `2026-11-23T10:11:${seconds(index)}Z`,
      level: "info",
      task: `task-${index}`,
      took: index % 997,
      state: { attempt: index % 3, queue: "default" },
    }),
  "AWS load balancer": (index) =>
    `https 2026-11-23T10:11:${seconds(index)}.186641Z app/lb/50dc6c495c0c9188 ${peer(index)}:${port(index)} 10.0.0.1:80 0.086 0.048 0.037 200 200 0 ${index % 9_999} "GET https://www.example.com:443/items/${index} HTTP/1.1" "curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/t/1`,
};

/** Lines of a format as records of one document: in its one line as they are, or printed. */
const DOCUMENTS = {
  "CloudTrail, a document in one line": { format: "CloudTrail", list: "Records", indent: 0 },
  "CloudTrail, a printed document": { format: "CloudTrail", list: "Records", indent: 2 },
};

/**
 * What is put together into a log of each format.
 *
 * @type {Readonly<Record<string, { begin: string, record: (index: number) => string, between: string, end: string }>>}
 */
const LOGS = {
  ...Object.fromEntries(
    Object.entries(FORMAT_LINES).map(([format, record]) => [format, { begin: "", record, between: "\n", end: "\n" }]),
  ),
  ...Object.fromEntries(
    Object.entries(DOCUMENTS).map(([name, { format, list, indent }]) => [
      name,
      {
        begin: `{"${list}":[`,
        record: (index) => JSON.stringify(JSON.parse(FORMAT_LINES[format]?.(index) ?? "null"), null, indent),
        between: ",",
        end: "]}",
      },
    ]),
  ),
};

/** What logs can be written of. */
export const LOGGED = Object.keys(LOGS);

/** Writes so many bytes of a log, and a little more. @param {string} path @param {string} format @param {number} bytes */
export function writeFormatLog(path, format, bytes) {
  const log = LOGS[format];
  if (log === undefined) throw new Error(`no log of ${format}`);
  const file = openSync(path, "w");
  try {
    for (let index = 0, written = writeSync(file, log.begin); written < bytes;) {
      let batch = "";
      while (batch.length < BATCH_BYTES && written + batch.length < bytes)
        batch += (index === 0 ? "" : log.between) + log.record(index++);
      written += writeSync(file, batch);
    }
    writeSync(file, log.end);
  } finally {
    closeSync(file);
  }
}
