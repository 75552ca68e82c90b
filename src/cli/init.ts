/** `imds-guard init`: the change that a project needs, as lines to read or written into its files. */
import { join, resolve } from "node:path";
import type { Command } from "./command.js";
import { UsageError } from "./command.js";
import type { ByHand, Change } from "./init/rewrite.js";

interface FileReport {
  readonly file: string;
  readonly changes: readonly Change[];
  readonly byHand: readonly ByHand[];
  readonly written: boolean;
}

export const command: Command = {
  name: "init",
  summary: "say what to change in a project so that its AWS clients ask through the guard",
  usage: "[FOLDER] [--write]",
  description: [
    "Reads the JavaScript and TypeScript of a project (by default in this folder) and finds imports of the AWS SDK's credential providers, and clients of the AWS SDK v3 that are given no credentials. The imports become those of imds-guard; the clients get the configuration of one guard for each file.",
    "Prints the lines, and with --write writes them. What cannot be changed without knowing more (a configuration that is made elsewhere, the SDK's second major version) is said with its line. node_modules, hidden folders and what builds leave are not looked at, and package.json stays as it is.",
    "Exit code 1 where something is left to change, 3 where a file could not be read. With --json: version, files (file, changes, byHand, written), skipped (file, why).",
  ],
  options: [{ name: "write", short: "w", summary: "write the changes into the files" }],
  examples: [
    { command: "imds-guard init", does: "what this project needs" },
    { command: "imds-guard init --write", does: "write it; git diff shows it" },
  ],
  async run({ options, words, json, ui, signal }) {
    if (words.length > 1) throw new UsageError(`init takes one folder, and got ${words[1]}`);
    const write = options["write"] === true;
    const folder = resolve(words[0] ?? ".");
    const [{ findSources, readSource, replaceSource }, { mentionsSdk, rewrite }] = await Promise.all([
      import("./init/project.js"),
      import("./init/rewrite.js"),
    ]);
    const { files, skipped: unseen } = findSources(folder, signal);
    const skipped = [...unseen];
    const reports: FileReport[] = [];
    for (const [index, file] of files.entries()) {
      signal.throwIfAborted();
      ui.progress(`${index} of ${files.length} files ...`);
      const path = join(folder, file);
      const read = readSource(path);
      if ("why" in read) skipped.push({ file, why: read.why });
      if ("why" in read || !mentionsSdk(read.text)) continue;
      try {
        const { text, changes, byHand } = rewrite(file, read.text);
        // What was written has to be read again by whoever runs it.
        if (changes.length > 0) rewrite(file, text);
        const written = write && changes.length > 0 && replaceSource(path, read.text, text);
        if (changes.length > 0 || byHand.length > 0) reports.push({ file, changes, byHand, written });
      } catch (error) {
        if (!(error instanceof SyntaxError) && typeof (error as NodeJS.ErrnoException).code !== "string") throw error;
        skipped.push({ file, why: (error as Error).message.split("\n")[0] ?? "cannot be parsed" });
      }
    }
    ui.progress(undefined);
    if (json) ui.json({ version: 1, files: reports, skipped });
    else {
      for (const report of reports) {
        ui.line(ui.paint(report.file, "strong"));
        for (const { line, before, after } of report.changes) {
          const [kept, added] = difference(before, after);
          if (kept !== undefined) ui.line(`  ${ui.paint(`${line} - ${kept}`, "finding")}`);
          for (const each of added) ui.line(`  ${ui.paint(`${line} + ${each}`, "ok")}`);
        }
        for (const { line, says } of report.byHand) ui.line(`  ${line} ${ui.paint("by hand", "unknown")}: ${says}`);
      }
      for (const { file, why } of skipped) ui.note(`${file} was not looked at: ${why}`);
      const changed = reports.filter(({ changes }) => changes.length > 0).length;
      const hands = reports.reduce((sum, { byHand }) => sum + byHand.length, 0);
      ui.line(
        `${files.length} files read, ${changed} ${write ? "changed" : "to change"}, ${hands} ${hands === 1 ? "place" : "places"} to look at by hand`,
      );
      if (changed > 0)
        ui.note(write ? "next: npm install imds-guard" : "--write writes this; then npm install imds-guard");
    }
    if (reports.some(({ changes, byHand, written }) => byHand.length > 0 || (changes.length > 0 && !written))) return 1;
    return skipped.length > 0 ? 3 : 0;
  },
};

/** The line that goes, unless the new ones hold it, and those that come. */
function difference(before: string, after: string): [string | undefined, string[]] {
  const lines = after.split("\n");
  return lines.includes(before) ? [undefined, lines.filter((line) => line !== before)] : [before, lines];
}
