import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { UnauthorizedException } from '@nestjs/common';
import { MemoryLogger } from '../support/memory-logger.js';
import { AdminScene, OPERATOR } from './scene.js';

describe('who acts, as the application says', () => {
  const logger = new MemoryLogger();
  let scene: AdminScene;
  let resolve: () => unknown;

  beforeAll(async () => {
    scene = await AdminScene.open({
      logger,
      features: [
        {
          resolveActor: async ({ user }) => {
            expect(user).toEqual({ username: OPERATOR });
            return resolve() as string;
          },
        },
      ],
    });
    await scene.lease('job');
    await scene.idle('idle');
    await scene.service.leaveExpired('late');
    logger.errors.length = 0;
  });

  afterAll(() => scene.service.close());

  afterEach(() => {
    logger.errors.length = 0;
  });

  const actors = async () => {
    const rows = await scene.service.query<{ actor: string }>(
      'SELECT actor FROM dblock_history WHERE actor IS NOT NULL ORDER BY id',
    );
    return rows.map(({ actor }) => actor);
  };

  /** One of each act, on locks that are there for it. */
  const acts = async () => {
    const { fencingToken } = await scene.inspect('job');
    return [
      await scene.hold({ lockName: 'new', ttl: '1h' }),
      await scene.edit('job', { fencingToken, ttl: '2h' }),
      await scene.forceReleaseAll({ reason: 'why', locks: [{ lockName: 'new' }] }),
      await scene.forceRelease('job'),
      await scene.deleteReleased('idle'),
      await scene.clearExpired(),
    ];
  };

  const fail = (error: Error) => () => {
    throw error;
  };

  it.each<[string, () => unknown, number, string[]]>([
    ['throws', fail(new Error('no directory')), 403, ['no directory']],
    ['throws an HttpException', fail(new UnauthorizedException()), 401, []],
    ['returns no text', () => ({ password: 'secret' }), 403, ['a value of the type object']],
    ['returns what is too long', () => 'x'.repeat(256), 403, ['"xxx']],
    ['returns what cannot be stored', () => 'a\0b', 403, ['"a']],
  ])('nothing is done where that %s', async (_, answer, status, told) => {
    resolve = answer;
    const before = await scene.service.rows();
    const answers = [...(await acts()), await scene.ask('GET', 'session')];
    expect(answers.map((one) => one.status)).toEqual(Array(7).fill(status));
    for (const { text } of answers) expect(text).not.toMatch(/directory|secret/);
    expect(await scene.service.rows()).toEqual(before);
    expect(await actors()).toEqual([]);
    const logged = told.map((part): unknown => expect.stringContaining(part));
    expect(logger.errors).toEqual(answers.flatMap(() => logged));
    expect(logger.errors.join()).not.toContain('secret');
    expect((await scene.ask('GET', 'locks')).status).toBe(200);
  });

  it('is recorded with what is done', async () => {
    resolve = () => '值班员 7';
    expect((await scene.ask('GET', 'session')).json).toMatchObject({ actor: '值班员 7' });
    const answers = await acts();
    expect(answers.map(({ status }) => status)).toEqual([201, 200, 200, 200, 200, 200]);
    expect(await actors()).toEqual(Array(6).fill('值班员 7'));
    expect(logger.errors).toEqual([]);
  });

  it.each([null, undefined, ''])('is unknown where that returns %j', async (nobody) => {
    resolve = () => nobody;
    expect((await scene.ask('GET', 'session')).json).toMatchObject({ actor: 'unknown' });
    expect(logger.errors).toEqual([]);
  });
});
