import type { CommandWords, OptionWords } from './words.js';

/** What fish knows of a program. */
export function fishCompletion(program: string, commands: readonly CommandWords[]): string {
  const complete = `complete -c ${program}`;
  const names = commands.map((command) => command.name);
  const isFirst = quoted(`not __fish_seen_subcommand_from ${names.join(' ')}`);
  return [
    `# fish completion of ${program}: ${program} completion fish > ~/.config/fish/completions/${program}.fish`,
    `${complete} -f`,
    ...commands.map(({ name, summary }) => `${complete} -n ${isFirst} -a ${name} -d ${quoted(summary)}`),
    ...commands.flatMap(({ name, options, choices, runsCommand }) => {
      const isSeen = quoted(`__fish_seen_subcommand_from ${name}`);
      return [
        ...options.map((option) => `${complete} -n ${isSeen} ${optionText(option)}`),
        ...(choices.length > 0 ? [`${complete} -n ${isSeen} -a ${quoted(choices.join(' '))}`] : []),
        ...(runsCommand
          ? [
              `${complete} -n ${quoted(`__fish_seen_subcommand_from ${name}; and contains -- -- (commandline -opc)`)} -F`,
            ]
          : []),
      ];
    }),
    '',
  ].join('\n');
}

function optionText({ flags, description, takesValue, choices }: OptionWords): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const value = takesValue ? ['-x'] : [];
  const words = choices.length > 0 ? [`-a ${quoted(choices.join(' '))}`] : [];
  return [...names, ...value, ...words, `-d ${quoted(description)}`].join(' ');
}

const quoted = (text: string) => `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
