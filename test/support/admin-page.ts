import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const INDEX = `<!doctype html>
<html lang="en">
  <head>
    <base href="%BASE%" />
    <meta name="csp-nonce" content="%NONCE%" />
    <title>Locks</title>
    <script type="module" src="./assets/index-Ab3_-9zQ.js"></script>
    <link rel="stylesheet" href="./assets/index-Zz81kLm0.css">
  </head>
</html>
`;

/** The files of a page as the build leaves them: in a folder that holds what is nobody's business, too. */
export const PAGE_FILES = {
  'index.html': INDEX,
  'package.json': '{"name":"secret"}',
  'assets/index-Ab3_-9zQ.js': `console.log('${'locks '.repeat(500)}');`,
  'assets/index-Zz81kLm0.css': `body { color: red } ${'/* red */'.repeat(300)}`,
  'assets/mark-Qq1w2e3r.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
  'assets/favicon.ico': '\0\0\u0001\0',
  'assets/deeper/secret.js': 'secret',
} as const;

/** A folder for a page, on the disk. */
export class AdminPageFolder implements AsyncDisposable {
  private constructor(private readonly path: string) {}

  static async create(): Promise<AdminPageFolder> {
    return new AdminPageFolder(await mkdtemp(join(tmpdir(), 'db-lock-page-')));
  }

  /** With a slash at its end. */
  get url(): URL {
    return pathToFileURL(`${this.path}/`);
  }

  async build(): Promise<this> {
    for (const [name, content] of Object.entries(PAGE_FILES)) {
      const file = join(this.path, name);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content);
    }
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.path, { recursive: true, force: true });
  }
}
