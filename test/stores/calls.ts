import fc from 'fast-check';
import { COUNTED, type HistoryEvent } from '../../libs/db-lock/src/store/history-store.js';
import { HOUR } from './requests.js';

/*
 * Calls of a store as plain data, which fast-check makes up and prints. What only a store can tell, a token for instance, is named by what
 * it is: each store gets its own.
 */

export const NAMES = ['a', 'b:1', 'b:2', 'B:É:1', 'B:é:2', 'b%:[x]', "it's"];

/** By their index. */
const grant = fc.nat({ max: 3 });
/** One of them more often: much happens to it. */
const lockName = fc.constantFrom(...NAMES, ...Array.from(NAMES, () => NAMES[0]!));
const lockNames = fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 });
const workerName = fc.constantFrom('ann', 'Bob', 'éve');
const server = fc.constantFrom(0, 1);
const ttl = fc.constantFrom(1, 300, 1_000, HOUR);
const metadata = fc.constantFrom(null, {}, { a: 1 }, { 'b c': ['é', null] });
const optional = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const some = <Value>(value: fc.Arbitrary<Value>) => fc.array(value, { minLength: 1, maxLength: 3 });

/** The token of the lock as it is, that of the oldest of those who have it, another one, or none. */
const token = fc.constantFrom('its', 'oldest', 'another', undefined);

/** Of one who tries, of one who waits and has no place yet, or of one who has. */
const ticket = fc.constantFrom('none', 'new', 'own', 'own');

const request = fc.record({ lockName, grant, workerName, ttl, metadata, ticket });

/** What one takes who shares a lock: at most the limit. */
const share = fc
  .record({ permits: fc.constantFrom(1, 1, 2, 3), spare: fc.constantFrom(null, null, 0, 1, 2, 4) })
  .map(({ permits, spare }) => ({ permits, limit: spare === null ? null : permits + spare }));

/** Of a lock that is asked for twice as often: it has several holders. */
const sharedName = fc.oneof(fc.constant(NAMES[0]!), lockName);

const sharedRequest = fc.record({ lockName: sharedName, grant, workerName, ttl, metadata, ticket, share });

const endOfLease = {
  minHold: optional(fc.constantFrom(0, 300, 1_000, HOUR)),
  version: fc.constantFrom(undefined, 'its', 'another'),
};

const filter = {
  search: fc.constantFrom(undefined, 'B', 'É', 'ann', 'OB', '%', '[', "'", ':'),
  state: fc.constantFrom(undefined, 'held', 'expired', 'released', 'contended'),
  prefix: fc.constantFrom(undefined, '', 'b', 'B:', 'b:', 'b%', 'B:É:'),
};

const EVENTS: HistoryEvent[] = ['acquired', 'renewed', 'released', 'lost', 'lost', 'expired'];

const entry = fc.record({
  lockName,
  event: fc.constantFrom(...EVENTS),
  workerName: fc.constantFrom(null, null, 'ann'),
  grant: fc.option(grant),
  fencingToken: fc.constantFrom(null, 5),
  details: metadata,
  age: fc.constantFrom(0, 0, 1_000, 120_000),
});

const slots = fc.array(fc.nat({ max: 3 }), { maxLength: 4 });

const tally = fc.record({
  counts: fc.record(
    Object.fromEntries(COUNTED.map((counted) => [counted, fc.nat({ max: 3 })])) as Record<
      (typeof COUNTED)[number],
      fc.Arbitrary<number>
    >,
  ),
  hold: slots,
  wait: slots,
  contended: some(fc.record({ lockName, refused: fc.nat({ max: 3 }), waited: fc.nat({ max: 3 }) })),
});

const call = <Name extends string, Values extends object>(
  name: Name,
  values: { [Key in keyof Values]: fc.Arbitrary<Values[Key]> },
) => fc.record({ call: fc.constant(name), ...values }) as fc.Arbitrary<{ call: Name } & Values>;

/** The more often, the more depends on it. */
export const calls = fc.oneof(
  { arbitrary: call('acquire', { requests: some(request) }), weight: 8 },
  {
    arbitrary: call('acquireSet', {
      lockNames,
      /** By the index of the name. */
      shares: fc.array(optional(share), { minLength: 4, maxLength: 4 }),
      request,
    }),
    weight: 4,
  },
  {
    arbitrary: call('share', { requests: fc.array(sharedRequest, { minLength: 1, maxLength: 6 }) }),
    weight: 12,
  },
  {
    arbitrary: call('renewShared', {
      requests: some(fc.record({ lockName: sharedName, grant, ttl, token })),
    }),
    weight: 3,
  },
  {
    arbitrary: call('releaseShared', {
      requests: some(fc.record({ lockName: sharedName, by: grant, ...endOfLease })),
    }),
    weight: 7,
  },
  {
    arbitrary: call('downgrade', { requests: some(fc.record({ lockName: sharedName, grant, share })) }),
    weight: 3,
  },
  {
    arbitrary: call('renew', { requests: some(fc.record({ lockName, grant, ttl, token })) }),
    weight: 2,
  },
  {
    arbitrary: call('release', {
      requests: some(
        fc.record({
          lockName,
          /** By its worker, or by its grant. */
          by: fc.oneof(workerName, grant),
          ...endOfLease,
        }),
      ),
    }),
    weight: 6,
  },
  {
    arbitrary: call('join', {
      server,
      waiters: some(fc.record({ lockName, grant, workerName, ticket, share: optional(share) })),
    }),
    weight: 5,
  },
  { arbitrary: call('leave', { places: some(fc.record({ lockName, grant })) }), weight: 1 },
  { arbitrary: call('stay', { server }), weight: 2 },
  {
    arbitrary: call('pass', { server, passes: some(fc.record({ grant, successor: request })) }),
    weight: 3,
  },
  { arbitrary: call('removeIdle', { retention: fc.constantFrom(60_000, HOUR) }), weight: 1 },
  { arbitrary: call('forceRelease', { requests: some(fc.record({ lockName, token })) }), weight: 2 },
  { arbitrary: call('hold', { request, reason: fc.constantFrom(null, 'r') }), weight: 2 },
  {
    arbitrary: call('edit', { lockName, token, ttl: optional(ttl), metadata: optional(metadata) }),
    weight: 3,
  },
  { arbitrary: call('deleteReleased', { lockNames: some(lockName) }), weight: 2 },
  { arbitrary: call('clearExpired', { actor: fc.constantFrom(undefined, 'ann') }), weight: 1 },
  {
    arbitrary: call('page', {
      sort: fc.constantFrom(
        'lockName',
        'workerName',
        'workerName',
        'lockTime',
        'expireTime',
        'fencingToken',
        'waiting',
      ),
      order: fc.constantFrom('asc', 'desc'),
      page: fc.constantFrom(1, 1, 2),
      pageSize: fc.constantFrom(2, 10),
      ...filter,
    }),
    weight: 4,
  },
  { arbitrary: call('listAll', { chunk: fc.constantFrom(1, 2, 10), ...filter }), weight: 1 },
  { arbitrary: call('groups', { limit: fc.constantFrom(1, 2, 10), ...filter }), weight: 2 },
  { arbitrary: call('record', { entries: some(entry) }), weight: 3 },
  { arbitrary: call('count', { tally }), weight: 1 },
  { arbitrary: call('changes', { limit: fc.constantFrom(4, 10) }), weight: 3 },
  {
    arbitrary: call('trim', {
      retention: fc.constantFrom(60_000, HOUR),
      maxRows: fc.constantFrom(2, 100),
    }),
    weight: 1,
  },
  {
    arbitrary: call('letPass', {
      milliseconds: fc.constantFrom(1, 299, 300, 300, 1_000, 5_000, 60_000, HOUR),
    }),
    weight: 6,
  },
);

export type Call = typeof calls extends fc.Arbitrary<infer One> ? One : never;
