import { existsSync, readFileSync } from 'node:fs';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

/**
 * `node --import` this file to run the TypeScript sources as jest runs them. Node loads it a second time in the thread
 * where its hooks live.
 */
if (isMainThread) register(import.meta.url);

const LIBRARY = /^nestjs-db-lock(?:\/(.*))?$|^(?:\.\.?\/)+libs\/db-lock\/src\/(.*)\.[jt]s$/;
const BUNDLE = new URL('../../libs/db-lock/.cache/bundle/', import.meta.url);
const GLOBALS = new URL('jest/globals.js', import.meta.url);
const PACKAGES = JSON.parse(readFileSync(new URL('bundle/packages.json', import.meta.url), 'utf8'));

/** Where the tests' bundle has it, if it does: see bundle/bundle.ts. */
function bundled(specifier) {
  const name = nameInBundle(specifier);
  const file = name === undefined ? undefined : new URL(`${name.replace(/\.[jt]s$/, '')}.js`, BUNDLE);
  return file && existsSync(file) ? file : undefined;
}

function nameInBundle(specifier) {
  const library = LIBRARY.exec(specifier);
  if (library) return library[1] ?? library[2] ?? 'index';
  if (PACKAGES.includes(specifier)) return `packages/${specifier}`;
  return specifier.startsWith('./test/') ? specifier : undefined;
}

/** The runner of the tests asks for a suite with a query. */
const isTypeScript = (url) => /\.ts(?:\?.*)?$/.test(url ?? '');

export async function resolve(specifier, context, next) {
  const file = specifier === '@jest/globals' ? GLOBALS : bundled(specifier);
  if (file) return next(file.href, context);
  try {
    return await next(specifier, context);
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND' || !isTypeScript(context.parentURL)) throw error;
    return next(specifier.replace(/\.js$/, '.ts'), context);
  }
}

export async function load(url, context, next) {
  if (!isTypeScript(url)) return next(url, context);
  const { transform } = await import('@swc/core');
  const { default: jest } = await import('../../jest.config.js');
  const [, options] = jest.transform['\\.ts$'];
  const filename = fileURLToPath(url);
  const { code } = await transform(readFileSync(filename, 'utf8'), { ...options, filename, swcrc: false });
  return { format: 'module', source: code, shortCircuit: true };
}
