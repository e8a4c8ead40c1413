/** Keeps the admin page light: adds up its first load, compressed. Needs a built page: `npm run build:admin`. */
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { ADMIN_PAGE, filesOfFirstLoad } from './admin-page.js';

/** Bytes of gzip. */
const BUDGET = 260_000;

let total = 0;
for (const path of await filesOfFirstLoad()) {
  const size = gzipSync(await readFile(new URL(path, ADMIN_PAGE))).length;
  total += size;
  console.log(`${kB(size)}  ${path}`);
}
console.log(`${kB(total)}  of the ${BUDGET / 1000} kB that the admin page may take to load`);
if (total > BUDGET) process.exitCode = 1;

/** @param {number} bytes */
function kB(bytes) {
  return `${(bytes / 1000).toFixed(1).padStart(6)} kB`;
}
