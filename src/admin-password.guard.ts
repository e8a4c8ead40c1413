import { Injectable, UnauthorizedException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isSame } from './same-secret.js';

/** The admin's one user. */
const USERNAME = 'admin';

/** Lets the operator in: HTTP Basic, user `admin`. */
@Injectable()
export class AdminPasswordGuard implements CanActivate {
  constructor(private readonly password: string) {}

  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest & { user?: object }>();
    const [username, password] = basicCredentials(request.headers.authorization);
    if (username === USERNAME && password !== undefined && isSame(password, this.password)) {
      request.user = { username };
      return true;
    }
    http
      .getResponse<FastifyReply>()
      .header('WWW-Authenticate', 'Basic realm="db-lock admin", charset="UTF-8"');
    throw new UnauthorizedException(`A password is needed: user ${USERNAME}, DB_LOCK_ADMIN_PASSWORD.`);
  }
}

function basicCredentials(header = ''): [username?: string, password?: string] {
  const [scheme, encoded] = header.split(' ');
  if (scheme?.toLowerCase() !== 'basic' || encoded === undefined) return [];
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? [] : [text.slice(0, colon), text.slice(colon + 1)];
}
