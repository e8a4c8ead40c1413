import type { Command, Option } from 'commander';

/** What can be said to a command. */
export interface CommandWords {
  name: string;
  summary: string;
  options: OptionWords[];
  /** What its first argument may be, where that is known. */
  choices: readonly string[];
  /** Whether another command line comes after "--". */
  runsCommand: boolean;
}

export interface OptionWords {
  /** `--mode`, and `-E` before it where there is a short form. */
  flags: string[];
  description: string;
  takesValue: boolean;
  choices: readonly string[];
}

/** All commands, as the help has them. */
export function wordsOf(program: Command): CommandWords[] {
  const help = program.createHelp();
  return help.visibleCommands(program).map((command) => ({
    name: command.name(),
    summary: help.subcommandDescription(command),
    options: help.visibleOptions(command).map(optionWords),
    choices: choicesOf(program, command),
    runsCommand: command.usage().includes(' -- '),
  }));
}

const optionWords = ({ short, long, description, required, optional, argChoices }: Option): OptionWords => ({
  flags: [short, long].filter((flag) => flag !== undefined),
  description,
  takesValue: required || optional,
  choices: argChoices ?? [],
});

/** Of `help`, the other commands. */
function choicesOf(program: Command, command: Command): readonly string[] {
  if (command.name() === 'help') return program.commands.map((other) => other.name());
  return command.registeredArguments[0]?.argChoices ?? [];
}
