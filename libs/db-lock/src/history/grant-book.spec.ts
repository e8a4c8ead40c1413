import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { GrantBook } from './grant-book.js';

const lease = (grantId: string = randomUUID(), workerName = 'ann', fencingToken = 7) => ({
  grantId,
  workerName,
  fencingToken,
});

/** Counted up, as a caller may choose them. */
const numbered = (number: number) => `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;

describe('GrantBook', () => {
  it('knows whose lease was released, and since when it was held', () => {
    const book = new GrantBook(10);
    const [first, other] = [lease(), lease(randomUUID(), 'bob', 2 ** 53 - 1)];
    book.begin(first, 100.5);
    book.begin(other, 200);
    expect(book.release(other.grantId)).toEqual({
      workerName: 'bob',
      fencingToken: 2 ** 53 - 1,
      began: 200,
    });
    expect(book.release(first.grantId)).toEqual({ workerName: 'ann', fencingToken: 7, began: 100.5 });
  });

  it('tells a lease that was released from one that was lost, and from others', () => {
    const book = new GrantBook(10);
    const [released, lost, foreign] = [lease(), lease(), randomUUID()];
    book.begin(released, 0);
    book.begin(lost, 0);
    book.release(released.grantId);
    book.release(foreign);
    book.lose(lost.grantId);
    const ids = [released.grantId, foreign, lost.grantId, randomUUID()];
    expect(ids.map((id) => book.isReleased(id))).toEqual([true, true, false, false]);
    expect(book.lose(randomUUID())).toBeUndefined();
  });

  it('tells only once since when a lease was held', () => {
    const book = new GrantBook(10);
    const { grantId } = lease();
    book.begin(lease(grantId), 3);
    expect(book.lose(grantId)).toMatchObject({ workerName: 'ann', began: 3 });
    expect(book.lose(grantId)).toMatchObject({ workerName: 'ann', began: NaN });
    expect(book.release(grantId)).toMatchObject({ workerName: 'ann', began: NaN });
  });

  it('knows nothing of a lease that only its release told of', () => {
    const book = new GrantBook(10);
    const grantId = randomUUID();
    expect(book.release(grantId)).toBeUndefined();
    expect(book.release(grantId)).toEqual({ workerName: null, fencingToken: null, began: NaN });
  });

  it('begins anew with a grantId that is used again', () => {
    const book = new GrantBook(3);
    const { grantId } = lease();
    for (const round of [1, 2, 3, 4, 5]) {
      book.begin(lease(grantId, `worker-${round}`, round), round);
      book.begin(lease(), 0);
      expect(book.isReleased(grantId)).toBe(false);
      expect(book.release(grantId)).toEqual({
        workerName: `worker-${round}`,
        fencingToken: round,
        began: round,
      });
    }
  });

  it('notes a renewal where the last note is old enough, also of a lease that began elsewhere', () => {
    const book = new GrantBook(10);
    const [own, foreign] = [lease(), lease()];
    book.begin(own, 0);
    const noted = [50, 99, 100, 150, 200].map((at) => book.renew(own, at, 100));
    expect(noted).toEqual([false, false, true, false, true]);
    expect([0, 99, 100].map((at) => book.renew(foreign, at, 100))).toEqual([true, false, true]);
    expect(book.release(foreign.grantId)).toEqual({ workerName: 'ann', fencingToken: 7, began: NaN });
  });

  it.each([450, 500, 501, 555])(
    'remembers at least the last hundred of %d, and not all of them',
    (grants) => {
      const book = new GrantBook(100);
      for (let number = 0; number < grants; number++) {
        book.begin(lease(numbered(number)), number);
        book.release(numbered(number));
      }
      const known = Array.from({ length: grants }, (_, number) => book.isReleased(numbered(number)));
      expect(known.slice(-100)).not.toContain(false);
      expect(known.slice(0, -400)).not.toContain(true);
    },
  );

  it('remembers a live lease, however many others come and go', () => {
    const book = new GrantBook(100);
    const held = Array.from({ length: 100 }, (_, number) => lease(numbered(number)));
    for (const [number, one] of held.entries()) book.begin(one, number);
    for (let number = 1_000; number < 3_000; number++) {
      book.begin(lease(numbered(number)), number);
      book.release(numbered(number));
    }
    expect(book.renew(held[7]!, 500, 1_000)).toBe(false);
    expect(held.map(({ grantId }) => book.release(grantId)?.began)).toEqual(held.map((_, number) => number));
  });

  it.each(['release', 'lose'] as const)('remembers the end of a lease that began long ago (%s)', (end) => {
    for (let others = 0; others < 410; others += 3) {
      const book = new GrantBook(100);
      const { grantId } = lease();
      book.begin(lease(grantId), 1);
      for (let number = 0; number < others; number++) {
        book.begin(lease(numbered(number)), 0);
        book.release(numbered(number));
      }
      book[end](grantId);
      for (let number = 1_000; number < 1_099; number++) book.begin(lease(numbered(number)), 0);
      expect(book.isReleased(grantId)).toBe(end === 'release');
      expect(book.lose(grantId)).toMatchObject({ workerName: 'ann', began: NaN });
    }
  });

  it('knows the younger of two leases with one grantId', () => {
    const book = new GrantBook(10);
    const { grantId } = lease();
    for (let number = 0; number < 19; number++) book.begin(lease(numbered(number)), 0);
    book.begin(lease(grantId, 'first'), 1);
    book.begin(lease(grantId, 'second'), 2);
    for (let number = 20; number < 41; number++) book.begin(lease(numbered(number)), 0);
    expect(book.release(grantId)).toMatchObject({ workerName: 'second', began: 2 });
  });

  it('knows what a Map of the same grants knows, whatever part the UUIDs differ in', () => {
    const word = fc.integer({ min: 0, max: 3 });
    const uuid = fc
      .tuple(word, fc.integer({ min: 0, max: 300 }))
      .map(([place, number]) => BigInt(number) << BigInt(32 * place))
      .map((bits) => bits.toString(16).padStart(32, '0'))
      .map((hex) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'));
    fc.assert(
      fc.property(fc.array(uuid, { minLength: 150, maxLength: 200 }), (grantIds) => {
        const book = new GrantBook(200);
        const expected = new Map<string, number>();
        grantIds.forEach((grantId, at) => {
          book.begin(lease(grantId), at);
          expected.set(grantId, at);
        });
        for (const [grantId, began] of expected) expect(book.lose(grantId)).toMatchObject({ began });
      }),
    );
  });
});
