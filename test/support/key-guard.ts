import {
  ForbiddenException,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';

/** Lets in who brings the key as a bearer token, and leaves in `request.user` who that is. */
export class KeyGuard implements CanActivate {
  constructor(
    private readonly key: string,
    public user?: unknown,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: unknown }>();
    const { authorization } = request.headers;
    if (authorization === undefined) throw new UnauthorizedException('Who are you?');
    if (authorization !== `Bearer ${this.key}`) throw new ForbiddenException('Not with this key.');
    request.user = this.user;
    return true;
  }
}

export const withKey = (key: string) => ({ authorization: `Bearer ${key}` });
