/**
 * Leaves the sources out of the library's maps: they would be a third of what users load. A stack trace names the file and line of the source all the
 * same (`node --enable-source-maps`), and the JavaScript beside it reads like it.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../libs/db-lock/dist/', import.meta.url));

for (const path of await readdir(dist, { recursive: true })) {
  if (!path.endsWith('.js.map')) continue;
  const { sourcesContent: _, ...map } = JSON.parse(await readFile(dist + path, 'utf8'));
  await writeFile(dist + path, JSON.stringify(map));
}
