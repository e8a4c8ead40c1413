import { ForbiddenException, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { isLoopback } from './configuration.js';

/**
 * Keeps web pages out. A browser sends what any page asks for, with the operator's password and to servers that only
 * this machine can reach; it also says from where the request comes. Programs say nothing and pass.
 */
@Injectable()
export class SameSiteGuard implements CanActivate {
  constructor(private readonly loopbackOnly: boolean) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers, hostname } = context.switchToHttp().getRequest<FastifyRequest>();
    const site = headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none')
      throw new ForbiddenException('Pages of other sites are not let in.');
    // A page may have its own name point here (DNS rebinding): then it calls us by that name.
    if (this.loopbackOnly && !isLoopback(hostname.replace(/^\[(.*)\]$/, '$1')))
      throw new ForbiddenException('Without credentials this server is called by a loopback address only.');
    return true;
  }
}
