import { Argument, type Command } from 'commander';
import { bashCompletion } from '../completion/bash.js';
import { fishCompletion } from '../completion/fish.js';
import { wordsOf } from '../completion/words.js';
import { zshCompletion } from '../completion/zsh.js';
import type { Session } from '../session.js';

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

type Shell = keyof typeof SHELLS;

const EXAMPLES = `
Examples:
  eval "$(db-lock completion bash)"     in ~/.bashrc
  eval "$(db-lock completion zsh)"      in ~/.zshrc, after compinit
  db-lock completion fish > ~/.config/fish/completions/db-lock.fish`;

/** What a shell completes by. */
export function addCompletion(program: Command, session: Session): void {
  program
    .command('completion')
    .summary('print the completion of a shell')
    .description('Prints a script that completes the commands and options in a shell.')
    .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(SHELLS)))
    .addHelpText('after', EXAMPLES)
    .action((shell: Shell) => session.out.write(SHELLS[shell](program.name(), wordsOf(program))));
}
