/**
 * Reads a `credential_process` line of aws_signing_helper without a shell and without running it. What could mean
 * anything else than it seems to is left to be run.
 */

/** What such a line asks for, by the names of the options in code. */
export interface HelperSettings {
  readonly certificate: string;
  readonly privateKey: string;
  readonly trustAnchorArn: string;
  readonly profileArn: string;
  readonly roleArn: string;
  readonly intermediates?: string;
  readonly durationSeconds?: number;
  readonly roleSessionName?: string;
  readonly region?: string;
  readonly endpoint?: string;
  /** Stands in the file, and in the list of processes while the helper runs. */
  readonly passphrase?: string;
}

/** What a line came to. */
export type HelperLine =
  | {
      readonly kind: "native";
      /** First word: the program as it is called. */
      readonly program: string;
      readonly settings: HelperSettings;
      /** Whether the helper would use the proxy of the environment. */
      readonly proxy: boolean;
    }
  | {
      readonly kind: "process";
      /** Whether it is a line of aws_signing_helper at all. */
      readonly helper: boolean;
      /** Why it has to be run. */
      readonly why: string;
    };

/** Longest line that is read, in characters. */
const LONGEST = 16_384;

const FLAGS: Readonly<Record<string, keyof HelperSettings>> = Object.assign(
  Object.create(null) as Record<string, keyof HelperSettings>,
  {
    certificate: "certificate",
    "private-key": "privateKey",
    "trust-anchor-arn": "trustAnchorArn",
    "profile-arn": "profileArn",
    "role-arn": "roleArn",
    intermediates: "intermediates",
    "session-duration": "durationSeconds",
    "role-session-name": "roleSessionName",
    region: "region",
    endpoint: "endpoint",
    "pkcs8-password": "passphrase",
  } as const,
);
const NEEDED = ["certificate", "privateKey", "trustAnchorArn", "profileArn", "roleArn"] as const;
/** Keys and certificates that are no files, and what node:crypto cannot open. */
const ELSEWHERE = /^(?:pkcs11:|handle:|tpm|file:)/i;

/** Before a program, where a shell takes it for a variable. */
const ASSIGNMENT = /^[A-Za-z_]\w*\+?=/;

/** Reads a line. `windows`: as cmd.exe takes words apart, else as sh does. */
export function readHelperLine(line: string, windows = false): HelperLine {
  const helper = /aws_signing_helper/.test(line);
  const run = (why: string): HelperLine => ({ kind: "process", helper, why });
  if (line.length > LONGEST) return run("it is very long");
  const words = windows ? wordsOfCmd(line) : wordsOfShell(line);
  if (typeof words === "string") return run(words);
  const [program = "", command, ...rest] = words;
  if (!windows && ASSIGNMENT.test(program)) return run("it begins with an assignment");
  if (!/(?:^|[\\/])aws_signing_helper(?:\.exe)?$/i.test(program)) return run("it is another program");
  if (command !== "credential-process") return run("it is another command of the helper");
  const found: Record<string, string> = Object.create(null) as Record<string, string>;
  let proxy = false;
  for (let at = 0; at < rest.length; at += 1) {
    const match = /^--([a-z0-9-]+)(?:=(.*))?$/s.exec(rest[at] ?? "");
    if (!match) return run(`${rest[at]?.startsWith("-") ? "a flag" : "a word"} that is not known`);
    const [, flag = "", given] = match;
    if (flag === "with-proxy" && (given === undefined || given === "true" || given === "false")) {
      proxy = given !== "false";
      continue;
    }
    const name = FLAGS[flag];
    if (name === undefined) return run(`the flag --${flag.slice(0, 64)}`);
    const value = given ?? rest[(at += 1)];
    if (value === undefined || value === "") return run(`--${flag} without a value`);
    found[name] = value;
  }
  const missing = NEEDED.find((name) => found[name] === undefined);
  if (missing !== undefined) return run(`no ${missing} is named`);
  for (const name of ["certificate", "privateKey", "intermediates"] as const)
    if (ELSEWHERE.test(found[name] ?? "")) return run(`its ${name} is no file`);
  const { durationSeconds, ...texts } = found;
  if (durationSeconds !== undefined && !/^[1-9]\d{0,5}$/.test(durationSeconds))
    return run("a duration in another form");
  return {
    kind: "native",
    program,
    settings: {
      ...(texts as unknown as HelperSettings),
      ...(durationSeconds !== undefined && { durationSeconds: Number(durationSeconds) }),
    },
    proxy,
  };
}

/** Characters that mean something to a shell outside quotes. */
const SHELL = /[$`;|&<>()*?[\]#~{}\\!^]/;

/** Words as sh makes them, or why a shell is needed. */
function wordsOfShell(line: string): string[] | string {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < line.length; at += 1) {
    const char = line.charAt(at);
    if (char === " " || char === "\t") {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === "'" || char === '"') {
      const end = line.indexOf(char, at + 1);
      if (end === -1) return "a quote that does not end";
      const inside = line.slice(at + 1, end);
      if (char === '"' && /[$`\\]/.test(inside)) return "an expansion within quotes";
      if (hasControl(inside)) return "control characters";
      word = (word ?? "") + inside;
      at = end;
    } else if (SHELL.test(char)) {
      return `${char} is for a shell`;
    } else if (hasControl(char)) {
      return "control characters";
    } else {
      word = (word ?? "") + char;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** As cmd.exe and the C library of Windows make them, of lines in which nothing but double quotes is special. */
function wordsOfCmd(line: string): string[] | string {
  if (/[%^&|<>!'`()\r\n]/.test(line)) return "a character that is for cmd.exe";
  // The C library makes one quote of two within quotes.
  if (/\\"|""/.test(line)) return "an escaped quote";
  if (hasControl(line)) return "control characters";
  const words: string[] = [];
  let rest = line.replace(/^[ \t]+|[ \t]+$/g, "");
  while (rest !== "") {
    const match = /^((?:[^ \t"]|"[^"]*")+)(?:[ \t]+|$)/.exec(rest);
    if (!match) return "a quote that does not end";
    words.push((match[1] as string).replaceAll('"', ""));
    rest = rest.slice(match[0].length);
  }
  return words;
}

function hasControl(text: string): boolean {
  // eslint-disable-next-line no-control-regex
  return /[\x00-\x08\x0a-\x1f\x7f]/.test(text);
}
