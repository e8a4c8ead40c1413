import {
  Controller,
  Get,
  Inject,
  NotFoundException,
  Req,
  Res,
  SetMetadata,
  UseFilters,
} from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { ProblemFilter } from '../server/problem.filter.js';
import { answer, type PlatformResponse } from './answer.js';
import { PageFiles, type Asset } from './page-files.js';
import { acceptsGzip, hasAlready } from './preconditions.js';
import { Unbent } from './unbent.js';

interface PageRequest {
  originalUrl: string;
}

interface AssetRequest {
  params: { file: string };
  headers: IncomingHttpHeaders;
}

/** What ApiExcludeController() of @nestjs/swagger sets, which the application may not have: a page is no API. */
const NotInOpenApi = () => SetMetadata('swagger/apiExcludeController', [true]);

/** The admin's page. Each feature serves a subclass of its own, at `admin` of its path. */
@Controller()
@Unbent()
@UseFilters(ProblemFilter)
@NotInOpenApi()
export class AdminPageController {
  constructor(@Inject(PageFiles) private readonly files: PageFiles) {}

  @Get()
  async page(@Req() { originalUrl }: PageRequest, @Res() response: PlatformResponse): Promise<void> {
    const nonce = randomBytes(16).toString('base64');
    const page = await this.files.page({ base: baseOf(originalUrl), nonce });
    answer(response, 200, pageHeaders(nonce), Buffer.from(page));
  }
}

/** The page's scripts, styles and images, all in one folder. At `admin/assets` of a feature's path. */
@Controller()
@Unbent()
@UseFilters(ProblemFilter)
@NotInOpenApi()
export class AdminAssetsController {
  constructor(@Inject(PageFiles) private readonly files: PageFiles) {}

  @Get(':file')
  async asset(@Req() { params, headers }: AssetRequest, @Res() response: PlatformResponse): Promise<void> {
    const asset = await this.files.asset(params.file);
    if (!asset) throw new NotFoundException('The admin page has no such file.');
    if (hasAlready(headers['if-none-match'], asset.etag)) {
      answer(response, 304, cacheHeaders(asset));
      return;
    }
    const gzipped = acceptsGzip(headers['accept-encoding']) ? asset.gzipped : undefined;
    answer(response, 200, assetHeaders(asset, gzipped !== undefined), gzipped ?? asset.body);
  }
}

/**
 * Where the page's addresses begin, relative to its own: a proxy may have taken away what stood before. `…/admin` → `./admin/`,
 * `…/admin/` → `./`
 */
export function baseOf(url: string): string {
  const [path = ''] = url.split(/[?#;]/, 1);
  const segment = path.slice(path.lastIndexOf('/') + 1);
  if (segment === '') return './';
  // It goes into the page, and a URL may hold anything.
  return /^[\w.~%-]+$/.test(segment) ? `./${segment}/` : './admin/';
}

function pageHeaders(nonce: string): Record<string, string> {
  return {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-store',
    'Content-Security-Policy': [
      `default-src 'none'`,
      `script-src 'self'`,
      `style-src 'self' 'nonce-${nonce}'`,
      `img-src 'self' data:`,
      `font-src 'self'`,
      `connect-src 'self'`,
      `base-uri 'self'`,
      `form-action 'none'`,
      `frame-ancestors 'none'`,
    ].join('; '),
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
  };
}

/** Private: nobody gets it without the guards' consent, a shared cache would give it to all. */
function cacheHeaders({ etag, immutable }: Asset): Record<string, string> {
  return {
    ETag: etag,
    'Cache-Control': immutable ? 'private, max-age=31536000, immutable' : 'private, no-cache',
    Vary: 'Accept-Encoding',
  };
}

function assetHeaders(asset: Asset, gzipped: boolean): Record<string, string> {
  return {
    ...cacheHeaders(asset),
    'Content-Type': asset.type,
    ...(gzipped && { 'Content-Encoding': 'gzip' }),
    'Cross-Origin-Resource-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
  };
}
