import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

const NODE = dirname(dirname(process.execPath));

/** A native package without a prebuilt binary compiles with the headers that are installed beside Node, if any; else it downloads them. */
const HEADERS = existsSync(join(NODE, 'include/node/node_api.h')) ? { npm_config_nodedir: NODE } : {};

/**
 * @typedef {object} Outcome
 * @property {boolean} ok whether it exited with 0
 * @property {string} stdout
 * @property {string} output what it printed to both
 */

/**
 * Runs a program to its end, whatever that end is.
 * @param {string} directory where it runs
 * @param {string} program
 * @param {string[]} parameters
 * @returns {Promise<Outcome>}
 */
export function attempt(directory, program, ...parameters) {
  return new Promise((resolve) => {
    const options = { cwd: directory, env: environment(), maxBuffer: 64 * 1024 * 1024 };
    const child = execFile(program, parameters, options, (error, stdout, stderr) =>
      resolve({ ok: !error, stdout, output: [stdout, stderr].filter(Boolean).join('\n') }),
    );
    child.stdin?.end();
  });
}

/**
 * Runs a program that must succeed.
 * @param {string} directory where it runs
 * @param {string} program
 * @param {string[]} parameters
 * @returns {Promise<string>} what it printed to stdout
 * @throws Error with the command and all that it printed
 */
export async function run(directory, program, ...parameters) {
  const { ok, stdout, output } = await attempt(directory, program, ...parameters);
  if (!ok) throw new Error(`${[program, ...parameters].join(' ')}\n\n${output}`);
  return stdout;
}

/** Ours, without what `npm run` and CI put into it: a project of a user's has none of that. */
function environment() {
  const inherited = Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(package|lifecycle|config_local_prefix)|NODE_ENV$|NODE_OPTIONS$|INIT_CWD$)/.test(name),
  );
  return { ...HEADERS, ...Object.fromEntries(inherited) };
}
