import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { historyJson, overviewJson } from '../../libs/db-lock/src/admin/schemas.js';
import { leaseJson, lockJson, lockPageJson } from '../../libs/db-lock/src/server/schemas.js';
import { KeyGuard, withKey } from '../support/key-guard.js';
import { LockService, type Answer, type Message } from '../support/lock-service.js';
import { until } from '../support/patience.js';
import { PLATFORMS } from '../support/platforms.js';
import { pathOf, routesBelow } from '../support/routes.js';
import {
  time,
  lockPath,
  leasePath,
  duration,
  expectAnswer,
  expectProblem,
  expectLost,
  refusal,
  HOUR,
  withoutPeople,
} from './rest.js';
import { uniqueName } from '../support/lock-names.js';

/** What a force release has ended that has ended nothing. */
const NOTHING = { ended: null, others: [], leases: 0 };

describe.each(PLATFORMS)('the admin API on %s', (platform) => {
  const guard = new KeyGuard('admin');
  let service: LockService;

  beforeAll(async () => {
    service = await LockService.open({ platform, features: [{ adminGuards: [guard] }] });
  });
  afterAll(() => service.close());
  beforeEach(() => {
    guard.user = { username: 'olga' };
  });

  const ask = (method: string, path: string, message: Message = {}) =>
    service.send(method, `admin/api/${path}`, { ...message, headers: withKey('admin') });
  const forceRelease = (lockName: string, body: object) =>
    ask('POST', `${lockPath(lockName)}/force-release`, { json: body });
  const history = (lockName: string, query?: Message['query']) =>
    ask('GET', `${lockPath(lockName)}/history`, { query });
  const held = async (lockName: string, body: object = {}) => {
    const json = { workerName: 'ann', ttl: '60s', ...body };
    return leaseJson.parse((await service.send('POST', leasePath(lockName), { json })).json);
  };
  const lockNow = async (lockName: string) => (await ask('GET', lockPath(lockName))).json;

  /** The history, once so much has happened: what holders do is recorded a moment later. */
  async function historyOf(lockName: string, count: number): Promise<Answer> {
    let answer = await history(lockName);
    await until(`${count} events are recorded`, 10_000, async () => {
      answer = await history(lockName);
      return historyJson.parse(answer.json).items.length >= count;
    });
    return answer;
  }

  it('tells who is asking, and what they may do', async () => {
    const session = { feature: 'dblock', actor: 'olga', access: 'edit', history: true };
    expectAnswer(await ask('GET', 'session'), 200, session);
  });

  it('frees a lock by force, and tells whose lease it was', async () => {
    const lockName = uniqueName();
    const { grantId, workerName, fencingToken, lockTime, expireTime } = await held(lockName);
    const answer = await forceRelease(lockName, { reason: 'stuck' });
    const ended = { workerName, fencingToken, lockTime, expireTime };
    expectAnswer(answer, 200, { lockName, ended, others: [], leases: 1 });
    expect(JSON.stringify(answer)).not.toContain(grantId);
    expectLost(await service.send('PATCH', leasePath(lockName, grantId), { json: { ttl: '60s' } }));
    expect((await held(lockName)).fencingToken).toBeGreaterThan(fencingToken);
  });

  /** As much of a key as is told. */
  const toldOf = (grantId: string) => `${grantId.slice(0, 8)}…`;

  it('records who freed which lease and why, the newest first', async () => {
    const lockName = uniqueName();
    const first = await held(lockName);
    await forceRelease(lockName, { reason: ' stuck since noon ' });
    const second = await held(lockName);
    guard.user = 'pavel';
    await forceRelease(lockName, { reason: 'stuck again' });
    const entry = (event: string, { grantId, fencingToken }: typeof first, by: object = {}) => ({
      id: expect.any(String),
      event,
      workerName: 'ann',
      grantId: toldOf(grantId),
      fencingToken,
      actor: null,
      reason: null,
      details: null,
      eventTime: time,
      ...by,
    });
    const answer = await historyOf(lockName, 4);
    const { items } = historyJson.parse(answer.json);
    expectAnswer(answer, 200, { items, next: null });
    expect(items.filter(({ actor }) => actor !== null)).toEqual([
      entry('forced', second, { actor: 'pavel', reason: 'stuck again' }),
      entry('forced', first, { actor: 'olga', reason: 'stuck since noon' }),
    ]);
    expect(items.filter(({ actor }) => actor === null)).toEqual([
      entry('acquired', second),
      entry('acquired', first),
    ]);
  });

  it('tells no key to a lease in the history, either', async () => {
    const lockName = uniqueName();
    const { grantId } = await held(lockName);
    const answer = await historyOf(lockName, 1);
    expect(answer.json).toMatchObject({ items: [{ event: 'acquired', grantId: toldOf(grantId) }] });
    expect(answer.text).not.toContain(grantId);
  });

  it('shows the history page by page', async () => {
    const lockName = uniqueName();
    for (const reason of ['one', 'two', 'three']) {
      await held(lockName);
      await forceRelease(lockName, { reason });
    }
    const { items } = historyJson.parse((await historyOf(lockName, 6)).json);
    const first = historyJson.parse((await history(lockName, { limit: '4' })).json);
    expect(first.items).toEqual(items.slice(0, 4));
    const second = historyJson.parse((await history(lockName, { limit: '2', before: first.next! })).json);
    expect(second).toEqual({ items: items.slice(4), next: null });
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['limit=all', 'limit'],
    ['before=yesterday', 'before'],
    ['before=', 'before'],
    ['before=1-1&before=2-2', 'before'],
    ['page=1', 'page'],
  ])('refuses to show a history with ?%s', async (query, field) => {
    expectProblem(await history('a', query), 400, 'INVALID_REQUEST', refusal(field));
  });

  it.each<[unknown, string]>([
    ['olga', 'olga'],
    [{ username: 'olga', name: 'Olga P.', id: 7 }, 'olga'],
    [{ name: 'Olga P.', email: 'o@example.com' }, 'o@example.com'],
    [{ name: 'Olga P.', sub: 'abc' }, 'abc'],
    [{ name: 'Olga P.' }, 'Olga P.'],
    [{ email: 'o@example.com', id: 7 }, 'o@example.com'],
    [{ id: 7, sub: 'abc' }, '7'],
    [{ sub: 'abc' }, 'abc'],
    [{ username: '', sub: 'abc' }, 'abc'],
    [{ username: { first: 'O' } }, 'unknown'],
    [{ username: 'o\0lga\ud800' }, 'olga\ufffd'],
    [{ username: '🔒'.repeat(300) }, '🔒'.repeat(255)],
    [undefined, 'unknown'],
    [null, 'unknown'],
    ['', 'unknown'],
  ])('takes the actor from what the guard left in request.user: %j', async (user, actor) => {
    const lockName = uniqueName();
    await held(lockName);
    guard.user = user;
    expect((await forceRelease(lockName, { reason: 'stuck' })).status).toBe(200);
    const { items } = historyJson.parse((await history(lockName)).json);
    expect(items.find(({ event }) => event === 'forced')).toMatchObject({ actor });
  });

  it('tells that nobody held the lock, and records nothing', async () => {
    const [released, expired, unknown] = [uniqueName(), uniqueName(), uniqueName()];
    const { grantId } = await held(released);
    await service.send('DELETE', leasePath(released, grantId));
    await service.leaveExpired(expired);
    for (const lockName of [released, expired, unknown])
      expectAnswer(await forceRelease(lockName, { reason: 'stuck' }), 200, { lockName, ...NOTHING });
    const own = (event: string) => expect.objectContaining({ event, actor: null });
    const [taken, givenBack] = [own('acquired'), own('released')];
    expectAnswer(await historyOf(released, 2), 200, { items: [givenBack, taken], next: null });
    expectAnswer(await historyOf(expired, 1), 200, { items: [taken], next: null });
    expectAnswer(await history(unknown), 200, { items: [], next: null });
  });

  it.each<[string, unknown, string]>([
    ['no reason', {}, 'reason'],
    ['an empty reason', { reason: '' }, 'reason'],
    ['a blank reason', { reason: ' \n ' }, 'reason'],
    ['a reason of 1001 characters', { reason: 'x'.repeat(1001) }, 'reason'],
    ['a reason with U+0000', { reason: 'a\0b' }, 'reason'],
    ['a number as reason', { reason: 7 }, 'reason'],
    ['an actor in the body', { reason: 'stuck', actor: 'somebody else' }, 'actor'],
    ['a list', ['stuck'], 'body'],
    ['a token as text', { reason: 'stuck', fencingToken: '7' }, 'fencingToken'],
    ['a negative token', { reason: 'stuck', fencingToken: -1 }, 'fencingToken'],
    ['the mode that it has', { reason: 'stuck', mode: 'exclusive' }, 'mode'],
  ])('frees nothing for %s', async (_what, body, field) => {
    const lockName = uniqueName();
    await held(lockName);
    const before = await service.rows();
    const answer = await ask('POST', `${lockPath(lockName)}/force-release`, { json: body });
    expectProblem(answer, 400, 'INVALID_REQUEST', refusal(field));
    expect(await service.rows()).toEqual(before);
  });

  it('frees only the lease that was meant, and tells how things are otherwise', async () => {
    const lockName = uniqueName();
    const first = await held(lockName);
    await forceRelease(lockName, { reason: 'stuck', fencingToken: first.fencingToken });
    const { fencingToken } = await held(lockName, { workerName: 'ben', metadata: { job: 7 } });
    const before = await service.rows();
    const answer = await forceRelease(lockName, { reason: 'stuck', fencingToken: first.fencingToken });
    const now = withoutPeople(await lockNow(lockName));
    expect(now).toMatchObject({ workerName: 'ben', fencingToken, metadata: { job: 7 }, waiting: 0 });
    expectProblem(answer, 409, 'LOCK_CHANGED', { lock: { ...now, serverTime: time } });
    expect(await service.rows()).toEqual(before);
    expect(await forceRelease(lockName, { reason: 'stuck', fencingToken })).toMatchObject({
      status: 200,
      json: { ended: { workerName: 'ben', fencingToken } },
    });
  });

  it('leaves an exclusive lease alone where those are meant who share the lock', async () => {
    const [lockName, free] = [uniqueName(), uniqueName()];
    const { grantId } = await held(lockName);
    await service.leaveExpired(free);
    const shared = { reason: 'stuck', mode: 'shared' };
    const lock = { ...withoutPeople(await lockNow(lockName)), serverTime: time };
    expectProblem(await forceRelease(lockName, shared), 409, 'LOCK_CHANGED', { lock });
    expectAnswer(await forceRelease(free, shared), 200, { lockName: free, ...NOTHING });
    const locks = [
      { lockName, mode: 'shared' },
      { lockName: free, mode: 'shared' },
    ];
    expectAnswer(await ask('POST', 'force-release', { json: { reason: 'stuck', locks } }), 200, {
      answers: [
        { lockName, outcome: 'changed', ...NOTHING, lock },
        { lockName: free, outcome: 'free', ...NOTHING, lock: null },
      ],
    });
    expect((await service.send('DELETE', leasePath(lockName, grantId))).status).toBe(204);
  });

  it('frees several by force, each by itself, and answers in their order', async () => {
    const [forced, free, changed] = [uniqueName(), uniqueName(), uniqueName()];
    const { grantId, workerName, fencingToken, lockTime, expireTime } = await held(forced);
    await held(changed, { workerName: 'ben' });
    const lock = withoutPeople(await lockNow(changed));
    const locks = [
      { lockName: changed, fencingToken: 7 },
      { lockName: forced, fencingToken },
      { lockName: free },
    ];
    const ended = { workerName, fencingToken, lockTime, expireTime };
    expectAnswer(await ask('POST', 'force-release', { json: { reason: 'stuck', locks } }), 200, {
      answers: [
        { lockName: changed, outcome: 'changed', ...NOTHING, lock: { ...lock, serverTime: time } },
        { lockName: forced, outcome: 'forced', ended, others: [], leases: 1, lock: null },
        { lockName: free, outcome: 'free', ...NOTHING, lock: null },
      ],
    });
    expectLost(await service.send('PATCH', leasePath(forced, grantId), { json: { ttl: '60s' } }));
    expect(await lockNow(changed)).toMatchObject({ state: 'held', workerName: 'ben' });
  });

  it('takes a lock by hand', async () => {
    const lockName = uniqueName();
    const body = { lockName, ttl: '1h', workerName: 'upgrade', metadata: { ticket: 7 }, reason: 'upgrade' };
    const answer = await ask('POST', 'locks', { json: body });
    expectAnswer(answer, 201, {
      lockName,
      state: 'held',
      workerName: 'upgrade',
      fencingToken: expect.any(Number),
      lockTime: time,
      expireTime: time,
      serverTime: time,
      metadata: { ticket: 7 },
      waiting: 0,
      mode: 'exclusive',
      holderCount: 1,
    });
    const { serverTime: _, ...lock } = lockJson.parse(answer.json);
    expect(duration(lock)).toBe(HOUR);
    expect(await lockNow(lockName)).toMatchObject(lock);
    const entry = {
      event: 'created',
      workerName: 'upgrade',
      grantId: expect.stringMatching(/^[0-9a-f]{8}…$/),
      actor: 'olga',
      reason: 'upgrade',
    };
    expect((await history(lockName)).json).toMatchObject({ items: [entry] });
  });

  it('takes a lock by hand in the name of who asks', async () => {
    const lockName = uniqueName();
    guard.user = 'pavel';
    const answer = await ask('POST', 'locks', { json: { lockName, ttl: 60_000 } });
    expect(answer).toMatchObject({ status: 201, json: { workerName: 'pavel', metadata: null } });
    const entry = { event: 'created', actor: 'pavel', reason: null };
    expect((await history(lockName)).json).toMatchObject({ items: [entry] });
  });

  it('takes no lock by hand that somebody has', async () => {
    const lockName = uniqueName();
    const { lockTime, expireTime, grantId } = await held(lockName);
    const before = await service.rows();
    const answer = await ask('POST', 'locks', { json: { lockName, ttl: '1h' } });
    expectProblem(answer, 409, 'LOCK_BUSY', {
      lockName,
      holder: { workerName: 'ann', lockTime, expireTime },
      retryAfter: expect.any(Number),
    });
    const { retryAfter } = answer.json as { retryAfter: number };
    expect(answer.headers['retry-after']).toBe(String(Math.ceil(retryAfter / 1000)));
    expect(JSON.stringify(answer)).not.toContain(grantId);
    expect(await service.rows()).toEqual(before);
  });

  it.each<[string, object, string]>([
    ['no name', { ttl: 1000 }, 'lockName'],
    ["'..'", { lockName: '..', ttl: 1000 }, 'lockName'],
    ['no TTL', { lockName: 'never' }, 'ttl'],
    ['a TTL of 0', { lockName: 'never', ttl: 0 }, 'ttl'],
    ['an empty workerName', { lockName: 'never', ttl: 1000, workerName: '' }, 'workerName'],
    ['metadata that are a list', { lockName: 'never', ttl: 1000, metadata: [] }, 'metadata'],
    ['a blank reason', { lockName: 'never', ttl: 1000, reason: ' ' }, 'reason'],
    ['an actor', { lockName: 'never', ttl: 1000, actor: 'ann' }, 'actor'],
    ['a grantId', { lockName: 'never', ttl: 1000, grantId: randomUUID() }, 'grantId'],
    ['a list', [{ lockName: 'never', ttl: 1000 }], 'body'],
  ])('takes nothing by hand for %s', async (_what, json, field) => {
    const before = await service.rows();
    expectProblem(await ask('POST', 'locks', { json }), 400, 'INVALID_REQUEST', refusal(field));
    expect(await service.rows()).toEqual(before);
  });

  it('gives a live lease another end and other metadata, and its holder keeps it', async () => {
    const lockName = uniqueName();
    const { grantId, fencingToken, workerName, lockTime } = await held(lockName, { metadata: { a: 1 } });
    const edit = (json: object) => ask('PATCH', lockPath(lockName), { json: { fencingToken, ...json } });
    const alone = { mode: 'exclusive', holderCount: 1 };
    const lock = { lockName, state: 'held', workerName, fencingToken, lockTime, waiting: 0, ...alone };
    const now = { ...lock, expireTime: time, serverTime: time };

    const longer = await edit({ ttl: '1h', reason: 'it takes long' });
    expectAnswer(longer, 200, { ...now, metadata: { a: 1 } });
    const { expireTime, serverTime } = lockJson.parse(longer.json);
    expect(Date.parse(expireTime) - Date.parse(serverTime)).toBeGreaterThan(HOUR - 10_000);
    expect(Date.parse(expireTime) - Date.parse(serverTime)).toBeLessThanOrEqual(HOUR);
    expectAnswer(await edit({ metadata: { b: 2 } }), 200, { ...now, expireTime, metadata: { b: 2 } });
    const shorter = await edit({ metadata: null, ttl: 30_000 });
    expectAnswer(shorter, 200, { ...now, metadata: null });
    expect(Date.parse(lockJson.parse(shorter.json).expireTime)).toBeLessThan(Date.parse(expireTime));

    expect((await service.send('DELETE', leasePath(lockName, grantId))).status).toBe(204);
    const { items } = historyJson.parse((await history(lockName)).json);
    expect(items.filter(({ event }) => event === 'edited')).toMatchObject([
      { actor: 'olga', reason: null },
      { actor: 'olga', reason: null },
      { actor: 'olga', reason: 'it takes long' },
    ]);
  });

  it('edits no lease that is over', async () => {
    const [released, taken] = [uniqueName(), uniqueName()];
    const { grantId, fencingToken, lockTime } = await held(released);
    await service.send('DELETE', leasePath(released, grantId));
    const theirs = await held(taken, { workerName: 'ben' });
    const before = await service.rows();
    const edit = (lockName: string, json: object) => ask('PATCH', lockPath(lockName), { json });
    const ofAll = { serverTime: time, metadata: null, waiting: 0 };
    const over = { lockName: released, state: 'released', workerName: null, fencingToken, lockTime };
    expectProblem(await edit(released, { fencingToken, ttl: '1h' }), 409, 'LOCK_CHANGED', {
      lock: { ...over, expireTime: time, ...ofAll, mode: null, holderCount: 0 },
    });
    expectProblem(await edit(taken, { fencingToken: 7, metadata: {} }), 409, 'LOCK_CHANGED', {
      lock: {
        lockName: taken,
        state: 'held',
        workerName: 'ben',
        fencingToken: theirs.fencingToken,
        lockTime: theirs.lockTime,
        expireTime: theirs.expireTime,
        ...ofAll,
        mode: 'exclusive',
        holderCount: 1,
      },
    });
    expectProblem(await edit(uniqueName(), { fencingToken, ttl: '1h' }), 404, 'LOCK_NOT_FOUND');
    expect(await service.rows()).toEqual(before);
  });

  it.each<[string, object, string]>([
    ['no token', { ttl: 1000 }, 'fencingToken'],
    ['a token as text', { fencingToken: '7', ttl: 1000 }, 'fencingToken'],
    ['a TTL of 0', { fencingToken: 7, ttl: 0 }, 'ttl'],
    ['neither a TTL nor metadata', { fencingToken: 7, reason: 'why' }, 'ttl'],
    ['metadata that are text', { fencingToken: 7, metadata: 'a' }, 'metadata'],
    ['a workerName', { fencingToken: 7, ttl: 1000, workerName: 'ben' }, 'workerName'],
    ['an empty reason', { fencingToken: 7, ttl: 1000, reason: '' }, 'reason'],
    ['an actor', { fencingToken: 7, ttl: 1000, actor: 'ann' }, 'actor'],
  ])('edits nothing for %s', async (_what, json, field) => {
    const lockName = uniqueName();
    await held(lockName);
    const before = await service.rows();
    const answer = await ask('PATCH', lockPath(lockName), { json });
    expectProblem(answer, 400, 'INVALID_REQUEST', refusal(field));
    expect(await service.rows()).toEqual(before);
  });

  it('inspects several, and names those that there are not', async () => {
    const [live, free, unknown] = [uniqueName(), uniqueName(), uniqueName()];
    const { grantId } = await held(free);
    await service.send('DELETE', leasePath(free, grantId));
    const { grantId: key } = await held(live);
    const locks = [];
    for (const lockName of [live, free]) {
      locks.push({ ...withoutPeople(await lockNow(lockName)), serverTime: time });
    }
    const answer = await ask('POST', 'inspect', { json: { lockNames: [live, unknown, free] } });
    expectAnswer(answer, 200, { locks, unknown: [unknown], serverTime: time });
    expect(answer.text).not.toContain(key);
    expectAnswer(await ask('POST', 'inspect', { json: { lockNames: [unknown] } }), 200, {
      locks: [],
      unknown: [unknown],
      serverTime: time,
    });
  });

  it('removes what is free, and keeps the rest', async () => {
    const [free, live, expired, unknown] = [uniqueName(), uniqueName(), uniqueName(), uniqueName()];
    const { grantId } = await held(free);
    await service.send('DELETE', leasePath(free, grantId));
    await service.leaveIdle(free);
    await held(live);
    await service.leaveExpired(expired);
    const lockNames = [unknown, live, free, expired];
    expectAnswer(await ask('POST', 'delete-released', { json: { lockNames } }), 200, {
      deleted: [free],
      kept: [unknown, live, expired],
    });
    expectProblem(await ask('GET', lockPath(free)), 404, 'LOCK_NOT_FOUND');
    expect(await lockNow(live)).toMatchObject({ state: 'held' });
  });

  const tooMany = Array.from({ length: 201 }, (_, at) => `never ${at}`);
  const tooManyLocks = tooMany.map((lockName) => ({ lockName }));
  const one = [{ lockName: 'a' }];

  it.each<[string, string, object, string]>([
    ['force-release', 'no locks', { reason: 'stuck' }, 'locks'],
    ['force-release', 'an empty list', { reason: 'stuck', locks: [] }, 'locks'],
    ['force-release', '201 locks', { reason: 'stuck', locks: tooManyLocks }, 'locks'],
    ['force-release', 'no reason', { locks: one }, 'reason'],
    ['force-release', 'a bad name', { reason: 'stuck', locks: [{ lockName: '' }] }, 'locks.0.lockName'],
    ['force-release', 'an actor', { reason: 'stuck', locks: one, actor: 'ann' }, 'actor'],
    ['inspect', 'no names', {}, 'lockNames'],
    ['inspect', '201 names', { lockNames: tooMany }, 'lockNames'],
    ['inspect', 'a bad name', { lockNames: ['a', '..'] }, 'lockNames.1'],
    ['delete-released', 'no names', {}, 'lockNames'],
    ['delete-released', 'an empty list', { lockNames: [] }, 'lockNames'],
    ['delete-released', '201 names', { lockNames: tooMany }, 'lockNames'],
    ['delete-released', 'a bad name', { lockNames: ['a', '..'] }, 'lockNames.1'],
    ['delete-released', 'an actor', { lockNames: ['a'], actor: 'ann' }, 'actor'],
  ])('refuses a %s with %s', async (path, _what, json, field) => {
    const before = await service.rows();
    expectProblem(await ask('POST', path, { json }), 400, 'INVALID_REQUEST', refusal(field));
    expect(await service.rows()).toEqual(before);
  });

  it('groups, lists and counts, with who waits', async () => {
    const prefix = `${uniqueName()}:`;
    const waited = `${prefix}b:waited`;
    for (const lockName of [`${prefix}a:1`, `${prefix}a:2`, waited, `${prefix}c`]) await held(lockName);
    await service.leaveExpired(`${prefix}a:3`);
    await forceRelease(`${prefix}a:2`, { reason: 'stuck' });
    const waiting = service.send('POST', leasePath(waited), { json: { ttl: '60s', wait: '60s' } });
    await until('somebody waits', 10_000, async () => (await service.locks.inspect(waited))?.waiting === 1);

    const [a, b] = [
      { prefix: `${prefix}a:`, total: 3, held: 1, expired: 1, released: 1, waiting: 0 },
      { prefix: `${prefix}b:`, total: 1, held: 1, expired: 0, released: 0, waiting: 1 },
    ];
    const groups = (query: Message['query']) => ask('GET', 'groups', { query });
    expectAnswer(await groups({ prefix }), 200, { items: [a, b], truncated: false });
    expectAnswer(await groups({ prefix, state: 'contended' }), 200, { items: [b], truncated: false });
    expect((await groups({ search: prefix })).json).toMatchObject({ items: [{ prefix: 'job:', total: 5 }] });

    const names = async (query: Record<string, string>) => {
      const { items } = lockPageJson.parse((await ask('GET', 'locks', { query: { prefix, ...query } })).json);
      return items.map(({ lockName }) => lockName.slice(prefix.length));
    };
    expect(await names({})).toEqual(['a:1', 'a:2', 'a:3', 'b:waited', 'c']);
    expect(await names({ state: 'contended' })).toEqual(['b:waited']);
    expect(await names({ sort: 'waiting' })).toEqual(['a:1', 'a:2', 'a:3', 'c', 'b:waited']);
    expect(await names({ sort: 'waiting', order: 'desc', pageSize: '1' })).toEqual(['b:waited']);
    expect((await ask('GET', 'counts')).json).toMatchObject({ contended: 1, waiting: 1 });

    await forceRelease(waited, { reason: 'stuck' });
    expect((await waiting).status).toBe(201);
    expect((await ask('GET', 'counts')).json).toMatchObject({ contended: 0, waiting: 0 });
  });

  it('gives away all that match as CSV', async () => {
    const prefix = `${uniqueName()}:`;
    const one = await held(`${prefix}a`, { metadata: { a: 'b' } });
    const formula = await held(`${prefix}b`, { workerName: '=1+1' });
    const answer = await ask('GET', 'locks.csv', { query: { prefix } });
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': expect.stringMatching(/^text\/csv; ?charset=utf-8\b/),
      'content-disposition': 'attachment; filename="dblock-locks.csv"',
    });
    const cells = ({ lockName, fencingToken, lockTime, expireTime }: typeof one, worker: string) =>
      `"${lockName}","held","${worker}","${fencingToken}","${lockTime}","${expireTime}","0"`;
    const alone = '"exclusive","1",,';
    expect(answer.text.replace(/^\ufeff/, '').split('\r\n')).toEqual([
      '"lock_name","state","worker_name","fencing_token","lock_time","expire_time","waiting","metadata",' +
        '"mode","holders","permits","limits"',
      `${cells(one, 'ann')},"{""a"":""b""}",${alone}`,
      `${cells(formula, "'=1+1")},,${alone}`,
      '',
    ]);
  });

  it.each([
    ['locks.csv', 'state=free', 'state'],
    ['locks.csv', 'page=1', 'page'],
    ['groups', 'prefix=a&prefix=b', 'prefix'],
    ['groups', 'sort=lockName', 'sort'],
    ['overview', 'range=1y', 'range'],
    ['overview', 'step=1', 'step'],
  ])('refuses %s?%s', async (path, query, field) => {
    expectProblem(await ask('GET', path, { query }), 400, 'INVALID_REQUEST', refusal(field));
  });

  it.each([
    ['', 60_000, 60],
    ['range=1h', 60_000, 60],
    ['range=6h', 300_000, 72],
    ['range=24h', 900_000, 96],
    ['range=7d', 7_200_000, 84],
  ])('shows an overview?%s in steps of %i ms', async (query, step, count) => {
    const answer = await ask('GET', 'overview', { query });
    const overview = overviewJson.parse(answer.json);
    expectAnswer(answer, 200, overview);
    const { serverTime, history: isRecorded, series } = overview;
    expect([isRecorded, series.step, series.points.length]).toEqual([true, step, count]);
    const last = Math.floor(Date.parse(serverTime) / step) * step;
    const times = series.points.map((point) => Date.parse(point.time));
    expect(times).toEqual(times.map((_, index) => last - (count - 1 - index) * step));
  });

  it('streams what changes', async () => {
    const { status, headers, text: event } = await ask('GET', 'changes');
    expect([status, headers['content-type']]).toEqual([200, 'text/event-stream']);
    expect(headers['cache-control']).toContain('no-store');
    expect(event).toContain('event: hello\n');
    expect(event).toContain('data: {}\n');
  });

  it('lets pages of other sites do nothing', async () => {
    const routes = routesBelow(service.app, 'dblock/admin').filter(({ method }) => method !== 'GET');
    expect(routes.length).toBeGreaterThanOrEqual(7);
    const senders: Array<Record<string, string>> = [
      { 'sec-fetch-site': 'cross-site' },
      { origin: 'https://elsewhere.example' },
    ];
    const before = await service.rows();
    for (const sender of senders)
      for (const route of routes) {
        const path = `/${pathOf(route, { lockName: 'a' })}`;
        const headers = { ...withKey('admin'), ...sender };
        expectProblem(await service.send(route.method, path, { json: {}, headers }), 403, 'CROSS_SITE');
      }
    expect(await service.rows()).toEqual(before);
  });

  it('counts locks by state, and clears expired ones', async () => {
    const nobodyWaits = { contended: 0, waiting: 0 };
    await ask('POST', 'clear-expired');
    const { released } = (await ask('GET', 'counts')).json as { released: number };
    for (const lockName of [uniqueName(), uniqueName()]) await service.leaveExpired(lockName);
    const { held: live } = (await ask('GET', 'counts')).json as { held: number };
    await held(uniqueName());
    expectAnswer(await ask('GET', 'counts'), 200, { held: live + 1, expired: 2, released, ...nobodyWaits });
    expectAnswer(await ask('POST', 'clear-expired'), 200, { cleared: 2 });
    expectAnswer(await ask('GET', 'counts'), 200, {
      held: live + 1,
      expired: 0,
      released: released + 2,
      ...nobodyWaits,
    });
    expectAnswer(await ask('POST', 'clear-expired'), 200, { cleared: 0 });
  });

  it('lists and inspects as the lock API does', async () => {
    const lockName = uniqueName();
    await held(lockName);
    for (const path of [lockPath(lockName), `locks?search=${lockName}`, 'locks?page=0', lockPath('nobody')]) {
      const [theirs, ours] = [await ask('GET', path), await service.send('GET', path)];
      const { serverTime: _, ...rest } = ours.json as Record<string, unknown>;
      expect(theirs.status).toBe(ours.status);
      expect(theirs.json).toMatchObject('items' in rest ? { total: 1 } : rest);
    }
  });
});
