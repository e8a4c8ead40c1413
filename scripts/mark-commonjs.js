/** Tells Node.js that the library's second copy is CommonJS, although its package is not, and that copy where the package is. */
import { writeFile } from 'node:fs/promises';

const dist = new URL('../libs/db-lock/dist/', import.meta.url);

await writeFile(new URL('cjs/package.json', dist), '{ "type": "commonjs" }\n');
await writeFile(
  new URL('package-root.cjs', dist),
  "exports.PACKAGE_ROOT = typeof __dirname === 'string' ? require('node:path').join(__dirname, '..') : '';\n",
);
