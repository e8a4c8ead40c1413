import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SHARED_GRANT, type SharedRequest } from '../lease/requests.js';
import type { AcquireAnswer, HolderRecord, LeaseRecord } from './lock-store.js';
import {
  decideShared,
  fits,
  sharedAnswers,
  sharingOf,
  type FirstWaiter,
  type SharedDecision,
  type SharedState,
} from './sharing.js';

const RUNS = { numRuns: 500 };

const NOW = new Date(0);

const holderRecord = (workerName: string, grantId = SHARED_GRANT): HolderRecord => ({
  lockName: 'a',
  workerName,
  grantId,
  lockTime: NOW,
  expireTime: NOW,
  timeLeft: 1,
});

const leaseOf = (grantId: string, fencingToken: number): LeaseRecord => ({
  lockName: 'a',
  workerName: `of ${grantId}`,
  grantId,
  fencingToken,
  lockTime: NOW,
  expireTime: NOW,
  metadata: null,
  serverTime: NOW,
  timeLeft: 1,
  share: { permits: 1, limit: null },
});

const request = (grantId: string, options: Partial<SharedRequest> = {}): SharedRequest => ({
  lockName: 'a',
  workerName: 'ann',
  grantId,
  ttl: 1,
  metadata: null,
  share: { permits: 1, limit: null },
  ...options,
});

const first = (ticket: number, share: FirstWaiter['share'] = null): FirstWaiter => ({
  server: 'another',
  grantId: 'first',
  ticket,
  share,
  record: holderRecord('first', 'first'),
});

/** A lock that nobody has but those who share it. */
const state = (options: Partial<SharedState> = {}): SharedState => ({
  permits: 0,
  own: new Map(),
  ...(options.permits ? { sharer: holderRecord('sharer') } : {}),
  ...options,
});

const decideIn = (lock: SharedState, requests: readonly SharedRequest[]) =>
  decideShared(requests, new Map([['a', lock]]));

const outcomesIn = (lock: SharedState, requests: readonly SharedRequest[]) =>
  decideIn(lock, requests).decisions.map(({ outcome }) => outcome);

/** Permits, and a limit that is not below them. */
const shares = fc
  .record({ permits: fc.integer({ min: 1, max: 5 }), spare: fc.option(fc.nat({ max: 8 })) })
  .map(({ permits, spare }) => ({ permits, limit: spare === null ? null : permits + spare }));

const grantIds = fc.constantFrom('g1', 'g2', 'g3', 'g4', 'g5', 'g6', 'g7', 'g8');

const tickets = fc.oneof(
  { arbitrary: fc.constant(undefined), weight: 3 },
  { arbitrary: fc.constant(null), weight: 1 },
  { arbitrary: fc.integer({ min: 1, max: 20 }), weight: 6 },
);

const requests = fc
  .array(fc.record({ grantId: grantIds, ticket: tickets, share: shares }), { minLength: 1, maxLength: 12 })
  .map((all) => all.map(({ grantId, ...rest }) => request(grantId, rest)));

const states = fc
  .record({
    isTaken: fc.oneof({ arbitrary: fc.constant(false), weight: 6 }, fc.constant(true)),
    permits: fc.nat({ max: 9 }),
    own: fc.uniqueArray(grantIds, { maxLength: 2 }),
    first: fc.option(fc.record({ ticket: fc.integer({ min: 1, max: 22 }), share: fc.option(shares) })),
  })
  .map(({ isTaken, permits, own, first: waiter }) =>
    state({
      ...(isTaken ? { holder: holderRecord('owner', 'owner') } : { permits }),
      own: new Map(isTaken ? [] : own.map((grantId, index) => [grantId, leaseOf(grantId, index)])),
      first: waiter ? first(waiter.ticket, waiter.share) : undefined,
    }),
  );

/** A request's place in the queue: who has none yet stands behind all who have; who only tries, behind all who wait. */
const placeOf = ({ ticket }: SharedRequest): readonly [number, number] =>
  ticket === undefined ? [2, 0] : ticket === null ? [1, 0] : [0, ticket];

const isBehind = ([one, ticket]: readonly [number, number], [other, than]: readonly [number, number]) =>
  one > other || (one === other && ticket > than);

interface Turn {
  request: SharedRequest;
  decision: SharedDecision;
  /** The permits that are taken when it is decided. */
  taken: number;
}

/** The decisions in the order of the queue, and what is taken at each. */
function turnsOf(lock: SharedState, batch: readonly SharedRequest[]): Turn[] {
  const { decisions } = decideIn(lock, batch);
  let taken = lock.permits;
  return batch
    .map((each, index) => ({ request: each, decision: decisions[index]! }))
    .toSorted((one, other) => {
      const [here, there] = [placeOf(one.request), placeOf(other.request)];
      return isBehind(here, there) ? 1 : isBehind(there, here) ? -1 : 0;
    })
    .map(({ request: each, decision }) => {
      const turn = { request: each, decision, taken };
      if (decision.outcome === 'granted') taken += each.share.permits;
      return turn;
    });
}

const given = (work: (lock: SharedState, batch: SharedRequest[]) => void) =>
  fc.assert(fc.property(states, requests, work), RUNS);

const isRefused = ({ decision }: Turn) => decision.outcome === 'busy';
const isGranted = ({ decision }: Turn) => decision.outcome === 'granted';
const waits = ({ request: { ticket } }: Turn) => ticket !== undefined;

describe('who shares a lock', () => {
  it('is never granted more permits than fit, by its own limit, beside those before it', () => {
    given((lock, batch) => {
      for (const turn of turnsOf(lock, batch).filter(isGranted)) {
        const { permits, limit } = turn.request.share;
        expect(turn.taken + permits).toBeLessThanOrEqual(limit ?? Infinity);
      }
    });
  });

  it('passes no one who waits', () => {
    given((lock, batch) => {
      const turns = turnsOf(lock, batch);
      const refused = turns.findIndex((turn) => waits(turn) && isRefused(turn));
      if (refused >= 0) expect(turns.slice(refused).filter(isGranted)).toEqual([]);
      const ahead = lock.first;
      if (ahead)
        expect(
          turns.filter((turn) => isGranted(turn) && isBehind(placeOf(turn.request), [0, ahead.ticket])),
        ).toEqual([]);
    });
  });

  it('is refused for a reason only', () => {
    given((lock, batch) => {
      const turns = turnsOf(lock, batch);
      for (const [index, turn] of turns.entries()) {
        if (!isRefused(turn)) continue;
        const reasons = [
          lock.holder !== undefined,
          lock.first && isBehind(placeOf(turn.request), [0, lock.first.ticket]),
          !fits(turn.request.share, turn.taken),
          turns.slice(0, index).some((before) => waits(before) && isRefused(before)),
        ];
        expect(reasons).toContain(true);
      }
    });
  });

  it('gets nothing while somebody has the lock alone', () => {
    given((lock, batch) => {
      const taken = { ...lock, permits: 0, own: new Map(), holder: holderRecord('owner', 'owner') };
      const { decisions, next } = decideIn(taken, batch);
      for (const decision of decisions)
        expect(decision).toEqual(
          decision.outcome === 'twin' ? decision : { outcome: 'busy', holder: taken.holder },
        );
      expect(next).toEqual(new Map());
    });
  });

  it('harms nobody by a try that is refused', () => {
    given((lock, batch) => {
      const before = decideIn(lock, batch);
      const vain = before.decisions.findIndex(
        ({ outcome }, index) =>
          outcome === 'busy' &&
          batch[index]!.ticket === undefined &&
          batch.every(({ grantId }, other) => other === index || grantId !== batch[index]!.grantId),
      );
      fc.pre(vain >= 0 && batch.length > 1);
      const after = decideIn(lock, batch.toSpliced(vain, 1));
      expect(after.decisions.map(({ outcome }) => outcome)).toEqual(
        before.decisions.toSpliced(vain, 1).map(({ outcome }) => outcome),
      );
      expect(after.next).toEqual(before.next);
    });
  });

  it('has the same answer wherever in the batch it stands, if it waits', () => {
    const waiting = fc
      .uniqueArray(fc.record({ ticket: fc.integer({ min: 1, max: 20 }), share: shares }), {
        minLength: 1,
        maxLength: 8,
        selector: ({ ticket }) => ticket,
      })
      .map((all) => all.map((each) => request(`of ticket ${each.ticket}`, each)));
    fc.assert(
      fc.property(states, waiting, (lock, batch) => {
        const sorted = batch.toSorted((one, other) => one.ticket! - other.ticket!);
        const inOrder = outcomesIn(lock, sorted);
        expect(outcomesIn(lock, batch)).toEqual(batch.map((each) => inOrder[sorted.indexOf(each)]));
      }),
      RUNS,
    );
  });

  it('takes no second permit for a lease that it has, or asks for twice', () => {
    given((lock, batch) => {
      const { decisions } = decideIn(lock, batch);
      for (const grantId of new Set(batch.map((each) => each.grantId))) {
        const its = batch.flatMap((each, index) => (each.grantId === grantId ? [index] : []));
        const decided = its.filter((index) => decisions[index]!.outcome !== 'twin');
        expect(decided).toHaveLength(1);
        const own = lock.own.get(grantId);
        if (own) expect(decisions[decided[0]!]).toEqual({ outcome: 'repeated', lease: own });
        for (const index of its)
          if (index !== decided[0]) expect(decisions[index]).toEqual({ outcome: 'twin', of: decided[0] });
      }
    });
  });

  it('tells of the first who waits elsewhere, where that one fits beside all who have it then', () => {
    given((lock, batch) => {
      const turns = turnsOf(lock, batch);
      const last = turns.at(-1)!;
      const taken = last.taken + (isGranted(last) ? last.request.share.permits : 0);
      const isStopped = turns.some(
        (turn) =>
          waits(turn) && isRefused(turn) && !isBehind(placeOf(turn.request), [0, lock.first?.ticket ?? 0]),
      );
      const share = lock.first?.share;
      const isNext = share && !lock.holder && taken > 0 && !isStopped && fits(share, taken);
      expect(decideIn(lock, batch).next).toEqual(
        new Map(isNext ? [['a', { server: 'another', grantId: 'first' }]] : []),
      );
    });
  });

  it('is decided by itself for each lock of a batch', () => {
    fc.assert(
      fc.property(
        states,
        requests,
        states,
        requests,
        fc.infiniteStream(fc.boolean()),
        (a, ofA, b, ofB, coin) => {
          const mixed: SharedRequest[] = [];
          const rest = [
            ofA.toReversed(),
            ofB.map((each) => ({ ...each, lockName: 'b' })).toReversed(),
          ] as const;
          while (rest[0].length + rest[1].length > 0) {
            const one = rest[coin.next().value ? 0 : 1].pop();
            if (one) mixed.push(one);
          }
          const together = decideShared(
            mixed,
            new Map([
              ['a', a],
              ['b', b],
            ]),
          );
          const outcomesOf = (lockName: string) =>
            together.decisions
              .filter((_, index) => mixed[index]!.lockName === lockName)
              .map(({ outcome }) => outcome);
          expect(outcomesOf('a')).toEqual(outcomesIn(a, ofA));
          expect(outcomesOf('b')).toEqual(outcomesIn(b, ofB));
        },
      ),
      RUNS,
    );
  });

  it('is granted a run of readers together, and stops at the first who does not fit', () => {
    const two = { permits: 2, limit: 5 };
    const batch = [
      request('late', { ticket: 4, share: { permits: 1, limit: 5 } }),
      request('one', { ticket: 1, share: two }),
      request('three', { ticket: 3, share: two }),
      request('two', { ticket: 2, share: two }),
      request('try', { share: { permits: 1, limit: 5 } }),
    ];
    expect(outcomesIn(state(), batch)).toEqual(['busy', 'granted', 'busy', 'granted', 'busy']);
  });

  it('may try behind a try that was refused', () => {
    const batch = [
      request('large', { share: { permits: 3, limit: 3 } }),
      request('small', { share: { permits: 1, limit: 3 } }),
    ];
    expect(outcomesIn(state({ permits: 1 }), batch)).toEqual(['busy', 'granted']);
  });
});

describe('the answers to those who share a lock', () => {
  const answersTo = (
    lock: SharedState,
    batch: readonly SharedRequest[],
    expired: ReadonlyMap<string, LeaseRecord[]> = new Map(),
  ): AcquireAnswer[] => {
    const decided = decideIn(lock, batch);
    return sharedAnswers(batch, decided, {
      leaseOf: (index) => leaseOf(batch[index]!.grantId, 100 + index),
      expired,
    });
  };

  it('name the newest who was granted the lock where only those keep it from others', () => {
    const share = { permits: 1, limit: 2 };
    const batch = [request('one', { share }), request('two', { share }), request('three', { share })];
    expect(answersTo(state(), batch).at(-1)).toEqual({
      outcome: 'busy',
      holder: { ...holderRecord('of two'), serverTime: NOW },
    });
  });

  it('name who had it before where there is one', () => {
    const batch = [request('one', { share: { permits: 2, limit: 2 } })];
    expect(answersTo(state({ permits: 1 }), batch)).toEqual([
      { outcome: 'busy', holder: holderRecord('sharer') },
    ]);
  });

  it('name the waiter that a free lock is kept for, or who has it while it is shared', () => {
    const waiter = first(1);
    const [free] = answersTo(state({ first: waiter }), [request('one')]);
    expect(free).toEqual({ outcome: 'busy', holder: waiter.record });
    const [shared] = answersTo(state({ permits: 1, first: waiter }), [request('one')]);
    expect(shared).toEqual({ outcome: 'busy', holder: holderRecord('sharer') });
  });

  it('give a twin the same lease, also where it stands before the one that was decided', () => {
    const batch = [request('one'), request('one', { ticket: 7 }), request('one', { ticket: 8 })];
    const answers = answersTo(state(), batch);
    const lease = leaseOf('one', 101);
    expect(answers[1]).toMatchObject({ outcome: 'granted', lease, repeated: false });
    for (const index of [0, 2]) expect(answers[index]).toEqual({ outcome: 'granted', lease, repeated: true });
  });

  it('refuse a twin as they refuse the first', () => {
    const share = { permits: 2, limit: 2 };
    const answers = answersTo(state({ permits: 1 }), [request('one', { share }), request('one', { share })]);
    expect(answers).toEqual([1, 2].map(() => ({ outcome: 'busy', holder: holderRecord('sharer') })));
  });

  it('tell each expired lease once', () => {
    const dead = leaseOf('dead', 1);
    const answers = answersTo(state(), [request('one'), request('two')], new Map([['a', [dead]]]));
    expect(answers).toMatchObject([{ alsoExpired: [dead] }, { alsoExpired: undefined }]);
  });
});

describe('what live leases take together', () => {
  it('is the sum of their permits, and each limit once, the lowest first', () => {
    const taken = [
      { permits: 2, limit: 10 },
      { permits: 3, limit: null },
      { permits: 1, limit: 9 },
      { permits: 1, limit: 10 },
    ];
    expect(sharingOf(taken)).toEqual({ holders: 4, permits: 7, limits: [9, 10] });
  });
});
