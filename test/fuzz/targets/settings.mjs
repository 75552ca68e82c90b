// @ts-check
/** What operators write: shared config files, environment variables, profiles, and the words of the command line. */
import { createRequire } from "node:module";
import { declared, hold, holdsItsTongue, SECRETS } from "../oracle.mjs";

const require = createRequire(import.meta.url);
const texts = (/** @type {readonly string[]} */ ...list) => list.map((text) => Buffer.from(text));
const FILE_ERRORS = { ImdsGuardSettingsError: ["ERR_IMDS_GUARD_SETTING", "ERR_IMDS_GUARD_CONFIG_FILE"] };
const LINES = [
  "[default]\n",
  "[profile dev]\n",
  "[dev]\n",
  "[profile 'dev']\n",
  "[ default ]\n",
  "[sso-session x]\n",
  "[services s]\n",
  "[profile default]\n",
  "[default] # c\n",
  "[default];c\n",
  "[",
  "]",
  "=",
  " = ",
  "\n",
  "\r\n",
  "\t",
  " ",
  "#",
  ";",
  " #",
  "\0",
  "\ufeff",
  "\u2028",
  "s3 =\n  imds_guard_mode = allow\n",
  "[__proto__]\n",
  "[profile toString]\n",
  "[profile.default]\n",
  "imds_guard_mode = deny\n",
  "imds_guard_mode = allow\n",
  "imds_guard_mode",
  "imds_guard_firewall = off\n",
  "imds_guard_log = info\n",
  "imds_guard_expected_accounts = 111122223333\n",
  "IMDS_GUARD_MODE",
  "  continued\n",
  "aws_access_key_id = ASIAQEAAAAAAAAAAAAAA\n",
  `aws_secret_access_key = ${SECRETS.key}\n`,
  `aws_session_token = ${SECRETS.session}\n`,
  "region = eu-central-1\n",
  "role_arn = arn:aws:iam::111122223333:role/x\n",
  "source_profile = dev\n",
  "credential_source = Ec2InstanceMetadata\n",
  "credential_process = /bin/x\n",
];
const FILES = texts(
  "[default]\nregion = eu-central-1\nimds_guard_mode = deny\n",
  `[default]\naws_access_key_id = ASIAQEAAAAAAAAAAAAAA\naws_secret_access_key = ${SECRETS.key}\n\n[profile dev]\nrole_arn = arn:aws:iam::111122223333:role/x\nsource_profile = default\n`,
  "[profile dev]\ncredential_source = Ec2InstanceMetadata\nrole_arn = arn:aws:iam::111122223333:role/x\n[default]\nsource_profile = dev\nrole_arn = arn:aws:iam::111122223333:role/y\n",
  "[default]\r\ns3 =\r\n  max = 1\r\nimds_guard_firewall = report ; c\r\n",
  "# only a comment\n",
  "[services s]\ndynamodb =\n  endpoint_url = http://localhost\n",
);

const [CONFIG, CREDENTIALS] = ["/nowhere/config", "/nowhere/credentials"];

/** The reader of the SDK, which is told that there are files of this content. */
function stockReader() {
  const { externalDataInterceptor, loadSharedConfigFiles } = require("@smithy/shared-ini-file-loader");
  const show = (/** @type {string} */ config, /** @type {string} */ credentials) => {
    externalDataInterceptor.interceptFile(CONFIG, config);
    externalDataInterceptor.interceptFile(CREDENTIALS, credentials);
  };
  return {
    show,
    /**
     * @param {string} text @param {string} kind @returns {Promise<Record<string, Record<string, string | undefined>>>}
     */
    async read(text, kind) {
      show(kind === "config" ? text : "", kind === "config" ? "" : text);
      const { configFile, credentialsFile } = await loadSharedConfigFiles({
        configFilepath: CONFIG,
        filepath: CREDENTIALS,
        ignoreCache: true,
      });
      return kind === "config" ? configFile : credentialsFile;
    },
  };
}

/** @type {readonly import("../targets.mjs").Target[]} */
export const SETTINGS = [
  {
    name: "config-file",
    sentence:
      "shared config files: what is let pass is read by the SDK's own reader, and with it every setting of this package in the profile",
    sources: ["settings/ini#complaintAbout,complaintAboutSection,sectionAsRead,sectionAsMeant"],
    words: LINES,
    maxBytes: 2_048,
    seeds: () => FILES,
    async open(load) {
      const { complaintAbout } = await load("settings/ini");
      const stock = stockReader();
      return async (input) => {
        const words = ["config", "credentials"].map(async (kind) => {
          const complaint = complaintAbout(input, kind, "default");
          if (complaint !== undefined) {
            hold(complaint.length < 400, "a complaint has an end", complaint);
            holdsItsTongue(new Error(complaint), input.toString("utf8"));
            return complaint.replace(/\d+/, "N").replace(/".*"/, "X").slice(0, 60);
          }
          const text = new TextDecoder("utf-8").decode(input);
          const section = (await stock.read(input.toString("utf8"), kind))["default"] ?? {};
          // Wherever a line of the section says it, at its beginning.
          let selected = false;
          for (const line of text.split(/\r?\n/)) {
            if (/^\s*\[/.test(line)) selected = /^\s*\[default\]\s*(?:\s[#;].*)?$/.test(line);
            const [, key, value] = (selected && /^(imds_guard_[a-z_]+) *= *([\w.-]+)$/.exec(line)) || [];
            if (key !== undefined && value !== undefined)
              hold(Object.hasOwn(section, key), "no setting vanishes between the check and the SDK's reader", {
                line,
                section,
              });
          }
          return "let pass";
        });
        return (await Promise.all(words)).join();
      };
    },
  },
  {
    name: "settings",
    sentence:
      "environment, config and credentials files together: every setting one of its words, the strictest wins, and the preload reads the same as the guard",
    sources: [
      "settings/resolve",
      "settings/table",
      "settings/early",
      "settings/nearest",
      "settings/early-defaults",
      "settings/locations",
      "settings/config-files#readProfile",
    ],
    also: ["base/system"],
    maxBytes: 2_048,
    words: [
      ...LINES,
      "\n%%\n",
      "IMDS_GUARD_MODE=deny\n",
      "IMDS_GUARD_ATTESTATION=off\n",
      "IMDS_GUARD_EXPECTED_ACCOUNTS=111122223333,444455556666\n",
      "IMDS_GUARD_EXPECTED_REGIONS=eu-central-1\n",
      "IMDS_GUARD_ENDPOINT=http://127.0.0.1:1338\n",
      "IMDS_GUARD_TIMEOUT=500\n",
      "IMDS_GUARD_FIREWALL=report\n",
      "IMDS_GUARD_FIREWALL_ALLOW=dns,ntp\n",
      "IMDS_GUARD_LOG=off\n",
      "IMDS_GUARD_CERTIFICATES=xx-new-1=/x.pem\n",
      "IMDS_GUARD_EVENT_FORMAT=ecs\n",
      "IMDS_GUARD_EVENTS_FILE=/x\n",
      "AWS_EC2_METADATA_DISABLED=true\n",
      "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://169.254.169.254\n",
      "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6\n",
      "AWS_EC2_INSTANCE_PROFILE_NAME=x\n",
      "AWS_PROFILE=dev\n",
      "AWS_REGION=eu-central-1\n",
    ],
    seeds: () =>
      texts(
        "IMDS_GUARD_MODE=allow\nIMDS_GUARD_TIMEOUT=100\n%%\n[default]\nimds_guard_mode = deny\nimds_guard_firewall = report\n%%\n[default]\nregion = eu-central-1\n",
        "AWS_PROFILE=dev\nIMDS_GUARD_FIREWALL_ALLOW=dns\n%%\n[profile dev]\nimds_guard_log = info\ndisable_ec2_metadata = true\n%%\n[dev]\nimds_guard_firewall = off\n",
        "IMDS_GUARD_MOED=deny\n",
        "IMDS_GUARD_CERTIFICATES=xx-new-1=/x.pem\nAWS_EC2_METADATA_SERVICE_ENDPOINT=http://10.0.0.1/x\n",
        "IMDS_GUARD_EXPECTED_ACCOUNTS=111122223333\n%%\n[default]\nimds_guard_expected_accounts = 444455556666\n",
      ),
    async open(load) {
      const { resolveSettings } = await load("settings/resolve");
      const { readEarlySettings } = await load("settings/early");
      const { isUnconfigured, EARLY_DEFAULTS } = await load("settings/early-defaults");
      const { SETTINGS: table } = await load("settings/table");
      const { realSystem } = await load("base/system");
      const stock = stockReader();
      /** @param {() => any} work @param {string} text */
      const outcome = async (work, text) => {
        try {
          return { value: await work() };
        } catch (error) {
          holdsItsTongue(error, text, (text.match(/^[^\n]*(?:imds|metadata|profile)[^\n]*$/gim) ?? []).join("\n"));
          return { code: declared(error, FILE_ERRORS) };
        }
      };
      return async (input) => {
        const text = input.toString("utf8");
        const [variables = "", config = "", credentials = ""] = text.split("\n%%\n");
        stock.show(config, credentials);
        const given = Object.fromEntries(
          variables
            .split("\n")
            .map((line) => /^(\w+)=(.*)$/.exec(line))
            .filter((match) => match !== null)
            .map(([, name, value]) => [name, value]),
        );
        const env = { ...given, HOME: "/nowhere", AWS_CONFIG_FILE: CONFIG, AWS_SHARED_CREDENTIALS_FILE: CREDENTIALS };
        const contents = new Map([
          [CONFIG, config],
          [CREDENTIALS, credentials],
          ["/x.pem", "PEM"],
        ]);
        const readFile = (/** @type {string} */ path) =>
          contents.has(path) ? { kind: "content", bytes: Buffer.from(contents.get(path) ?? "") } : { kind: "absent" };
        const system = { ...realSystem, platform: "linux", env, readFile };
        const whole = await outcome(() => resolveSettings({}, system), text);
        const early = await outcome(
          () => (isUnconfigured(system) ? EARLY_DEFAULTS : readEarlySettings({}, system)),
          text,
        );
        if (whole.value === undefined) return `${whole.code} ${early.code ?? "read"}`;
        const { settings, log, eventsFile, eventFormat, telemetry, problem } = whole.value;
        const all = { ...settings, log, eventFormat, telemetry };
        for (const { name, check, key } of table) {
          if (["certificates", "endpoint", "eventsFile", "ec2InstanceProfileName"].includes(name)) continue;
          const value = all[name];
          hold(
            (Array.isArray(value) && value.length === 0) || check(value) !== undefined,
            "a setting is one of its words",
            { name, key, value },
          );
        }
        if (given["IMDS_GUARD_MODE"]?.trim() === "deny") hold(settings.mode === "deny", "deny wins");
        if (given["AWS_EC2_METADATA_DISABLED"] === "true")
          hold(settings.disabledBy !== undefined, "disabled is disabled");
        if (problem === undefined) {
          hold(early.value !== undefined, "the preload reads what the guard reads", early);
          const { firewall, firewallAllow, firewallAnswers, egress } = early.value;
          hold(
            JSON.stringify([
              firewall,
              firewallAllow,
              firewallAnswers,
              egress,
              early.value.log,
              early.value.eventsFile,
              early.value.eventFormat,
              early.value.telemetry,
            ]) ===
              JSON.stringify([
                settings.firewall,
                settings.firewallAllow,
                settings.firewallAnswers,
                settings.egress,
                log,
                eventsFile,
                eventFormat,
                telemetry,
              ]),
            "the preload reads the same settings as the guard",
            {
              early: early.value,
              whole: {
                firewall: settings.firewall,
                firewallAllow: settings.firewallAllow,
                firewallAnswers: settings.firewallAnswers,
                log,
                eventsFile,
                eventFormat,
                telemetry,
              },
            },
          );
        }
        return `${Object.keys(settings.sources).toSorted().slice(0, 2)} ${problem === undefined}`;
      };
    },
  },
  {
    name: "config-copy",
    sentence:
      "copies of config files for a child: no reader of the SDK finds credentials of the profile in them, and nothing else is gone",
    sources: ["serving/config-copy#withoutCredentials,profileOf"],
    also: ["serving/credential-origin", "settings/config-files", "settings/ini"],
    words: LINES,
    maxBytes: 2_048,
    seeds: () => FILES,
    async open(load) {
      const { withoutCredentials } = await load("serving/config-copy");
      const { CREDENTIAL_KEYS } = await load("serving/credential-origin");
      const { complaintAbout } = await load("settings/ini");
      const stock = stockReader();
      return async (input) => {
        const text = input.toString("utf8");
        const sections = { config: "default", credentials: "dev" };
        for (const [kind, section] of Object.entries(sections)) {
          const copy = withoutCredentials(text, kind, section);
          hold(
            copy.length <= text.length && withoutCredentials(copy, kind, section) === copy,
            "a copy has nothing to leave out",
            copy,
          );
          // What the package itself refuses to read is not handed on.
          if (complaintAbout(input, kind, section) !== undefined) continue;
          const [before, after] = [await stock.read(text, kind), await stock.read(copy, kind)];
          const left = Object.keys(after[section] ?? {}).filter((key) => CREDENTIAL_KEYS.includes(key.toLowerCase()));
          hold(left.length === 0, "no credentials of the profile are left", { left, copy });
          for (const [name, keys] of Object.entries(before)) {
            // To other readers the name ends with the first bracket, and the profile may be the one.
            if (name === section || name.includes("]")) continue;
            hold(JSON.stringify(after[name]) === JSON.stringify(keys), "other profiles are as they were", {
              name,
              keys,
              after: after[name],
            });
          }
        }
        return "copied";
      };
    },
  },
  {
    name: "profile-route",
    sentence:
      "the way from a profile to IMDS, over any graph of profiles: it ends, and only at a profile that names IMDS",
    sources: ["sdk/ini#routeToImds"],
    words: LINES,
    maxBytes: 2_048,
    seeds: () => FILES.filter((file) => file.includes("role_arn")),
    async open(load) {
      const { routeToImds } = await load("sdk/ini");
      const stock = stockReader();
      return async (input) => {
        const profiles = await stock.read(input.toString("utf8"), "config");
        const route = routeToImds(profiles, "default");
        if (route === undefined) return "elsewhere";
        hold(new Set(route).size === route.length && route[0] === "default", "no profile is passed twice", route);
        hold(
          profiles[route.at(-1) ?? ""]?.["credential_source"] === "Ec2InstanceMetadata",
          "the last profile names IMDS",
          route,
        );
        return `route of ${Math.min(4, route.length)}`;
      };
    },
  },
  {
    name: "command-line",
    sentence: "the words behind a command: options of that command and words, or wrong usage that names what was meant",
    sources: ["cli/parse", "cli/numbers", "settings/nearest"],
    also: ["cli/commands"],
    maxBytes: 512,
    words: [
      "--",
      "-",
      "--json",
      "--help",
      "-h",
      "--suppress",
      "--vlan",
      "--force",
      "--vpc",
      "--exempt",
      "--partition",
      "--no-address",
      "=",
      "aws",
      "list",
      "print",
      "write",
      "scp",
      "10.0.0.0/8",
      "--format",
      "--level",
      "\n",
      "--jsn",
      "--port",
      "--interval",
      "0",
      "65535",
      "1.5",
    ],
    seeds: () =>
      texts(
        "sigma\nwrite\nrules\n--suppress\n10.0.0.0/8\n--force",
        "policy\nscp\n--vpc=vpc-0123456789abcdef0\n--partition\naws-cn",
        "scan\n-\n--json",
        "serve\n--port\n8080",
        "exec\n--\nls\n-la",
        "sigma\n--jsn",
        "policy\nspc",
        "monitor\n-h",
      ),
    async open(load) {
      const { parseWords, optionsOf } = await load("cli/parse");
      const { COMMANDS } = await load("cli/commands");
      const { wholeNumber, seconds, portOf } = await load("cli/numbers");
      const commands = await COMMANDS.loadAll();
      const isUsage = (/** @type {any} */ error) => {
        if (error?.name !== "UsageError") throw error;
        hold(
          error.message.length < 4_096 && !error.message.includes("undefined"),
          "wrong usage can be told",
          error.message,
        );
        return (
          String(/has no option|takes no value|needs a value|is given twice|is not a/.exec(error.message)?.[0]) +
          (error.hint === undefined ? "" : ", with a hint")
        );
      };
      return (input) => {
        const [name, ...args] = input.toString("utf8").split("\n");
        const command = commands.find((/** @type {any} */ each) => each.name === name) ?? commands[0];
        for (const read of [
          () => wholeNumber(args[0], "n", 1, 100),
          () => seconds(args[0], "n", 0.1, 10),
          () => portOf(args[0], "n"),
        ]) {
          try {
            const number = read();
            hold(number === undefined || (number >= 0.1 && number <= 65_535), "a number is within its bounds", number);
          } catch (error) {
            isUsage(error);
          }
        }
        try {
          const { options, words, json, help } = parseWords(command, args);
          const specs = optionsOf(command);
          for (const [option, value] of Object.entries(options)) {
            const spec = specs.find((/** @type {any} */ each) => each.name === option);
            hold(
              spec !== undefined &&
                (spec.value === undefined
                  ? value === true
                  : typeof value === "string" || (spec.multiple && Array.isArray(value))),
              "an option is one of the command's, with a value of its kind",
              { option, value },
            );
            hold(spec.words === undefined || spec.words.includes(value), "a value is one of the words", {
              option,
              value,
            });
          }
          // Written again, it is read again.
          const again = [
            ...Object.entries(options).flatMap(([option, value]) =>
              value === true ? [`--${option}`] : [value].flat().map((each) => `--${option}=${each}`),
            ),
            ...(json ? ["--json"] : []),
            "--",
            ...words,
          ];
          if (!help)
            hold(
              JSON.stringify(parseWords(command, again)) === JSON.stringify({ options, words, json, help }),
              "what was read is read again",
              { again, options, words },
            );
          return `${help} ${json} ${Object.keys(options).length > 0}`;
        } catch (error) {
          return isUsage(error);
        }
      };
    },
  },
];
