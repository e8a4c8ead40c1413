import { Injectable, UnauthorizedException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isSame } from './same-secret.js';

/** Lets in who brings the API's token: `Authorization: Bearer …`. */
@Injectable()
export class BearerTokenGuard implements CanActivate {
  constructor(private readonly token: string) {}

  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const [scheme, token] = (http.getRequest<FastifyRequest>().headers.authorization ?? '').split(' ');
    if (scheme?.toLowerCase() === 'bearer' && token !== undefined && isSame(token, this.token)) return true;
    http.getResponse<FastifyReply>().header('WWW-Authenticate', 'Bearer realm="db-lock"');
    throw new UnauthorizedException('A bearer token is needed: Authorization: Bearer <DB_LOCK_API_TOKEN>.');
  }
}
