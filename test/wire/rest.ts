import { expect } from '@jest/globals';
import type { z } from 'zod';
import { leaseJson, type holdingJson } from '../../libs/db-lock/src/server/schemas.js';
import type { LockService } from '../support/lock-service.js';
import { type Answer, type Message } from '../support/lock-service.js';

export const DAY = 24 * 60 * 60 * 1000;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
export const time = expect.stringMatching(TIME);

export const lockPath = (lockName: string) => `locks/${encodeURIComponent(lockName)}`;
export const leasePath = (lockName: string, grantId?: string) =>
  `${lockPath(lockName)}/lease${grantId === undefined ? '' : `/${grantId}`}`;

/** Who has a lock alone, as all see it. */
export const aloneBy = ({
  workerName,
  fencingToken,
  lockTime,
  expireTime,
  metadata,
}: Omit<z.output<typeof holdingJson>, 'permits' | 'limit'>) => ({
  mode: 'exclusive',
  holderCount: 1,
  holders: [{ workerName, fencingToken, lockTime, expireTime, metadata }],
});

/** That nobody has a lock, as all see it. */
export const NOBODYS = { mode: null, holderCount: 0, holders: [] };

/** What an inspection tells more than a list. */
export function withoutPeople(inspected: unknown): object {
  const { queue: _queue, holders: _holders, ...lock } = inspected as { queue: unknown; holders: unknown };
  return lock;
}

export const duration = ({ lockTime, expireTime }: { lockTime: string; expireTime: string }) =>
  Date.parse(expireTime) - Date.parse(lockTime);

export function expectAnswer(answer: Answer, status: number, body: unknown): void {
  expect(answer.json).toEqual(body);
  expect(answer.status).toBe(status);
  expect(answer.headers['cache-control']).toBe('no-store');
  if (answer.text !== '') expect(answer.headers['content-type']).toMatch(/^application\/json\b/);
}

/** RFC 9457, with our code. */
export function expectProblem(answer: Answer, status: number, code: string, members: object = {}): void {
  expect(answer.json).toEqual({
    type: 'about:blank',
    title: expect.any(String),
    status,
    detail: expect.any(String),
    code,
    ...members,
  });
  expect(answer.status).toBe(status);
  expect(answer.headers).toMatchObject({
    'cache-control': 'no-store',
    'content-type': expect.stringMatching(/^application\/problem\+json\b/),
  });
}

export const expectLost = (answer: Answer) => expectProblem(answer, 410, 'LEASE_LOST');

export const refusal = (...fields: string[]) => ({
  issues: fields.map((field) => ({ field, rule: expect.stringMatching(/^(must|is) /) })),
});

/** The rule of durations between two bounds, in whole milliseconds. */
export const durationRule = (min: number, max: number) =>
  `must be whole milliseconds from ${min} to ${max}, or a duration such as '30s' (units: ms, s, m, h, d)`;

export const HOUR = 60 * 60 * 1000;

/** The routes of one lock. */
export function lockApi(service: () => LockService) {
  const acquire = (lockName: string, body: object = {}) =>
    service().send('POST', leasePath(lockName), { json: { workerName: 'ann', ttl: '60s', ...body } });
  const renew = (lockName: string, grantId: string, body: object = { ttl: '60s' }) =>
    service().send('PATCH', leasePath(lockName, grantId), { json: body });
  const release = (lockName: string, grantId: string, query?: Message['query']) =>
    service().send('DELETE', leasePath(lockName, grantId), { query });
  const inspect = (lockName: string) => service().send('GET', lockPath(lockName));
  const held = async (lockName: string, body?: object) =>
    leaseJson.parse((await acquire(lockName, body)).json);
  return { acquire, renew, release, inspect, held };
}
