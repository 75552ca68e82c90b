/** One line of each format that the samples of the rules do not have, and what collectors put around lines. */

import { gzipSync } from "node:zlib";

/** One line of each format that the samples of the rules do not have. */
export const LINES: Readonly<Record<string, string>> = {
  caddy:
    '{"level":"info","ts":1646861401.52,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"127.0.0.1","method":"GET","host":"localhost","uri":"/a?b=c","headers":{"User-Agent":["curl/7.82.0"]}},"status":200,"size":10900}',
  "aws-waf":
    '{"timestamp":1576280412771,"formatVersion":1,"webaclId":"arn:aws:wafv2:x","action":"BLOCK","httpRequest":{"clientIp":"203.0.113.1","country":"AU","headers":[{"name":"Host","value":"h"},{"name":"User-Agent","value":"curl"}],"uri":"/foo","args":"x=y","httpVersion":"HTTP/1.1","httpMethod":"GET","requestId":"rid"}}',
  "vpc-flow-json":
    '{"version":2,"account-id":"123456789010","srcaddr":"10.0.0.1","dstaddr":"10.0.0.2","srcport":20641,"dstport":22,"protocol":6,"action":"ACCEPT","start":1418530010}',
  "web-json":
    '{"time_local":"19/Nov/2026:10:00:00 +0000","remote_addr":"203.0.113.5","request_method":"GET","request_uri":"/x?y=z","status":"200","http_referer":"-","http_user_agent":"curl"}',
  "dns-json":
    '{"version":"1.1","account_id":"123456789012","query_timestamp":"2026-11-19T10:00:00Z","query_name":"a.example.","query_type":"A","answers":[{"Rdata":"203.0.113.1","Type":"A","Class":"IN"}],"srcaddr":"10.0.0.5"}',
  "flow-json":
    '{"jsonPayload":{"connection":{"src_ip":"10.0.0.5","dest_ip":"10.0.0.6","src_port":5,"dest_port":80},"bytes_sent":"1"},"timestamp":"2026-11-19T10:00:00Z"}',
  endpoint:
    '{"timestamp":"2026-11-19T10:00:00Z","DeviceName":"d","InitiatingProcessFileName":"curl","InitiatingProcessCommandLine":"curl x","RemoteIP":"203.0.113.9","RemotePort":80}',
  falco:
    '{"hostname":"n1","output":"x","priority":"Notice","rule":"Contact","time":"2020-09-14T00:59:13.1Z","output_fields":{"fd.name":"10.1.0.5:43210->10.1.0.6:80","proc.cmdline":"curl x","container.id":"abc"}}',
  tetragon:
    '{"process_kprobe":{"process":{"pid":5,"uid":0,"binary":"/usr/bin/curl","arguments":"x","pod":{"namespace":"n","name":"p"}},"function_name":"tcp_connect","args":[{"sock_arg":{"family":"AF_INET","saddr":"10.0.0.5","daddr":"10.0.0.6","sport":5,"dport":80}}]},"time":"2026-11-19T10:00:00Z"}',
  hubble:
    '{"flow":{"time":"2026-11-19T10:00:00Z","verdict":"FORWARDED","IP":{"source":"10.0.0.5","destination":"10.0.0.6","ipVersion":"IPv4"},"l4":{"TCP":{"source_port":5,"destination_port":80}},"source":{"namespace":"n","pod_name":"p"}}}',
  osquery:
    '{"name":"pack_net","hostIdentifier":"h","unixTime":1795082400,"columns":{"pid":"5","remote_address":"10.0.0.6","remote_port":"80","path":"/usr/bin/curl"},"action":"added"}',
  ecs: '{"@timestamp":"2026-11-19T10:00:00Z","ecs":{"version":"8.0"},"event":{"kind":"event"},"source":{"ip":"10.0.0.5"},"destination":{"ip":"10.0.0.6","port":80},"message":"x y z"}',
  ocsf: '{"class_uid":4001,"time":1795082400000,"metadata":{"version":"1.1.0","product":{"name":"p"}},"src_endpoint":{"ip":"10.0.0.5"},"dst_endpoint":{"ip":"10.0.0.6","port":80}}',
  guardduty:
    '{"schemaVersion":"2.0","accountId":"111122223333","region":"eu-central-1","type":"UnauthorizedAccess:EC2/MetadataDNSRebind","severity":8,"resource":{"resourceType":"Instance"},"service":{"action":{"actionType":"DNS_REQUEST","dnsRequestAction":{"domain":"a.example"}},"eventLastSeen":"2026-11-19T10:00:00Z"}}',
  "aws-lb":
    'http 2018-07-02T22:23:00.186641Z app/lb/50dc6c495c0c9188 192.0.2.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "GET http://www.example.com:80/?a=b HTTP/1.1" "curl/7.46.0" - - arn "Root=1" "-" "-" 0 2018-07-02T22:22:48.364000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-"',
  envoy:
    '[2026-11-19T10:00:00.123Z] "GET /a?b=c HTTP/1.1" 200 - via_upstream - "-" 0 5 3 2 "-" "curl/8" "0b9c" "a.example" "10.0.0.6:80" outbound|80||a 10.0.0.5:5 10.0.0.7:80 10.0.0.5:43210 - default',
  haproxy:
    '10.0.1.2:33317 [06/Feb/2026:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1"',
  "s3-access":
    '79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be bucket [06/Feb/2026:00:00:38 +0000] 192.0.2.3 arn:x 3E57427F3EXAMPLE REST.GET.OBJECT key "GET /bucket/key?a=b HTTP/1.1" 200 - 113 - 7 - "http://r.example/" "S3Console/0.4" -',
  conntrack:
    "tcp      6 431999 ESTABLISHED src=10.0.0.5 dst=10.0.0.6 sport=43210 dport=80 src=10.0.0.6 dst=10.0.0.5 sport=80 dport=43210 [ASSURED] mark=0 use=1",
  cisco:
    "%ASA-6-302013: Built outbound TCP connection 1 for outside:10.0.0.6/80 (10.0.0.6/80) to inside:10.0.0.5/43210 (10.0.0.5/43210)",
  "palo-alto":
    "1,2026/11/19 10:00:00,0011,TRAFFIC,end,2305,2026/11/19 10:00:00,10.0.0.5,10.0.0.6,0.0.0.0,0.0.0.0,rule1,,,web-browsing,vsys1,trust,untrust,e1,e2,fwd,2026/11/19 10:00:00,1,1,43210,80,0,0,0x0,tcp,allow,1,2",
  filterlog:
    "filterlog[123]: 5,,,1000000103,igb1,match,block,in,4,0x0,,64,1,0,DF,6,tcp,60,10.0.0.5,10.0.0.6,43210,80,0,S,1,,64240,,mss",
  fortigate:
    'date=2026-11-19 time=10:00:00 devname="fw" devid="FG1" logid="0000000013" type="traffic" subtype="forward" level="notice" srcip=10.0.0.5 srcport=43210 dstip=10.0.0.6 dstport=80 action="accept"',
  "check-point":
    'time=1795082400 loguid={0x1} origin=10.0.0.1 action="Accept" src="10.0.0.5" dst="10.0.0.6" service="80" s_port="43210"',
  juniper:
    'RT_FLOW - RT_FLOW_SESSION_CREATE [junos@2636.1.1.1.2.40 source-address="10.0.0.5" source-port="43210" destination-address="10.0.0.6" destination-port="80"]',
  cef: "CEF:0|Vendor|Product|1.0|100|Connection allowed|3|rt=1795082400000 src=10.0.0.5 spt=43210 dst=10.0.0.6 dpt=80 request=http://a.example/b requestMethod=GET",
  leef: "LEEF:1.0|Vendor|Product|1.0|100|src=10.0.0.5\tdst=10.0.0.6\tsrcPort=43210\tdstPort=80\turl=http://a.example/",
  "windows-xml":
    "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Sysmon'/><EventID>3</EventID><TimeCreated SystemTime='2026-11-19T10:00:00Z'/><Computer>h</Computer></System><EventData><Data Name='Image'>C:\\x.exe</Data><Data Name='SourceIp'>10.0.0.5</Data><Data Name='DestinationIp'>10.0.0.6</Data></EventData></Event>",
  arrow:
    "11/19/2026-10:00:00.123456  [**] [1:1:0] Agent [**] [Classification: (null)] [Priority: 3] {TCP} 10.0.0.5:43210 -> 10.0.0.6:80",
  "request-line": 'app[1]: handled "GET /a?b=c HTTP/1.1" for 203.0.113.5 with 200 in 5ms',
  laurel:
    '{"ID":"1783252800.123:291","NODE":"web1","SYSCALL":{"syscall":42,"pid":1234,"comm":"curl","exe":"/usr/bin/curl"},"SOCKADDR":{"saddr_fam":"inet","addr":"10.0.0.6","port":80}}',
  "aws-nlb":
    "tls 2.0 2026-07-05T10:00:00 net/nlb/c6e77e28c25b2234 g3d4b5e8bb8464cd 10.0.0.5:51341 10.0.0.6:443 5 2 98 246 - arn:aws:acm:x - - - - - -",
  "azure-flow": "1783252800,10.0.0.5,10.0.0.6,44931,80,T,O,A,B,,,,",
  sockets: 'tcp   ESTAB      0      0          10.0.0.5:42652      10.0.0.6:80    users:(("node",pid=1234,fd=18))',
  "apache-error":
    "[Sun Jul 05 12:00:00.123456 2026] [proxy:error] [pid 1234:tid 140] AH00957: http: attempt to connect to 10.0.0.6:80 failed",
  "dns-text": "dnsmasq[512]: reply a.example is 203.0.113.1",
  tshark:
    '{"timestamp":"1795082400123","layers":{"frame":{"frame_frame_time_epoch":"1795082400.123"},"ip":{"ip_ip_src":"10.0.0.5","ip_ip_dst":"10.0.0.6"},"tcp":{"tcp_tcp_srcport":"43210","tcp_tcp_dstport":"80"}}}',
  "api-gateway": "(3e5f6a7b-1111-2222-3333-444455556666) Endpoint request URI: http://a.example/b",
  ltsv: "time:19/Nov/2026:10:00:00 +0000\thost:203.0.113.5\treq:GET /a?b=c HTTP/1.1\tstatus:200\tsize:168",
  "f5-asm":
    'ASM:unit_hostname="bigip1",ip_client="203.0.113.5",method="GET",query_string="b=c",response_code="200",dest_ip="10.0.0.6",uri="/a"',
  "windows-text":
    "Network connection detected: UtcTime: 2026-11-19 10:00:00.100 Image: C:\\x.exe Protocol: tcp SourceIp: 10.0.0.5 SourcePort: 43210 DestinationIp: 10.0.0.6 DestinationPort: 80",
  "proxy-words": 'Established connection to host "a.example" using file descriptor 7.',
  row: "1-Trusted 0-External 60 tcp 20 127 10.0.0.5 10.0.0.6 43210 80 offset 10 S (Allow-00)",
  pairs: 'level=info ts=2026-11-19T10:00:00Z caller=proxy.go:1 src=10.0.0.5 dst=10.0.0.6 msg="connection"',
  csv: "1,10.0.0.5,10.0.0.6,allow",
  unknown: "something happened at host a.example with code 5 and path /b",
};

/** Puts a text in the place of one value, or of one word, of a line. */
export function planted(line: string, slot: number, text: string): string {
  if (line.startsWith("{")) {
    const value = JSON.parse(line) as Record<string, unknown>;
    const slots: [Record<string, unknown>, string][] = [];
    const visit = (holder: Record<string, unknown>): void => {
      for (const [name, inner] of Object.entries(holder)) {
        if (typeof inner === "object" && inner !== null) visit(inner as Record<string, unknown>);
        else slots.push([holder, name]);
      }
    };
    visit(value);
    const [holder, name] = slots[slot % slots.length]!;
    holder[name] = text;
    return JSON.stringify(value);
  }
  const spots = [...line.matchAll(/[^\s"'=,<>[\](){}|]+/g)];
  const spot = spots[slot % spots.length]!;
  return line.slice(0, spot.index) + text + line.slice(spot.index + spot[0].length);
}

const quoted = (text: string): string => JSON.stringify(text);
export const WRAPPERS: Readonly<Record<string, (line: string) => string>> = {
  none: (line) => line,
  "syslog-3164": (line) => `<190>Sep 14 00:59:13 web01 app[12]: ${line}`,
  "syslog-5424": (line) => `<34>1 2026-11-19T10:00:00.000Z web01 app 123 ID47 - ${line}`,
  "octet-counted": (line) => `${line.length + 40} <34>1 2026-11-19T10:00:00.000Z web01 app 123 - - ${line}`,
  journald: (line) =>
    `{"__REALTIME_TIMESTAMP":"1600045153000000","_HOSTNAME":"web01","SYSLOG_IDENTIFIER":"x","MESSAGE":${quoted(line)}}`,
  cri: (line) => `2020-09-14T00:59:13.123456789Z stdout F ${line}`,
  docker: (line) => `{"log":${quoted(`${line}\n`)},"stream":"stdout","time":"2020-09-14T00:59:13.1Z"}`,
  compose: (line) => `web_1  | ${line}`,
  kubectl: (line) => `[pod/web-5d/web] ${line}`,
  "cloudwatch-export": (line) => `2020-09-09T15:26:33.000Z ${line}`,
  "aws-logs-tail": (line) => `2020-09-09T15:26:33.000000+00:00 web/i-0123 ${line}`,
  "filter-log-events": (line) =>
    `{"events":[{"logStreamName":"s","timestamp":1600045153000,"message":${quoted(line)},"ingestionTime":1,"eventId":"3"}]}`,
  subscription: (line) =>
    `{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","logEvents":[{"id":"3","timestamp":1600045153000,"message":${quoted(line)}}]}`,
  firehose: (line) => `{"a":1}{"message":${quoted(line)}}`,
  filebeat: (line) =>
    `{"@timestamp":"2026-11-19T10:00:00Z","host":{"name":"h"},"message":${quoted(line)},"log":{"offset":1}}`,
  original: (line) => `{"@timestamp":"2026-11-19T10:00:00Z","event":{"original":${quoted(line)}}}`,
  splunk: (line) => `{"preview":false,"result":{"_raw":${quoted(line)},"_time":"2026-11-19T10:00:00Z"}}`,
  loki: (line) => `{"data":{"result":[{"stream":{"app":"x"},"values":[["1600045153000000000",${quoted(line)}]]}]}}`,
  insights: (line) => `{"results":[[{"field":"@message","value":${quoted(line)}}]]}`,
  "journald, as bytes": (line) =>
    `{"_HOSTNAME":"web01","SYSLOG_IDENTIFIER":"x","MESSAGE":[${[...Buffer.from(`\u001b[31m${line}\u001b[0m`)].join(",")}]}`,
  "subscription, packed": (line) =>
    `{"awslogs":{"data":"${gzipSync(`{"messageType":"DATA_MESSAGE","logEvents":[{"id":"3","timestamp":1,"message":${quoted(line)}}]}`).toString("base64")}"}}`,
  spaces: (line) => `   ${line}`,
  prose: (line) => `INFO handler: ${line}`,
  grep: (line) => `/var/log/app.log:12:${line}`,
};
