import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { runCommandLine } from '../support/command-line.js';
import { blocksOf } from '../readme/examples.js';
import { CommandLineScene } from './scene.js';

const DOCUMENT = new URL('../../docs/command-line.md', import.meta.url);

/** A word, bare or quoted; or what ends a command. */
const WORD = /'([^']*)'|"([^"]*)"|(#.*|[|)>;&]+)|([^\s|)>;&]+)/g;

/** The command lines of db-lock in a text, as a shell would hand them over. */
function commandLinesIn(text: string): string[][] {
  return text.split('\n').flatMap((line) =>
    [...line.matchAll(/(?<=^|[\s(`])db-lock (.*)/g)].map(([, rest]) => {
      const words = [];
      for (const [, single, double, end, bare] of rest!.matchAll(WORD)) {
        if (end !== undefined) break;
        words.push(single ?? double ?? bare!);
      }
      return withoutCommand(words);
    }),
  );
}

/** What is to run under a lock stays as it is. */
function withoutCommand(words: string[]): string[] {
  const at = words.indexOf('--');
  return words[0] === 'run' && at > 1 ? [...words.slice(0, at), '--', 'true'] : words;
}

/** What an indented block says after its command. */
const withoutRemark = (line: string) => line.replace(/(\S) {2,}\S.*$/, '$1');

describe('the examples of the command line', () => {
  let scene: CommandLineScene;

  beforeAll(async () => {
    scene = await CommandLineScene.open();
    await scene.hold('import');
  });
  afterAll(() => scene[Symbol.asyncDispose]());

  /** Those that it takes for wrong use. */
  const refused = async (commandLines: string[][]) => {
    const endings = await Promise.all(
      commandLines.map(async (args) => ({ args, ...(await scene.run('by a server', args, KEY)) })),
    );
    return endings.filter(({ code }) => code === 64 || code === 70);
  };

  /** Never a lease. */
  const KEY = { DB_LOCK_GRANT_ID: '6f1c7c0e-52a1-4d5e-8f0a-2b9f6f0f4f11' };

  it('are right in the documentation', async () => {
    const text = await readFile(DOCUMENT, 'utf8');
    const cron = text.split('\n').filter((line) => /^ {4}.*\* {2}db-lock/.test(line));
    const blocks = blocksOf(DOCUMENT).map((block) => block.text.replaceAll(/--wait \S+/g, '--wait 0'));
    const commandLines = commandLinesIn([...blocks, ...cron].join('\n'));
    expect(commandLines.length).toBeGreaterThan(10);
    expect(await refused(commandLines)).toEqual([]);
  });

  it('are right in the help of each command', async () => {
    const { stdout } = await runCommandLine(['--help'], {});
    const commands = [...stdout.matchAll(/^ {2}([a-z-]+) .* {2}/gm)].map(([, name]) => name!);
    const helps = await Promise.all(
      [[], ...commands.map((name) => [name])].map((args) => runCommandLine([...args, '--help'], {})),
    );
    const lines = helps
      .flatMap((help) => help.stdout.split('Examples:')[1]?.split('\n') ?? [])
      .map(withoutRemark);
    const commandLines = commandLinesIn(lines.join('\n')).filter(([command]) => command !== 'watch');
    expect(commandLines.length).toBeGreaterThan(10);
    expect(await refused(commandLines)).toEqual([]);
  });
});
