import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

/** By path. */
const loaded = new Map();

/** The exports of a script that lies beside this file: see bundle.ts. */
export const load = (name) => loadScript(fileURLToPath(new URL(name, import.meta.url)));

/** Keeps what V8 has compiled of all that was loaded: other processes need not do that again. */
export function keepCompiled() {
  for (const [path, { script }] of loaded) writeFileSync(compiled(path), script.createCachedData());
}

const compiled = (path) => `${path}.compiled`;

/** Does what `require` does, which keeps nothing in Node 20. */
function loadScript(path) {
  const known = loaded.get(path);
  if (known !== undefined) return known.exports;
  const source = readFileSync(path, 'utf8').replace(/^#!.*/, ''); // a program's first line is for shells
  const script = new Script(Module.wrap(source), {
    filename: path,
    cachedData: existsSync(compiled(path)) ? readFileSync(compiled(path)) : undefined,
  });
  const module = { exports: {}, script };
  loaded.set(path, module);
  script.runInThisContext()(module.exports, requireFrom(path), module, path, dirname(path));
  return module.exports;
}

function requireFrom(path) {
  const require = createRequire(path);
  const requireScript = (id) => (id.startsWith('.') ? loadScript(resolve(dirname(path), id)) : require(id));
  return Object.assign(requireScript, require);
}
