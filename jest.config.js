import { readFileSync } from 'node:fs';

/** See test/support/bundle.ts. */
const BUNDLED = JSON.parse(
  readFileSync(new URL('./test/support/bundled-packages.json', import.meta.url), 'utf8'),
);

/** ESM jest: Nest 12 is pure ESM, so jest runs under --experimental-vm-modules (see the test script). */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/src', '<rootDir>/libs', '<rootDir>/test'],
  testRegex: '\\.spec\\.ts$',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true, explicitResourceManagement: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  moduleNameMapper: {
    ...Object.fromEntries(
      BUNDLED.map((name) => [
        `^${name.replaceAll('.', '\\.')}$`,
        `<rootDir>/libs/db-lock/.cache/bundle/packages/${name.replace(/\.js$/, '')}.js`,
      ]),
    ),
    '^nestjs-db-lock$': '<rootDir>/libs/db-lock/.cache/bundle/index.js',
    '^nestjs-db-lock/(.*)$': '<rootDir>/libs/db-lock/.cache/bundle/$1.js',
    '^(?:\\.\\./)+libs/db-lock/src/(.*)\\.js$': '<rootDir>/libs/db-lock/.cache/bundle/$1.js',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/libs/.*/dist'],
  cacheDirectory: '<rootDir>/.cache/jest',
  testSequencer: '<rootDir>/test/support/sequencer.js',
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  // Longer than what the tests wait for, each by its name, on the slowest machine.
  testTimeout: 180_000,
  maxWorkers: 3,
};
