/** Leaves the JSDoc out of the sources in the library's maps, whose lines stay where they are: the types have it, and twice is too much to load. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../libs/db-lock/dist/', import.meta.url));
const JSDOC = /^[ \t]*\/\*\*[\s\S]*?\*\/[ \t]*$/gm;

/** @param {string} source */
const trimmed = (source) => source.replaceAll(JSDOC, (comment) => comment.replaceAll(/[^\n]/g, ''));

for (const path of await readdir(dist, { recursive: true })) {
  if (!path.endsWith('.js.map')) continue;
  const map = JSON.parse(await readFile(dist + path, 'utf8'));
  map.sourcesContent = map.sourcesContent.map(trimmed);
  await writeFile(dist + path, JSON.stringify(map));
}
