/**
 * Writes a rule as YAML in the style of the SigmaHQ rule repository: four spaces, values of a detection in single
 * quotes.
 */
import type { SigmaRule } from "./sigma-rule.js";

const INDENT = "    ";

// What YAML reads as a string without quotes, whatever its version: starts with a letter and holds nothing with a
// meaning.
const PLAIN = /^[A-Za-z][A-Za-z0-9 _.,()\/|*+%=<>~;-]*(?:[:'"&@!?](?=\S)[A-Za-z0-9 _.,()\/|*+%=<>~;-]*)*$/;
const PLAIN_KEY = /^[A-Za-z_][\w.|-]*$/;
const UUID_OR_DATE = /^(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\d{4}-\d{2}-\d{2})$/;
const WORD_WITH_MEANING = /^(?:true|false|yes|no|on|off|null|y|n)$/i;

/**
 * The rule as a YAML document, ending in a newline. The shipped files are exactly what this writes, so a rule that was
 * changed (by suppression, say) is printed in the same form.
 */
export function toYaml(rule: SigmaRule): string {
  return mapping(rule as unknown as Record<string, unknown>, "", false);
}

function mapping(map: Readonly<Record<string, unknown>>, indent: string, quoting: boolean): string {
  return Object.entries(map)
    .map(([key, value]) => `${indent}${keyText(key)}:${entry(value, indent, quoting || key === "detection", key)}`)
    .join("");
}

function entry(value: unknown, indent: string, quoting: boolean, key: string): string {
  const inner = indent + INDENT;
  if (isEmpty(value)) return Array.isArray(value) ? " []\n" : " {}\n";
  if (Array.isArray(value))
    return `\n${value.map((item: unknown) => `${inner}- ${listItem(item, inner, quoting)}`).join("")}`;
  if (typeof value === "object" && value !== null)
    return `\n${mapping(value as Record<string, unknown>, inner, quoting)}`;
  if (typeof value === "string" && value.includes("\n")) {
    return ` |\n${value
      .trimEnd()
      .split("\n")
      .map((line) => (line === "" ? "\n" : `${inner}${line}\n`))
      .join("")}`;
  }
  return ` ${scalar(value, quoting && key !== "condition")}\n`;
}

function listItem(item: unknown, indent: string, quoting: boolean): string {
  if (isEmpty(item)) return "{}\n";
  if (typeof item !== "object" || item === null) return `${scalar(item, quoting)}\n`;
  // The first key stands on the line of the dash, the others below it.
  const text = mapping(item as Record<string, unknown>, `${indent}  `, quoting);
  return text.slice(indent.length + 2);
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function keyText(key: string): string {
  return PLAIN_KEY.test(key) && !WORD_WITH_MEANING.test(key) ? key : quoted(key);
}

function scalar(value: unknown, quoting: boolean): string {
  if (typeof value !== "string") return String(value);
  const plain =
    UUID_OR_DATE.test(value) || (PLAIN.test(value) && !WORD_WITH_MEANING.test(value) && !value.endsWith(" "));
  return plain && !quoting ? value : quoted(value);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
