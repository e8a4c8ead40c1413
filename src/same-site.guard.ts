import { ForbiddenException, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { isLoopback } from './configuration.js';

export interface SameSiteRules {
  /** Refuse to be called by any name but a loopback one. */
  loopbackOnly: boolean;
  /** Let people follow links of other sites: only where no GET changes anything. */
  links: boolean;
}

/**
 * Keeps web pages out. A browser sends what any page asks for, with the operator's password and to servers that only
 * this machine can reach; it also says from where the request comes. Programs say nothing and pass.
 */
@Injectable()
export class SameSiteGuard implements CanActivate {
  constructor(private readonly rules: SameSiteRules) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const site = request.headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none')
      if (!this.rules.links || !followsLink(request))
        throw new ForbiddenException('Pages of other sites are not let in.');
    // A page may have its own name point here (DNS rebinding): then it calls us by that name.
    if (this.rules.loopbackOnly && !isLoopback(request.hostname.replace(/^\[(.*)\]$/, '$1')))
      throw new ForbiddenException('Without credentials this server is called by a loopback address only.');
    return true;
  }
}

/** Somebody goes to the address in a window of its own: the page with the link sees nothing of what comes. */
function followsLink({ method, headers }: FastifyRequest): boolean {
  return (
    method === 'GET' && headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document'
  );
}
