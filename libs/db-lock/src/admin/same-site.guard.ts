import { ForbiddenException, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { IncomingHttpHeaders } from 'node:http';
import { withCode } from '../server/problem.js';

/** What it takes to tell from where a request comes, on every platform. */
interface Sender {
  method: string;
  headers: IncomingHttpHeaders;
}

/** These change nothing. */
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

/**
 * Keeps pages of other sites from acting with the operator's credentials, which a browser sends along whatever page asks.
 * The browser also says from where a request comes; programs say nothing and pass.
 */
@Injectable()
export class SameSiteGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { method, headers } = context.switchToHttp().getRequest<Sender>();
    if (SAFE_METHODS.includes(method) || !isFromElsewhere(headers)) return true;
    throw withCode(new ForbiddenException('Pages of other sites may change nothing here.'), 'CROSS_SITE');
  }
}

/** Whether a page of another site, or of another port, has sent this. */
export function isFromElsewhere(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  // Browsers leave it out where the connection is neither encrypted nor local.
  const { origin } = headers;
  return origin !== undefined && !addressesOf(headers).some((host) => isAt(origin, host));
}

/** By which names we may have been called; a proxy puts its own into X-Forwarded-Host. */
function addressesOf(headers: IncomingHttpHeaders): string[] {
  const forwarded = [headers['x-forwarded-host']].flat()[0]?.split(',', 1)[0]?.trim();
  return [headers.host, headers[':authority'] as string | undefined, forwarded].filter(
    (host) => host !== undefined,
  );
}

/** An origin leaves out the port that its protocol has by itself, a proxy may not. */
function isAt(origin: string, host: string): boolean {
  try {
    const { protocol, host: sender } = new URL(origin);
    return sender !== '' && sender === new URL(`${protocol}//${host}`).host;
  } catch {
    return false; // `null`: a page that hides where it is from.
  }
}
