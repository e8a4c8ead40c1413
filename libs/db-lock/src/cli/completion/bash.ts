import type { CommandWords } from './words.js';

/** A function that bash asks. It works with bash 3.2, too, which macOS has. */
export function bashCompletion(program: string, commands: readonly CommandWords[]): string {
  const name = `_${program.replaceAll('-', '_')}`;
  const runners = commands.filter(({ runsCommand }) => runsCommand).map((command) => command.name);
  return `# bash completion of ${program}: eval "$(${program} completion bash)"
${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} at
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W ${quoted(commands.map((command) => command.name))} -- "$current"))
    return
  fi
  for ((at = 2; at < COMP_CWORD; at++)); do
    if [[ \${COMP_WORDS[at]} == -- ]]; then
      case \${COMP_WORDS[1]} in
        ${runners.join(' | ')}) ((at + 1 == COMP_CWORD)) && COMPREPLY=($(compgen -c -- "$current")) ;;
      esac
      return
    fi
  done
  case \${COMP_WORDS[1]} in
${commands.map(caseOf).join('\n')}
  esac
}
complete -o default -F ${name} ${program}
`;
}

function caseOf({ name, options, choices }: CommandWords): string {
  const values = options
    .filter(({ takesValue }) => takesValue)
    .map((option) =>
      option.choices.length > 0
        ? `        ${option.flags.join(' | ')}) ${reply(option.choices)}; return ;;`
        : `        ${option.flags.join(' | ')}) return ;;`,
    );
  const words = options.flatMap(({ flags }) => flags.filter((flag) => flag.startsWith('--')));
  return [
    `    ${name})`,
    ...(values.length > 0 ? ['      case $previous in', ...values, '      esac'] : []),
    `      if [[ $current == -* ]]; then ${reply(words)}`,
    ...(choices.length > 0 ? [`      elif ((COMP_CWORD == 2)); then ${reply(choices)}`] : []),
    '      fi',
    '      ;;',
  ].join('\n');
}

const reply = (words: readonly string[]) => `COMPREPLY=($(compgen -W ${quoted(words)} -- "$current"))`;

/** Words of ours: letters, digits and dashes. */
const quoted = (words: readonly string[]) => `'${words.join(' ')}'`;
