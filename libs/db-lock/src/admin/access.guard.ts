import {
  ForbiddenException,
  HttpException,
  Injectable,
  Logger,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import {
  grantAccess,
  isAccess,
  RequiresAccess,
  suffices,
  type AdminAccess,
  type ResolvedAccess,
} from './access.js';
import { describeError, describeValue } from './mistake.js';

/** Asks for each request, after the application's own guards, what its sender may do. Whatever goes wrong there: nothing. */
@Injectable()
export class AccessGuard implements CanActivate {
  readonly #logger = new Logger('DbLock');
  readonly #reflector = new Reflector();

  constructor(
    private readonly resolve: (request: object) => ResolvedAccess | Promise<ResolvedAccess> = () => 'edit',
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<object>();
    const access = await this.#accessOf(request);
    if (access === null) throw new ForbiddenException('You have no access to this admin.');
    const required = this.#reflector.get(RequiresAccess, context.getHandler()) ?? 'view';
    if (!suffices(access, required))
      throw new ForbiddenException(`This needs the access "${required}"; yours is "${access}".`);
    grantAccess(request, access);
    return true;
  }

  async #accessOf(request: object): Promise<AdminAccess | null> {
    let access: unknown;
    try {
      access = await this.resolve(request);
    } catch (error) {
      if (error instanceof HttpException) throw error;
      this.#logger.error(`resolveAccess failed, so access is refused: ${describeError(error)}`);
      return null;
    }
    if (isAccess(access)) return access;
    if (access !== null && access !== undefined)
      this.#logger.error(
        `resolveAccess returned ${describeValue(access)}, so access is refused. It must return 'view', 'release', 'edit' or null.`,
      );
    return null;
  }
}
