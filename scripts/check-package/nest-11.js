import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { check } from './check.js';
import { run } from './command.js';

const INSTALL = ['install', '--no-save', '--prefer-offline', '--no-audit', '--no-fund'];

/** What the other builders and runners need. */
const TOOLS = [
  '@nestjs/cli@11',
  '@nestjs/schematics@11',
  '@swc/cli',
  '@swc/core@1',
  '@swc/jest@0.2',
  'ts-loader@9',
];

const SWC = {
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
  },
};

/**
 * An application of Nest 11, built and tested as the Nest CLI and jest would, beside `tsc` and ts-jest.
 * @param {string} directory of the sample, installed
 * @param {string} url of the database
 */
export async function checkBuilders(directory, url) {
  const copy = `${directory}-builders`;
  await cp(directory, copy, { recursive: true, verbatimSymlinks: true });
  await run(copy, 'npm', ...INSTALL, ...TOOLS);
  await edit(join(copy, 'package.json'), (manifest) => {
    manifest.jest.transform = { '^.+\\.ts$': ['@swc/jest', SWC] };
  });
  await writeFile(join(copy, '.swcrc'), JSON.stringify({ ...SWC, module: { type: 'commonjs' } }));
  const inDatabase = (/** @type {string} */ command) =>
    run(copy, 'bash', '-c', `export DATABASE_URL='${url}' PATH="$PWD/node_modules/.bin:$PATH"; ${command}`);
  await check('is tested with @swc/jest', () => inDatabase('jest'));
  for (const [builder, options] of Object.entries({ webpack: '--webpack', SWC: '--builder swc' })) {
    await check(`is built and run by the Nest CLI with ${builder}`, async () => {
      await inDatabase(
        `rm -rf dist && nest build ${options} -p tsconfig.build.json && node $(find dist -name main.js)`,
      );
    });
  }
}

/** The oldest versions that the library says it works with. */
const OLDEST = [
  ...['common', 'core', 'platform-express', 'testing'].map((name) => `@nestjs/${name}@11.1.0`),
  '@nestjs/typeorm@11.0.0',
  'typeorm@0.3.20',
  'pg@8.11.0',
];

/**
 * @param {string} directory of the sample, installed
 * @param {string} url of the database
 */
export async function checkOldest(directory, url) {
  const copy = `${directory}-oldest`;
  await cp(directory, copy, { recursive: true, verbatimSymlinks: true });
  await check(`is tested with ${OLDEST.join(', ')}`, async () => {
    await run(copy, 'npm', ...INSTALL, ...OLDEST);
    await run(copy, 'bash', '-c', `export DATABASE_URL='${url}'; npm test`);
  });
}

/** The optional packages in the majors that go with Nest 11. */
const OPTIONAL = [
  '@nestjs/cache-manager@3',
  'cache-manager@7',
  '@nestjs/event-emitter@3',
  '@nestjs/schedule@6',
  '@nestjs/swagger@11',
  '@nestjs/terminus@11',
];

/**
 * @param {string} directory of the sample, installed
 * @param {string} url of the database
 */
export async function checkOptional(directory, url) {
  const copy = `${directory}-optional`;
  await cp(directory, copy, { recursive: true, verbatimSymlinks: true });
  await cp(new URL('projects/nest-11/peers.cjs', import.meta.url), join(copy, 'peers.cjs'));
  await check(`works with ${OPTIONAL.join(', ')}`, async () => {
    await run(copy, 'npm', ...INSTALL, ...OPTIONAL);
    await run(copy, 'bash', '-c', `export DATABASE_URL='${url}'; node peers.cjs`);
  });
}

/** @param {string} path @param {(content: any) => void} change */
async function edit(path, change) {
  const content = JSON.parse(await readFile(path, 'utf8'));
  change(content);
  await writeFile(path, JSON.stringify(content, undefined, 2));
}
