import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../', import.meta.url);

const PARTS = [
  { sources: 'libs/db-lock/src', built: 'libs/db-lock/dist', script: 'build:lib' },
  { sources: 'src', built: 'dist', script: 'build:server' },
];

/**
 * Builds the library and the standalone server, each when it was not built since its sources changed.
 *
 * @param {(text: string) => void} say
 */
export function buildWhatIsStale(say) {
  for (const { sources, built, script } of PARTS) {
    if (newestIn(built) >= newestIn(sources)) continue;
    say(`npm run ${script}: ${built} is missing or older than ${sources}`);
    const { status } = spawnSync('npm', ['run', '--silent', script], {
      cwd: fileURLToPath(ROOT),
      stdio: ['ignore', 2, 2],
    });
    if (status !== 0) throw new Error(`npm run ${script} failed.`);
  }
}

/** When a file below the folder was last written, in ms; 0 when there is none. @param {string} folder */
function newestIn(folder) {
  try {
    return readdirSync(new URL(folder, ROOT), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .reduce(
        (newest, { parentPath, name }) => Math.max(newest, statSync(`${parentPath}/${name}`).mtimeMs),
        0,
      );
  } catch {
    return 0;
  }
}
