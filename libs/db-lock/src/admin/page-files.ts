import { ServiceUnavailableException } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { PACKAGE_ROOT } from '../../package-root.cjs';
import { withCode } from '../server/problem.js';

/** A file as it is sent. */
export interface Asset {
  type: string;
  body: Buffer;
  /** Absent where it is no smaller. */
  gzipped?: Buffer;
  /** Weak: one for the body and its compressed form. */
  etag: string;
  /** Its name changes with its content: it never becomes stale. */
  immutable: boolean;
}

/** What is filled in for each answer. */
export interface PagePlaceholders {
  /** Where the page's addresses begin, relative to the request's. */
  base: string;
  nonce: string;
}

const TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.woff2': 'font/woff2',
};

/** `index-B1x3_aZ9.js` */
const HASHED = /-[\w-]{8,}\.\w+$/;

const compress = promisify(gzip);

/** The files of the built page: read once, at the first request, and served from memory. */
export class PageFiles {
  #files?: Promise<{ page: string; assets: Map<string, Asset> }>;

  /** @param directory - with `index.html` and `assets/`; a URL ends with a slash */
  constructor(private readonly directory: URL) {}

  /** @throws ServiceUnavailableException when the page is not built. */
  async page({ base, nonce }: PagePlaceholders): Promise<string> {
    const { page } = await this.#read();
    return page.replaceAll('%BASE%', () => base).replaceAll('%NONCE%', () => nonce);
  }

  /**
   * @param name - as somebody asks for it: looked up, never made a path of
   * @throws ServiceUnavailableException when the page is not built.
   */
  async asset(name: string): Promise<Asset | undefined> {
    const { assets } = await this.#read();
    return assets.get(name);
  }

  #read() {
    return (this.#files ??= readFiles(this.directory).catch((error: unknown) => {
      this.#files = undefined; // It may be built meanwhile.
      throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? notBuilt() : error;
    }));
  }
}

/** The page that comes with the library, beside `src` and `dist`. */
export const shippedPage = new PageFiles(pathToFileURL(join(PACKAGE_ROOT, 'admin-page/')));

async function readFiles(directory: URL) {
  const folder = new URL('assets/', directory);
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  const [page, ...assets] = await Promise.all([
    readFile(new URL('index.html', directory), 'utf8'),
    ...names.map((name) => readAsset(folder, name)),
  ]);
  return { page, assets: new Map(names.map((name, index) => [name, assets[index]!])) };
}

async function readAsset(folder: URL, name: string): Promise<Asset> {
  const body = await readFile(new URL(encodeURIComponent(name), folder));
  const type = TYPES[extname(name)] ?? 'application/octet-stream';
  const gzipped = await compress(body, { level: 9 });
  return {
    type,
    body,
    ...(gzipped.length < body.length && { gzipped }),
    etag: `W/"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    immutable: HASHED.test(name),
  };
}

const notBuilt = () =>
  withCode(
    new ServiceUnavailableException('The admin page is not built. In the repository: npm run build:admin'),
    'ADMIN_PAGE_NOT_BUILT',
  );
