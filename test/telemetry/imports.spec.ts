import { describe, expect, it } from '@jest/globals';
import { transformSync, type Options } from '@swc/core';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const LIBRARY = fileURLToPath(new URL('../../libs/db-lock/', import.meta.url));

const COMPILER: Options = {
  jsc: { target: 'es2022', parser: { syntax: 'typescript', decorators: true } },
  swcrc: false,
};

const known = new Map<string, string[]>();

/** What a file imports as it runs: types are gone then. */
function importsOf(file: string): string[] {
  const imports = known.get(file) ?? readImports(file);
  known.set(file, imports);
  return imports;
}

function readImports(file: string): string[] {
  const { code } = transformSync(readFileSync(file, 'utf8'), { ...COMPILER, filename: file });
  return [...code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g)].map(
    ([, specifier]) => specifier!,
  );
}

/** The packages that a file needs, by itself or by what it imports from its own folder. */
function packagesOf(file: string, seen = new Set<string>()): Set<string> {
  seen.add(file);
  const packages = new Set<string>();
  for (const specifier of importsOf(file)) {
    if (!specifier.startsWith('.')) packages.add(specifier);
    else {
      const path = resolve(dirname(file), specifier).replace(/\.js$/, '.ts');
      if (!seen.has(path) && existsSync(path)) for (const name of packagesOf(path, seen)) packages.add(name);
    }
  }
  return packages;
}

const ofOpenTelemetry = (file: string) =>
  [...packagesOf(file)].filter((name) => name.startsWith('@opentelemetry/'));

describe('OpenTelemetry', () => {
  const { exports, peerDependencies, peerDependenciesMeta } = JSON.parse(
    readFileSync(`${LIBRARY}package.json`, 'utf8'),
  ) as Record<'exports' | 'peerDependencies', object> & {
    peerDependenciesMeta: Record<string, { optional: boolean }>;
  };
  const entries = Object.keys(exports)
    .filter((entry) => entry !== './package.json')
    .map((entry) => (entry === '.' ? 'index' : entry.slice(2)));

  it.each(entries.filter((entry) => entry !== 'opentelemetry'))('is loaded by nothing of %s', (entry) => {
    expect(ofOpenTelemetry(`${LIBRARY}src/${entry}.ts`)).toEqual([]);
  });

  it('is an optional peer, and no more of it than the API is needed', () => {
    expect(packagesOf(`${LIBRARY}src/index.ts`)).toContain('undici'); // it looks deep
    expect(ofOpenTelemetry(`${LIBRARY}src/opentelemetry.ts`)).toEqual(['@opentelemetry/api']);
    expect(peerDependencies).toHaveProperty('@opentelemetry/api');
    expect(peerDependenciesMeta['@opentelemetry/api']).toEqual({ optional: true });
  });
});
