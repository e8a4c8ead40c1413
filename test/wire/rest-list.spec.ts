import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { LockService, type Answer, type Message } from '../support/lock-service.js';
import { PLATFORMS } from '../support/platforms.js';
import { time, lockPath, expectAnswer, expectProblem, refusal, withoutPeople } from './rest.js';

describe.each(PLATFORMS)('the list of locks on %s', (platform) => {
  let service: LockService;
  const grantIds = [randomUUID(), randomUUID()];

  beforeAll(async () => {
    service = await LockService.open({ platform });
    const { locks } = service;
    const ttl = 60_000;
    await locks.acquire({ lockName: 'alpha 100%', workerName: 'zoe', grantId: grantIds[0]!, ttl });
    await service.leaveExpired('Alpha_2', 'Yan');
    await locks.acquire({ lockName: 'beta', workerName: 'xu', grantId: randomUUID(), ttl: 2 * ttl });
    await locks.release({ lockName: 'beta', workerName: 'xu' });
    await locks.acquire({ lockName: 'gamma', workerName: 'wim', grantId: grantIds[1]!, ttl: 3 * ttl });
  });
  afterAll(() => service.close());

  const list = (query: Message['query']) => service.send('GET', 'locks', { query });
  const namesIn = (answer: Answer) =>
    (answer.json as { items: Array<{ lockName: string }> }).items.map(({ lockName }) => lockName);

  it('shows every lock as an inspection does, but for who holds it and who waits, by name in byte order', async () => {
    const answer = await list('');
    expect(namesIn(answer)).toEqual(['Alpha_2', 'alpha 100%', 'beta', 'gamma']);
    const items = [];
    for (const lockName of namesIn(answer)) {
      const { json } = await service.send('GET', lockPath(lockName));
      expect(json).toMatchObject({ queue: [] });
      items.push({ ...withoutPeople(json), serverTime: time });
    }
    expect(items).toEqual(items.map((lock) => ({ ...lock, waiting: 0 })));
    expectAnswer(answer, 200, { items, total: 4, serverTime: time });
    for (const grantId of grantIds) expect(answer.text).not.toContain(grantId);
  });

  it.each([
    ['ALPHA', ['Alpha_2', 'alpha 100%']],
    ['pha', ['Alpha_2', 'alpha 100%']],
    ['yan', ['Alpha_2']],
    ['xu', []],
    ['%', ['alpha 100%']],
    ['_', ['Alpha_2']],
    ['a_p', []],
    ['\\', []],
    ["' OR true --", []],
    ['nothing', []],
    ['', ['Alpha_2', 'alpha 100%', 'beta', 'gamma']],
    ['🔒'.repeat(255), []],
  ])('searches for %j in the names of locks and holders, whatever the case', async (search, found) => {
    const answer = await list({ search });
    expect(namesIn(answer)).toEqual(found);
    expect(answer.json).toMatchObject({ total: found.length });
  });

  it.each([
    ['held', ['alpha 100%', 'gamma']],
    ['expired', ['Alpha_2']],
    ['released', ['beta']],
  ])('shows what is %s', async (state, found) => {
    const answer = await list({ state });
    expect(namesIn(answer)).toEqual(found);
    expect(answer.json).toMatchObject({ total: found.length });
    expect(namesIn(await list({ state, search: 'a' }))).toEqual(found);
  });

  it.each([
    ['lockName', ['Alpha_2', 'alpha 100%', 'beta', 'gamma']],
    ['workerName', ['Alpha_2', 'gamma', 'alpha 100%', 'beta']],
    ['lockTime', ['alpha 100%', 'Alpha_2', 'beta', 'gamma']],
    ['expireTime', ['Alpha_2', 'beta', 'alpha 100%', 'gamma']],
    ['fencingToken', ['alpha 100%', 'Alpha_2', 'beta', 'gamma']],
  ])('sorts by %s, both ways', async (sort, sorted) => {
    expect(namesIn(await list({ sort }))).toEqual(sorted);
    expect(namesIn(await list({ sort, order: 'asc' }))).toEqual(sorted);
    // Who holds nothing comes last, whichever the order.
    const nobody = sort === 'workerName' ? ['beta'] : [];
    const backwards = sorted.filter((name) => !nobody.includes(name)).toReversed();
    expect(namesIn(await list({ sort, order: 'desc' }))).toEqual([...backwards, ...nobody]);
  });

  it.each([
    ['', ['Alpha_2', 'alpha 100%', 'beta', 'gamma']],
    ['alpha', ['alpha 100%']],
    ['alpha 100%', ['alpha 100%']],
    ['Alpha_', ['Alpha_2']],
    ['lpha', []],
    ['alpha_', []],
    ['%', []],
    ['gamma ', []],
  ])('shows what begins with %j, exactly', async (prefix, found) => {
    const answer = await list({ prefix });
    expect(namesIn(answer)).toEqual(found);
    expect(answer.json).toMatchObject({ total: found.length });
    expect(namesIn(await list({ prefix, search: 'GA' }))).toEqual(
      found.filter((name) => name.includes('ga')),
    );
  });

  it('shows page by page, and the total on each', async () => {
    for (const [page, found] of [
      ['1', ['Alpha_2', 'alpha 100%', 'beta']],
      ['2', ['gamma']],
      ['3', []],
      ['1000000', []],
    ] as const) {
      const answer = await list({ page, pageSize: '3' });
      expect(namesIn(answer)).toEqual(found);
      expect(answer.json).toMatchObject({ total: 4 });
    }
  });

  it.each([
    ['page=0', 'page'],
    ['page=-1', 'page'],
    ['page=1.5', 'page'],
    ['page=two', 'page'],
    ['page=', 'page'],
    ['page=1000001', 'page'],
    ['page=1&page=2', 'page'],
    ['pageSize=0', 'pageSize'],
    ['pageSize=201', 'pageSize'],
    ['state=free', 'state'],
    ['state=', 'state'],
    ['sort=grantId', 'sort'],
    ['sort=token;drop', 'sort'],
    ['order=up', 'order'],
    ['order=ASC', 'order'],
    [`search=${'x'.repeat(256)}`, 'search'],
    ['search=a%00b', 'search'],
    ['search=a&search=b', 'search'],
    [`prefix=${'x'.repeat(256)}`, 'prefix'],
    ['prefix=a%00b', 'prefix'],
    ['prefix=a&prefix=b', 'prefix'],
    ['filter=a', 'filter'],
  ])('refuses %s', async (query, field) => {
    expectProblem(await list(query), 400, 'INVALID_REQUEST', refusal(field));
  });
});
