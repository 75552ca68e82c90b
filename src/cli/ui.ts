/**
 * Output rules of the command line. Results go to stdout; everything said about the work (errors, hints, progress) goes
 * to stderr, in lower case, without a full stop, behind "imds-guard: ". On a terminal there is colour (not with
 * NO_COLOR), tables fit its width, and work that lasts longer than a second shows progress; in a pipe everything is
 * plain. With --json stdout carries one JSON document (or JSON lines, where a command says so) and nothing else.
 */
import { terminalText } from "../base/text.js";

/** Meaning of a piece of text; a terminal shows it as colour, a pipe not at all. */
export type Tone = "ok" | "finding" | "unknown" | "strong" | "dim";

/** What commands write with. */
export interface Ui {
  /** Whether stdout is a terminal. */
  readonly terminal: boolean;
  /** Columns of the terminal; 80 in a pipe. */
  readonly columns: number;
  /** One line on stdout. */
  line(text?: string): void;
  /** One JSON document on stdout. */
  json(value: unknown): void;
  /** One JSON document on one line, for commands that print many. */
  jsonLine(value: unknown): void;
  /** Text in a tone. */
  paint(text: string, tone: Tone): string;
  /** Rows as aligned columns; the last one wraps. */
  table(rows: readonly (readonly string[])[]): void;
  /** `imds-guard: <text>` on stderr. */
  note(text: string): void;
  /** An error and, apart from it, what to do about it. */
  error(text: string, hints?: readonly string[]): void;
  /** Shows how far the work is, on a terminal only and only after a second. Call with undefined when done. */
  progress(text: string | undefined): void;
}

/** A stream that {@link createUi} writes to: `process.stdout` or `process.stderr`, or a test's own. */
export interface UiStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly write: (text: string) => unknown;
}

/** What {@link createUi} needs. */
export interface UiDependencies {
  readonly stdout: UiStream;
  readonly stderr: UiStream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Work shorter than this shows no progress, in milliseconds. */
const QUIET_MS = 1_000;
const PROGRESS_EVERY_MS = 100;

/** Colours of the palette that every terminal theme keeps legible, light and dark; never yellow, grey or white. */
const SGR: Readonly<Record<Tone, string>> = { ok: "32", finding: "1;31", unknown: "35", strong: "1", dim: "2" };

/**
 * Writes by the rules above. Control characters that the text holds never reach the terminal: they may come from a log
 * or a responder.
 */
export function createUi({ stdout, stderr, env }: UiDependencies): Ui {
  const terminal = stdout.isTTY === true;
  const coloured = wantsColour(terminal, env);
  const columns = terminal ? Math.max(40, stdout.columns ?? 80) : 80;
  let startedAt: number | undefined;
  let shownAt = 0;
  let shown = false;

  const clear = (): void => {
    if (shown) stderr.write("\r\u001b[K");
    shown = false;
  };
  const print = (text: string): void => {
    clear();
    stdout.write(`${terminalText(text, coloured)}\n`);
  };
  const say = (text: string): void => {
    clear();
    const line = `imds-guard: ${terminalText(text, false)}`;
    // Broken between words on a terminal only: in a file one message is one line.
    const broken =
      stderr.isTTY === true
        ? line
            .split("\n")
            .flatMap((part) => wrap(part, Math.max(40, stderr.columns ?? 80) - 4))
            .join("\n    ")
        : line;
    stderr.write(`${broken}\n`);
  };
  return {
    terminal,
    columns,
    line: (text = "") => print(text),
    json: (value) => print(JSON.stringify(value, undefined, terminal ? 2 : undefined)),
    jsonLine: (value) => print(JSON.stringify(value)),
    paint: (text, tone) => (coloured && text !== "" ? `\u001b[${SGR[tone]}m${text}\u001b[0m` : text),
    table: (rows) => {
      for (const line of layOut(rows, terminal ? columns : undefined)) print(line);
    },
    note: say,
    error: (text, hints = []) => {
      say(`error: ${text}`);
      for (const hint of hints) say(`hint: ${hint}`);
    },
    progress: (text) => {
      if (text === undefined) {
        startedAt = undefined;
        return clear();
      }
      if (stderr.isTTY !== true) return;
      const now = performance.now();
      startedAt ??= now;
      if (now - startedAt < QUIET_MS || now - shownAt < PROGRESS_EVERY_MS) return;
      shownAt = now;
      shown = true;
      stderr.write(
        `\r\u001b[K${terminalText(text, false)
          .replaceAll("\n", " ")
          .slice(0, Math.max(40, stderr.columns ?? 80) - 1)}`,
      );
    },
  };
}

/** NO_COLOR and FORCE_COLOR as no-color.org and Node.js have them: an empty value counts as unset. */
function wantsColour(terminal: boolean, env: UiDependencies["env"]): boolean {
  if (env["NO_COLOR"]) return false;
  if (env["FORCE_COLOR"]) return env["FORCE_COLOR"] !== "0" && env["FORCE_COLOR"] !== "false";
  return terminal && env["TERM"] !== "dumb";
}

const GAP = "  ";
/** A last column narrower than this is not worth wrapping into: it gets lines of its own. */
const NARROWEST = 18;
const BELOW = "    ";

/** Rows as lines: columns aligned, the last one wrapped to `columns`, or not at all where that is undefined. */
export function layOut(rows: readonly (readonly string[])[], columns?: number): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.slice(0, -1).entries()) widths[index] = Math.max(widths[index] ?? 0, widthOf(cell));
  }
  return rows.flatMap((row) => {
    const last = row.length - 1;
    const head = row
      .slice(0, last)
      .map((cell, index) => cell + " ".repeat((widths[index] ?? 0) - widthOf(cell)) + GAP)
      .join("");
    const indent = widthOf(head);
    const text = row[last] ?? "";
    if (columns === undefined || indent + widthOf(text) <= columns) return [(head + text).trimEnd()];
    if (columns - indent < NARROWEST)
      return [head.trimEnd(), ...wrap(text, columns - BELOW.length).map((line) => BELOW + line)];
    const [first = "", ...more] = wrap(text, columns - indent);
    return [(head + first).trimEnd(), ...more.map((line) => " ".repeat(indent) + line)];
  });
}

/**
 * Breaks text at spaces into lines of at most `width` characters, colours not counted. A longer word stays whole, so
 * that it can be copied.
 */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines;
}

function widthOf(text: string): number {
  // eslint-disable-next-line no-control-regex -- our own colours take no room
  return text.replace(/\u001b\[[\d;]*m/g, "").length;
}
