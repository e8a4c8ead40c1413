import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/**
 * Makes sure that a program is there that some tests call as users do: takes the machine's, else installs Debian's
 * package, and says so.
 * @throws Error when it is missing and can't be installed.
 */
export function requireProgram(program: string, debianPackage = program): void {
  provide(program, debianPackage, () => isThere(program));
}

/** The same for a file, such as a library. */
export function requireFile(path: string, debianPackage: string): void {
  provide(path, debianPackage, () => existsSync(path));
}

function provide(what: string, debianPackage: string, isThere: () => boolean): void {
  if (isThere()) return;
  process.stderr.write(`The tests need ${what}: installing Debian's package ${debianPackage}.\n`);
  run('apt-get', 'update', '-qq');
  run('apt-get', 'install', '-y', '-qq', '--no-install-recommends', debianPackage);
  if (!isThere()) throw new Error(`The tests need ${what}, which is not on this machine. Please install it.`);
}

/**
 * Whether a program is there for a suite; where it can't be had, the suite is skipped, loudly.
 * @throws Error in CI, where it must be there
 */
export function hasProgram(program: string, suite: string, debianPackage = program): boolean {
  try {
    requireProgram(program, debianPackage);
    return true;
  } catch (error) {
    if (process.env.CI === 'true') throw error;
    process.stderr.write(`\nSKIPPED, for want of ${program}: ${suite}. ${String(error)}\n\n`);
    return false;
  }
}

const isThere = (program: string): boolean =>
  spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;

function run(command: string, ...args: string[]): void {
  spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
}
