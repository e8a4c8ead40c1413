/**
 * Proves, before anything is published, that the packed library installs, compiles and runs in the projects of those
 * who will use it. Prints a line a check; stops at the first that fails. Needs an npm registry.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkApplication } from './check-package/application.js';
import { checkClientOnly } from './check-package/client-only.js';
import { check } from './check-package/check.js';
import { checkSamples } from './check-package/samples.js';
import { checkServer } from './check-package/server.js';
import { surroundings } from './check-package/surroundings.js';
import { buildTarball, checkContents, checkManifest } from './check-package/tarball.js';

const workshop = await mkdtemp(join(tmpdir(), 'check-package-'));
try {
  const tarball = await check('builds and packs', () => buildTarball(workshop));
  await check('holds its documents, code, types, source maps and admin page, and nothing else', () =>
    checkContents(tarball),
  );
  await checkManifest(tarball);
  const place = await surroundings(workshop);
  try {
    await checkApplication(tarball, workshop, place);
    await checkClientOnly(tarball, workshop);
    await checkServer(tarball, workshop);
    await checkSamples(tarball, workshop, place);
  } finally {
    await place.close();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await rm(workshop, { recursive: true, force: true });
}
