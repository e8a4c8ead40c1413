import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { isModuleNamespaceObject } from 'node:util/types';
import { rolldown, type OutputChunk, type Plugin } from 'rolldown';

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const LIBRARY = join(ROOT, 'libs/db-lock/src');
const SERVER = join(ROOT, 'src');

/** Two folders below the library's, as its sources are: they look for the admin page from there. */
const BUNDLE = join(ROOT, 'libs/db-lock/.cache/bundle');

/** What loads the scripts. The bundle has a copy of it. */
const SCRIPTS = join(ROOT, 'test/support/bundle/scripts.js');

/** Written when all else is. */
const COMPLETE = join(BUNDLE, 'complete');

/** What runs in processes of its own, too. */
const HELPERS = ['test/support/lock-application', 'test/faults/guarded-resource'];

/** Where those are, with what they import, this file and the list of packages. */
const HELPER_FOLDERS = ['test/support', 'test/faults'].map((folder) => join(ROOT, folder));

/** They start when they are loaded. */
const PROGRAMS: Record<string, string> = {
  'standalone-server': join(SERVER, 'main.ts'),
  'db-lock': join(LIBRARY, 'bin/db-lock.ts'),
};

/** The packages of many files, as they are imported. */
const PACKAGES = JSON.parse(
  readFileSync(join(ROOT, 'test/support/bundle/packages.json'), 'utf8'),
) as string[];

/** Packages that the others load when they need them. */
const APART = /^(?:@libsql\/.*|ioredis|libsql|mysql2|pg|pg-native|pino|pino-pretty|redis)$/;

/** What all of Nest, and so nearly every suite, loads. */
const NEST =
  /\/node_modules\/(?:@nestjs\/(?:common|core|testing|typeorm)|reflect-metadata|rxjs|typeorm|zod)\//;

/** What has an export of its own, because it needs what not every application has; and the command line. */
const OPTIONAL = /\/db-lock\/src\/(?:bin|cli|openapi|opentelemetry|sqlite|terminus|testing)\b/;

/**
 * Puts together, in a few files, the library, the standalone server and the packages that they stand on, unless that was done
 * since they changed. Each process that runs suites, and each that a suite starts, loads them anew: a few large files load faster
 * than 1,500 small ones, and scripts that are compiled already, faster than modules. Each source and each package has a module of
 * its own name beside them, which exports what it does: whatever a suite imports comes from the same copy.
 */
export async function bundle(): Promise<void> {
  if (isComplete()) return;
  const modules = below(LIBRARY).filter((path) => /(?<!\.spec)\.ts$/.test(path) && !path.startsWith('bin/'));
  await using build = await rolldown({
    cwd: ROOT,
    input: {
      ...Object.fromEntries(modules.map((path) => [withoutEnding(path), join(LIBRARY, path)])),
      ...Object.fromEntries(HELPERS.map((name) => [name, `./${name}.ts`])),
      ...Object.fromEntries(PACKAGES.map((name) => [`packages/${withoutEnding(name)}`, FACADE + name])),
      ...PROGRAMS,
    },
    platform: 'node',
    tsconfig: join(ROOT, 'tsconfig.json'),
    // Scripts have no import.meta.
    transform: { target: 'es2022', define: { 'import.meta.resolve': 'require.resolve' } },
    external: APART,
    treeshake: false,
    plugins: [facades, imports, packageRoot],
    // Packages that are loaded only where they are installed.
    checks: { unresolvedImport: false },
  });
  const { output } = await build.write({
    dir: BUNDLE,
    cleanDir: true,
    format: 'cjs',
    exports: 'named',
    dynamicImportInCjs: false,
    sourcemap: false,
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name].cjs',
    codeSplitting: {
      groups: [
        { name: 'library', test: (id) => id.startsWith(LIBRARY) && !OPTIONAL.test(id) },
        { name: 'nest', test: NEST, priority: 1 },
      ],
    },
  });
  const files = output.filter((file) => file.type === 'chunk' && file.isEntry) as OutputChunk[];
  for (const { name, exports } of files) writeFileSync(join(BUNDLE, `${name}.js`), doorTo(name, exports));
  copyFileSync(SCRIPTS, join(BUNDLE, basename(SCRIPTS)));
  await compile(files.map(({ name }) => name).filter((name) => !(name in PROGRAMS)));
  writeFileSync(COMPLETE, '');
}

/** An ES module with what a file of the bundle exports. */
function doorTo(name: string, exports: string[]): string {
  const up = '../'.repeat(name.split('/').length - 1) || './';
  const names = exports.map((exported, index) => `const x${index} = file[${JSON.stringify(exported)}];`);
  const list = exports.map((exported, index) => `x${index} as ${exported}`);
  return [
    `import { load } from '${up}${basename(SCRIPTS)}';`,
    `const file = load(${JSON.stringify(`${name}.cjs`)});`,
    ...names,
    `export { ${list.join(', ')} };`,
    '',
  ].join('\n');
}

/** Loads these modules in a process that has nothing else to do, and keeps what V8 compiles of them. */
async function compile(names: string[]): Promise<void> {
  const imports = names.map((name) => `await import('./${name}.js');`).join('\n');
  const code = `${imports} (await import('./${basename(SCRIPTS)}')).keepCompiled();`;
  await run(process.execPath, ['--input-type=module', '--eval', code], { cwd: BUNDLE });
}

function isComplete(): boolean {
  const sources = [LIBRARY, SERVER, ...HELPER_FOLDERS].flatMap((folder) => [
    folder,
    ...below(folder).map((path) => join(folder, path)),
  ]);
  const newest = Math.max(...[join(ROOT, 'package-lock.json'), ...sources].map(modified));
  return existsSync(COMPLETE) && modified(COMPLETE) > newest;
}

const FACADE = '\0facade:';

/** A file for a package. The names that CommonJS exports are known only when it has run. */
const facades: Plugin = {
  name: 'facades',
  resolveId: (id) => (id.startsWith(FACADE) ? id : null),
  load(id) {
    if (!id.startsWith(FACADE)) return null;
    const name = id.slice(FACADE.length);
    const exported = require(name) as object;
    const names = new Set(Object.keys(exported).filter((one) => /^[\w$]+$/.test(one)));
    if (!isModuleNamespaceObject(exported)) names.add('default');
    return { code: `export { ${[...names].join(', ')} } from '${name}';`, moduleType: 'js' };
  },
};

/** Some of the packages require each other as they run: that would load another copy. */
const imports: Plugin = {
  name: 'imports',
  transform(code, id) {
    if (!id.includes('/node_modules/') || !code.includes('createRequire(import.meta.url)')) return null;
    const required = PACKAGES.filter((name) => code.includes(`require('${name}')`));
    return required.reduce(
      (changed, name, index) =>
        `import * as required${index} from '${name}';\n${changed.replaceAll(`require('${name}')`, `required${index}`)}`,
      code,
    );
  },
};

/** A script of the bundle does not lie where the library's file would look around itself. */
const packageRoot: Plugin = {
  name: 'package root',
  load: (id) =>
    id.endsWith('/package-root.cjs')
      ? { code: `exports.PACKAGE_ROOT = ${JSON.stringify(dirname(id))};`, moduleType: 'js' }
      : null,
};

/** The paths of all that is in a folder, from there. */
const below = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' });
const withoutEnding = (path: string): string => path.replace(/\.[jt]s$/, '');
const modified = (path: string): number => statSync(path).mtimeMs;
