// @ts-check
/** What operating systems list about a host, and what the guard says to people and machines. */
import { hold, SECRETS } from "../oracle.mjs";

const texts = (/** @type {readonly string[]} */ ...list) => list.map((text) => Buffer.from(text));
const REG =
  "\r\nHKEY_LOCAL_MACHINE\\HARDWARE\\DESCRIPTION\\System\\BIOS\r\n    SystemManufacturer    REG_SZ    Amazon EC2\r\n    BIOSVendor    REG_SZ    Amazon EC2\r\n    BiosMajorRelease    REG_DWORD    0x1\r\n    SystemVersion    REG_SZ\r\n\r\n";
const KENV =
  'smbios.system.maker="Amazon EC2"\nsmbios.system.uuid="ec2a1b2c-0000-0000-0000-000000000000"\nsmbios.bios.vendor="Xen"\n';
const SYSCTL =
  "hw.machine=amd64\nhw.vendor=Amazon EC2\nhw.product=t3.micro\nhw.uuid=ec2a1b2c-0000-0000-0000-000000000000\n";

/** @type {readonly import("../targets.mjs").Target[]} */
export const HOST = [
  {
    name: "host-listings",
    sentence: "what reg, kenv and sysctl print, and a Linux control group: a verdict for any of it, and no exception",
    sources: [
      "host/windows-registry",
      "host/freebsd-kenv",
      "host/openbsd-sysctl",
      "host/facts",
      "host/container",
      "host/verdict",
      "host/ec2-identifiers",
      "host/contradictions",
    ],
    also: ["host/detect", "host/report"],
    maxBytes: 1_024,
    words: [
      ...REG.split("\r\n"),
      ...KENV.split("\n"),
      ...SYSCTL.split("\n"),
      "Amazon EC2",
      "amazon",
      "QEMU",
      "VMware, Inc.",
      "Microsoft Corporation",
      "OpenStack",
      "ec2",
      "EC2A",
      "\r",
      "\n",
      "\0",
      "i-0123456789abcdef0",
      "0::/docker/",
      "12:pids:/ecs/",
      "/kubepods/",
      "REG_EXPAND_SZ",
      '"',
    ],
    seeds: () => texts(REG, KENV, SYSCTL, "0::/docker/0123456789abcdef\n", "12:pids:/ecs/0123\n"),
    async open(load) {
      const { detectHost } = await load("host/detect");
      const [{ parseRegQuery }, { parseKenv }, { parseSysctl }] = await Promise.all([
        load("host/windows-registry"),
        load("host/freebsd-kenv"),
        load("host/openbsd-sysctl"),
      ]);
      return async (input) => {
        const text = input.toString("utf8");
        for (const parse of [parseRegQuery, parseKenv, parseSysctl])
          for (const [name, values] of parse(text))
            hold(
              values.length > 0 && text.toLowerCase().includes(name.toLowerCase()),
              "a listing holds what was listed",
              name,
            );
        const words = [];
        for (const platform of ["win32", "freebsd", "openbsd", "linux"]) {
          const system = {
            platform,
            env: {},
            pid: 1,
            argv0: "x",
            now: () => 0,
            monotonic: () => 0,
            random: () => 0.5,
            readFile: () => ({ kind: "content", bytes: input }),
            run: async () => ({ kind: "output", stdout: text }),
          };
          const report = await detectHost(system);
          hold(
            ["ec2", "not-ec2", "unknown"].includes(report.verdict) &&
              report.reason !== "" &&
              JSON.stringify(report).length < 200_000,
            "there is a verdict with a reason",
            report,
          );
          words.push(report.rule);
        }
        return words.slice(0, 1).join();
      };
    },
  },
  {
    name: "bounded-text",
    sentence:
      "texts from outside made harmless: within the cap, without control characters, and unchanged by a second time",
    sources: ["base/text#boundText,boundAscii", "base/utc-time"],
    words: [
      "\\u001b",
      "\x1b[31m",
      "\u202e",
      "\u2028",
      "\ud83d\ude00",
      "\u200b",
      "...",
      "x".repeat(64),
      "2026-02-16T00:00:00Z",
      "2026-02-30T00:00:00Z",
      ".123",
    ],
    maxBytes: 512,
    seeds: () => texts("plain", "\x1b[31mred\u202e", "\ud83d\ude00".repeat(30), "2026-02-16T00:00:00Z"),
    async open(load) {
      const { boundText, boundAscii } = await load("base/text");
      const { isUtcTime } = await load("base/utc-time");
      return (input) => {
        // Lone surrogates, too.
        const text = input.length % 2 === 0 && input[0] === 0xff ? input.toString("utf16le") : input.toString("utf8");
        for (const max of [3, 10, 64, 300]) {
          const [shown, ascii] = [boundText(text, max), boundAscii(text, max)];
          hold(shown.length <= max && ascii.length <= max, "a text is cut", { max, shown, ascii });
          hold(!/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(shown) && /^[ -~]*$/.test(ascii), "a text is harmless", {
            shown,
            ascii,
          });
          hold(boundText(shown, max) === shown && boundAscii(ascii, max) === ascii, "a second time changes nothing", {
            shown,
            ascii,
          });
        }
        if (isUtcTime(text))
          hold(new Date(text).toISOString().slice(0, 19) === text.slice(0, 19), "a UTC time is a time", text);
        return `${boundText(text, 300) === text} ${isUtcTime(text)}`;
      };
    },
  },
  {
    name: "events",
    sentence:
      "events with anything in them: one line of printable ASCII for people, JSON, ECS, OCSF and syslog that hold it, within their caps",
    sources: ["events/text", "events/ecs", "events/ocsf", "events/encode", "events/address", "monitor/syslog"],
    also: ["events/catalogue", "events/reporter"],
    maxBytes: 1_024,
    words: [
      "imds.impersonation_detected\n",
      "credentials.account_unexpected\n",
      "firewall.connection_blocked\n",
      "settings.invalid\n",
      "monitor.route_changed\n",
      "169.254.169.254",
      "fd00:ec2::254",
      "fe80::1%eth0",
      "\n",
      "\x1b[31m",
      '"',
      "'",
      "[imds.",
      "advice: ",
      "02:00:00:00:00:01",
      "\u202e",
      "\u2028",
      "tcp://192.0.2.1:514",
      "unix:/dev/log",
      "tcp://[::1]",
      SECRETS.key,
    ],
    seeds: () =>
      texts(
        "imds.impersonation_detected\n169.254.169.254\nmessage\nsource\nvalue\nsays\n02:00:00:00:00:01\neth0",
        "firewall.connection_blocked\nfd00:ec2::254\n\x1b[31mred\n",
        `credentials.account_unexpected\nx\n${"m".repeat(900)}\n"quoted"\n`,
        "tcp://192.0.2.1:6514",
        "unix:/dev/log",
      ),
    async open(load) {
      const { toText, MAX_LINE } = await load("events/text");
      const { encoderOf } = await load("events/encode");
      const { createReporter } = await load("events/reporter");
      const { CATALOGUE } = await load("events/catalogue");
      const { parseSyslogTarget, syslogMessage, frame } = await load("monitor/syslog");
      const codes = Object.keys(CATALOGUE);
      return (input) => {
        const text = input.toString("utf8");
        const [code = "", address = "", message = "", source = "", value, says = "", mac, dev, account, role] =
          text.split("\n");
        /** @type {any[]} */
        const events = [];
        const system = {
          platform: "linux",
          env: {},
          pid: 1,
          argv0: `/srv/${role ?? "app"}`,
          now: () => 0,
          monotonic: () => 0,
          random: () => 0.5,
        };
        const reporter = createReporter({
          system,
          sinks: [{ write: (/** @type {any} */ event) => void events.push(event) }],
        });
        reporter.report(codes.includes(code) ? code : codes[input.length % codes.length], {
          message,
          endpoint: { address, port: 80 },
          evidence: [{ source, value, says }],
          advice: says,
          ...(mac !== undefined && { responder: { mac, interface: dev, route: dev } }),
          ...(account !== undefined && { claimed: { accountId: account, roleName: role } }),
        });
        const [event] = events;
        hold(event !== undefined, "an event arrives");
        const line = toText(event);
        hold(
          line.length <= MAX_LINE && /^[ -~]*$/.test(line) && line.startsWith("imds-guard: "),
          "a line is printable and has an end",
          line,
        );
        for (const format of ["json", "ecs", "ocsf"]) {
          const json = JSON.stringify(encoderOf(format)(event));
          hold(
            !json.includes("\n") && json.length < 64_000 && json.includes(event.code),
            "a document is one line and names the event",
            json.length,
          );
          const packet = syslogMessage(event, json);
          hold(
            /^[ -~]*$/.test(packet) && JSON.stringify(JSON.parse(packet.slice(packet.indexOf(" - {") + 3))) === json,
            "a syslog message is ASCII and holds the document",
            packet.slice(0, 200),
          );
          hold(frame(packet, "tcp").toString().startsWith(`${packet.length} <`), "a frame states the length");
        }
        const target = parseSyslogTarget(text);
        hold(
          target === undefined ||
            target.kind === "unix" ||
            (target.port >= 1 && target.port <= 65_535 && !/[\s/@]/.test(target.host)),
          "a receiver has a host and a port",
          target,
        );
        return `${event.severity} ${target?.kind}`;
      };
    },
  },
];
