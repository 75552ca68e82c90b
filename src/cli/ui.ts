/**
 * Output rules of the command line. Results go to stdout; everything said about the work (errors, hints, progress) goes
 * to stderr, in lower case, without a full stop, behind "imds-guard: ". On a terminal there is colour (not with NO_COLOR),
 * tables fit its width, and work that lasts longer than a second shows progress; in a pipe everything is plain. With
 * --json stdout carries one JSON document (or JSON lines, where a command says so) and nothing else.
 */

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
