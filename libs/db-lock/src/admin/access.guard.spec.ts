import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { HttpException, Logger, UnauthorizedException, type ExecutionContext } from '@nestjs/common';
import { AccessGuard } from './access.guard.js';
import { accessOf, RequiresAccess, type AdminAccess, type ResolvedAccess } from './access.js';

class Routes {
  open(): void {}

  @RequiresAccess('view')
  view(): void {}

  @RequiresAccess('release')
  release(): void {}

  @RequiresAccess('edit')
  edit(): void {}
}

type Resolve = ConstructorParameters<typeof AccessGuard>[0];

describe('AccessGuard', () => {
  const errors: string[] = [];

  beforeEach(() => {
    jest.spyOn(Logger.prototype, 'error').mockImplementation((message: unknown) => {
      errors.push(String(message));
    });
  });
  afterEach(() => {
    errors.length = 0;
    jest.restoreAllMocks();
  });

  const contextOf = (route: keyof Routes, request: object) =>
    ({
      getHandler: () => Routes.prototype[route],
      switchToHttp: () => ({ getRequest: () => request }),
    }) as unknown as ExecutionContext;

  const ask = (resolve: Resolve, route: keyof Routes = 'open', request: object = {}) =>
    new AccessGuard(resolve).canActivate(contextOf(route, request));

  const refused = async (resolve: Resolve, route?: keyof Routes, status = 403) => {
    const failure: unknown = await ask(resolve, route).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(HttpException);
    expect((failure as HttpException).getStatus()).toBe(status);
    return failure as HttpException;
  };

  const ENOUGH: Array<[AdminAccess, Array<keyof Routes>]> = [
    ['view', ['open', 'view']],
    ['release', ['open', 'view', 'release']],
    ['edit', ['open', 'view', 'release', 'edit']],
  ];

  it.each(ENOUGH)('%s suffices for %j, and for nothing else', async (access, allowed) => {
    for (const route of ['open', 'view', 'release', 'edit'] as const) {
      if (allowed.includes(route)) expect(await ask(() => access, route)).toBe(true);
      else expect((await refused(() => access, route)).message).toContain(`"${access}"`);
    }
    expect(errors).toEqual([]);
  });

  it('lets everybody edit by default', async () => {
    const request = {};
    expect(await ask(undefined, 'edit', request)).toBe(true);
    expect(accessOf(request)).toBe('edit');
  });

  it('asks with the request, and leaves the answer with it', async () => {
    const request = { user: { role: 'release' } };
    await ask(async (given) => (given as typeof request).user.role as AdminAccess, 'view', request);
    expect(accessOf(request)).toBe('release');
    expect(accessOf({})).toBe('view');
  });

  it.each([[null], [undefined]])('refuses %s, which is no mistake', async (access) => {
    await refused(() => access);
    await refused(async () => access);
    expect(errors).toEqual([]);
  });

  it.each<[unknown, string]>([
    ['admin', '"admin"'],
    ['Edit', '"Edit"'],
    ['', '""'],
    [true, 'type boolean'],
    [0, 'type number'],
    [{ access: 'edit', password: 'secret' }, 'type object'],
    [['edit'], 'type object'],
  ])('refuses %j, and says in the log what is wrong', async (access, told) => {
    await refused(() => access as ResolvedAccess);
    expect(errors).toEqual([expect.stringContaining(told)]);
    expect(errors[0]).not.toContain('secret');
  });

  it('refuses when it fails, and says in the log why', async () => {
    const failure = new TypeError('user is undefined');
    const throws = () => {
      throw failure;
    };
    expect((await refused(throws)).message).not.toContain('user is');
    await refused(() => Promise.reject(failure));
    expect(errors).toEqual(Array(2).fill(expect.stringContaining('user is undefined')));
  });

  it('answers with the HttpException that it throws', async () => {
    await refused(() => Promise.reject(new UnauthorizedException()), 'view', 401);
    expect(errors).toEqual([]);
  });
});
