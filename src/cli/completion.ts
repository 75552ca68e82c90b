/**
 * `imds-guard completion`: what a shell needs to complete commands, options and their words, made from the definitions.
 */
import { shellWord } from "../base/text.js";
import type { Command, OptionSpec } from "./command.js";
import { UsageError } from "./command.js";
import { optionsOf } from "./parse.js";

const SHELLS = ["bash", "zsh", "fish"] as const;

export const command: Command = {
  name: "completion",
  summary: "print the completion script of a shell",
  usage: "bash|zsh|fish",
  words: SHELLS,
  description: [
    'Prints a script that completes commands, options and their words. With --json the script is the member "script" of an object.',
  ],
  options: [],
  examples: [
    { command: "imds-guard completion bash > /etc/bash_completion.d/imds-guard", does: "for every user of bash" },
    { command: 'imds-guard completion zsh > "${fpath[1]}/_imds-guard"', does: "for zsh" },
    { command: "imds-guard completion fish > ~/.config/fish/completions/imds-guard.fish", does: "for fish" },
  ],
  async run({ words, json, ui, commands }) {
    const [shell] = words;
    if (shell === undefined || words.length > 1)
      throw new UsageError("completion needs the name of one shell", `known: ${SHELLS.join(", ")}`);
    const script = MAKERS[shell as (typeof SHELLS)[number]](await commands.loadAll());
    if (json) ui.json({ shell, script });
    else ui.line(script.trimEnd());
    return 0;
  },
};

const MAKERS: Readonly<Record<(typeof SHELLS)[number], (commands: readonly Command[]) => string>> = { bash, zsh, fish };

/** The first words that a command may be given: after `help`, the name of any. */
function wordsOf({ name, words }: Command, commands: readonly Command[]): readonly string[] {
  return name === "help" ? commands.map((described) => described.name) : (words ?? []);
}

function takesPaths(command: Command): boolean {
  return /FILE|DIR|CMD/.test(command.usage);
}

function isPath({ value }: OptionSpec): boolean {
  return value === "DIR" || value === "FILE" || value === "PATH";
}

function flags({ name, short }: OptionSpec): string[] {
  return short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`];
}

function bash(commands: readonly Command[]): string {
  const branches = commands.map((described) => {
    const options = optionsOf(described);
    const valued = options.filter(({ value }) => value !== undefined);
    const cases = valued.map((option) => {
      const reply = option.words
        ? `COMPREPLY=($(compgen -W "${option.words.join(" ")}" -- "$cur"))`
        : isPath(option)
          ? 'COMPREPLY=($(compgen -f -- "$cur"))'
          : "COMPREPLY=()";
      return `        ${flags(option).join("|")}) ${reply}; return ;;`;
    });
    const words = wordsOf(described, commands);
    return [
      `    ${described.name})`,
      ...(cases.length > 0 ? ['      case "$prev" in', ...cases, "      esac"] : []),
      `      if [[ "$cur" == -* ]]; then COMPREPLY=($(compgen -W "${options.flatMap(flags).join(" ")}" -- "$cur")); return; fi`,
      ...(words.length > 0
        ? [
            `      if [[ $COMP_CWORD -eq 2 ]]; then COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$cur")); return; fi`,
          ]
        : []),
      `      COMPREPLY=(${takesPaths(described) ? '$(compgen -f -- "$cur")' : ""})`,
      "      ;;",
    ].join("\n");
  });
  return `# bash completion for imds-guard
_imds_guard() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}"
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")} --help --version" -- "$cur"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${branches.join("\n")}
  esac
}
complete -o filenames -F _imds_guard imds-guard
`;
}

function zsh(commands: readonly Command[]): string {
  const bracketed = (text: string): string => text.replace(/[[\]:]/g, "\\$&");
  const spec = (option: OptionSpec): string[] =>
    flags(option).map((flag) => {
      const value =
        option.value === undefined
          ? ""
          : `:${option.value}:${option.words ? `(${option.words.join(" ")})` : isPath(option) ? "_files" : ""}`;
      return shellWord(`${option.multiple === true ? "*" : ""}${flag}[${bracketed(option.summary)}]${value}`);
    });
  const branches = commands.map((described) => {
    const words = wordsOf(described, commands);
    const first = words.length > 0 ? [shellWord(`1:word:(${words.join(" ")})`)] : [];
    const rest = takesPaths(described) ? [shellWord("*:file:_files")] : [];
    return `        ${described.name}) _arguments ${[...optionsOf(described).flatMap(spec), ...first, ...rest].join(" ")} ;;`;
  });
  return `#compdef imds-guard
_imds_guard() {
  local curcontext="$curcontext" state line
  _arguments -C '--help[print help]' '--version[print the version]' '1:command:->command' '*::word:->words'
  case $state in
    command)
      local -a commands
      commands=(${commands.map(({ name, summary }) => shellWord(`${name}:${summary}`)).join(" ")})
      _describe command commands ;;
    words)
      case $line[1] in
${branches.join("\n")}
      esac ;;
  esac
}
_imds_guard "$@"
`;
}

function fish(commands: readonly Command[]): string {
  const escaped = (text: string): string => `'${text.replace(/['\\]/g, "\\$&")}'`;
  const lines = commands.flatMap((described) => {
    const here = `complete -c imds-guard -n '__fish_seen_subcommand_from ${described.name}'`;
    const words = wordsOf(described, commands);
    return [
      `complete -c imds-guard -n __fish_use_subcommand -f -a ${described.name} -d ${escaped(described.summary)}`,
      ...(takesPaths(described) ? [] : [`${here} -f`]),
      ...(words.length > 0 ? [`${here} -f -a ${escaped(words.join(" "))}`] : []),
      ...optionsOf(described).map((option) => {
        const { name, short, value, summary } = option;
        const argument =
          value === undefined
            ? ""
            : option.words
              ? ` -x -a ${escaped(option.words.join(" "))}`
              : isPath(option)
                ? " -r -F"
                : " -x";
        return `${here} -l ${name}${short === undefined ? "" : ` -s ${short}`}${argument} -d ${escaped(summary)}`;
      }),
    ];
  });
  return [
    "# fish completion for imds-guard",
    "complete -c imds-guard -n __fish_use_subcommand -l help -d 'print help'",
    "complete -c imds-guard -n __fish_use_subcommand -l version -d 'print the version'",
    ...lines,
    "",
  ].join("\n");
}
