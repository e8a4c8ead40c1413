/**
 * The library's tarball carries the README, the licence and the changelog of the root, which npm takes from the
 * package's own directory only: `prepack` copies them there, `postpack` (with --remove) takes them away again.
 */
import { copyFile, rm } from 'node:fs/promises';

const DOCUMENTS = ['README.md', 'LICENSE', 'CHANGELOG.md'];

const root = new URL('../', import.meta.url);
const library = new URL('libs/db-lock/', root);

async function copyDocuments() {
  await removeDocuments();
  for (const name of DOCUMENTS) {
    await copyFile(new URL(name, root), new URL(name, library)).catch((/** @type {Error} */ error) => {
      throw new Error(`${name} can't be packed: ${error.message}`);
    });
  }
}

async function removeDocuments() {
  await Promise.all(DOCUMENTS.map((name) => rm(new URL(name, library), { force: true })));
}

try {
  await (process.argv.includes('--remove') ? removeDocuments() : copyDocuments());
} catch (error) {
  await removeDocuments();
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
