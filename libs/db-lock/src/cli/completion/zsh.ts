import type { CommandWords, OptionWords } from './words.js';

/** A function that zsh asks, for a file in its fpath or for eval. */
export function zshCompletion(program: string, commands: readonly CommandWords[]): string {
  const name = `_${program.replaceAll('-', '_')}`;
  return `#compdef ${program}
# zsh completion of ${program}: eval "$(${program} completion zsh)", or a file ${name} in your fpath
${name}() {
  local -a commands
  commands=(
${commands.map((command) => `    ${quoted(`${command.name}:${command.summary}`)}`).join('\n')}
  )
  if ((CURRENT == 2)); then
    _describe -t commands command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${commands.map(caseOf).join('\n')}
  esac
}
if [[ \${funcstack[1]-} == ${name} ]]; then
  ${name} "$@"
else
  compdef ${name} ${program}
fi
`;
}

function caseOf({ name, options, choices, runsCommand }: CommandWords): string {
  const rest = runsCommand
    ? ["'1:name:'", "'*::command:_normal'"]
    : [choices.length > 0 ? quoted(`1:what:(${choices.join(' ')})`) : "'*:name:'"];
  const specs = [...options.flatMap(specsOf), ...rest];
  return [
    `    ${name})`,
    `      _arguments \\\n${specs.map((spec) => `        ${spec}`).join(' \\\n')}`,
    '      ;;',
  ].join('\n');
}

function specsOf({ flags, description, takesValue, choices }: OptionWords): string[] {
  const value = takesValue ? (choices.length > 0 ? `:value:(${choices.join(' ')})` : ':value:') : '';
  return flags.map((flag) => quoted(`${flag}[${description.replaceAll(/[[\]:]/g, '\\$&')}]${value}`));
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
