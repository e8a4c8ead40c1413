import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

/**
 * `node --import` this file to run the TypeScript sources as jest runs them. Node loads it a second time in the thread
 * where its hooks live.
 */
if (isMainThread) register(import.meta.url);

const LIBRARY = /^nestjs-db-lock(?:\/(.*))?$|^(?:\.\.?\/)+libs\/db-lock\/src\/(.*)\.js$/;

/** As jest's moduleNameMapper has it. */
const BUNDLE = '../../libs/db-lock/.cache/library';

export async function resolve(specifier, context, next) {
  const library = LIBRARY.exec(specifier);
  if (library)
    return next(
      new URL(`${BUNDLE}/${library[1] ?? library[2] ?? 'index'}.js`, import.meta.url).href,
      context,
    );
  try {
    return await next(specifier, context);
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND' || !context.parentURL?.endsWith('.ts')) throw error;
    return next(specifier.replace(/\.js$/, '.ts'), context);
  }
}

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const { transform } = await import('@swc/core');
  const { default: jest } = await import('../../jest.config.js');
  const [, options] = jest.transform['\\.ts$'];
  const filename = fileURLToPath(url);
  const { code } = await transform(readFileSync(filename, 'utf8'), { ...options, filename, swcrc: false });
  return { format: 'module', source: code, shortCircuit: true };
}
