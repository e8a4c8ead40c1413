import { execFile } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SOURCES = join(ROOT, 'libs/db-lock-admin');
const BUILT = join(ROOT, 'libs/db-lock/admin-page/index.html');

/**
 * Builds the admin page, unless what is built is newer than its sources.
 * @throws Error when it can't be built
 */
export async function buildPage(): Promise<void> {
  if (existsSync(BUILT) && statSync(BUILT).mtimeMs > newestIn(SOURCES)) return;
  process.stderr.write('The tests need the admin page as its sources are: npm run build:admin.\n');
  // Jest's NODE_ENV would give React's development build.
  const env = { ...process.env, NODE_ENV: 'production' };
  await run('npm', ['run', '--silent', 'build:admin'], { cwd: ROOT, env }).catch((error: unknown) => {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`The admin page can't be built:\n${stdout}${stderr}`);
  });
}

/** A folder counts too: it is newer when a file of it has gone. */
function newestIn(folder: string): number {
  const below = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => name !== 'node_modules');
  const times = below.map((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? newestIn(path) : statSync(path).mtimeMs;
  });
  return Math.max(statSync(folder).mtimeMs, ...times);
}
