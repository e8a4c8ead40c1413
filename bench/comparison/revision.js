import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** On the same disk as the packages, so that they can be linked. */
const PLACE = join(ROOT, '.cache');

/**
 * The commit that a revision names: a hash, a tag, a branch, `HEAD~1`, …
 *
 * @param {string} revision
 * @returns {string | undefined} undefined when it names none
 */
export function commitOf(revision) {
  const { status, stdout } = run('git', [
    'rev-parse',
    '--verify',
    '--quiet',
    '--end-of-options',
    `${revision}^{commit}`,
  ]);
  return status === 0 ? stdout.trim() : undefined;
}

/** Where npm has put packages: those that parts need in another version stand in theirs. */
const placesOfPackages = () =>
  ['.', ...readdirSync(join(ROOT, 'libs')).map((part) => join('libs', part))]
    .map((part) => join(part, 'node_modules'))
    .filter((place) => existsSync(join(ROOT, place)));

/** The library as it was, in a workspace of its own, with the bench of this working tree. */
export class BuiltRevision {
  /** @param {string} workspace - its folder */
  constructor(workspace) {
    this.workspace = workspace;
  }

  /**
   * @param {string} commit
   * @param {(text: string) => void} say
   * @throws Error when it can't be built
   */
  static build(commit, say) {
    mkdirSync(PLACE, { recursive: true });
    const revision = new BuiltRevision(mkdtempSync(join(PLACE, 'revision-')));
    try {
      say(`building the library of ${commit}`);
      revision.#checkOut(commit);
      revision.#install(say);
      revision.#must('npm', ['run', '--silent', 'build:lib']);
      revision.#takeBench();
      return revision;
    } catch (error) {
      revision.remove();
      throw error;
    }
  }

  remove() {
    rmSync(this.workspace, { recursive: true, force: true });
  }

  /** @param {string} commit */
  #checkOut(commit) {
    this.#must('git', ['clone', '--quiet', '--no-checkout', ROOT, '.']);
    this.#must('git', ['checkout', '--quiet', '--detach', commit]);
  }

  /** Links the packages of this working tree where they are the same. @param {(text: string) => void} say */
  #install(say) {
    const lock = 'package-lock.json';
    const isSame = readFileSync(join(ROOT, lock)).equals(readFileSync(join(this.workspace, lock)));
    const places = placesOfPackages();
    if (
      isSame &&
      places.every((place) => run('cp', ['-al', join(ROOT, place), place], this.workspace).status === 0)
    )
      return;
    say('npm ci: its packages are not those of this working tree');
    for (const place of places) rmSync(join(this.workspace, place), { recursive: true, force: true });
    this.#must('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  }

  /** The load must be the same on both sides. */
  #takeBench() {
    const bench = join(this.workspace, 'bench');
    rmSync(bench, { recursive: true, force: true });
    cpSync(join(ROOT, 'bench'), bench, { recursive: true });
  }

  /** @param {string} program @param {string[]} args */
  #must(program, args) {
    const { status, stdout, stderr } = run(program, args, this.workspace);
    if (status !== 0) throw new Error(`${[program, ...args].join(' ')} failed:\n${stdout}${stderr}`);
  }
}

/** @param {string} program @param {string[]} args @param {string} [cwd] */
const run = (program, args, cwd = ROOT) => spawnSync(program, args, { cwd, encoding: 'utf8' });
