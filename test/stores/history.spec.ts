import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import {
  noCounts,
  type Counts,
  type HistoryEntry,
  type Tally,
} from '../../libs/db-lock/src/store/history-store.js';
import { entry, fresh, HOUR, released } from './requests.js';
import { STORES, type OpenStore } from './stores.js';

const MINUTE = 60_000;

describe.each(STORES)('what happened to a lock on $name', ({ open }) => {
  let opened: OpenStore;
  let history: OpenStore['history'];

  beforeAll(async () => {
    opened = await open();
    ({ history } = opened);
  });

  afterAll(() => opened.drop());

  const of = (lockName: string) => history.of(lockName, { limit: 200 });
  const eventsOf = async (lockName: string) => (await of(lockName)).map(({ event }) => event);

  it('is told as it was recorded, with so much of the grantId as finds it', async () => {
    const name = fresh('told');
    const details = { "it's": ['ö', 1.5, null], waited: { a: true } };
    const recorded = entry(name, { details, workerName: 'Ünal\'s "w"', fencingToken: 2 ** 52 });
    await history.record([recorded, entry(`${name} `)]);
    expect(await of(name)).toEqual([
      {
        cursor: expect.any(String),
        lockName: name,
        event: 'acquired',
        workerName: recorded.workerName,
        grantId: `${recorded.grantId!.slice(0, 8)}…`,
        fencingToken: 2 ** 52,
        actor: null,
        reason: null,
        details,
        eventTime: expect.any(Date),
      },
    ]);
    expect(await of(fresh('never'))).toEqual([]);
  });

  it('is told by its age, or by its time where that is known', async () => {
    const name = fresh('time');
    const now = (await history.now()).getTime();
    await history.record([
      entry(name, { event: 'released', age: 10_000 }),
      entry(name, { event: 'renewed', age: 5, time: now - 30_000.25 }),
      entry(name, { event: 'acquired', age: 60_000 }),
    ]);
    const [first, second, third] = await of(name);
    expect([first!.event, second!.event, third!.event]).toEqual(['released', 'renewed', 'acquired']);
    expect(second!.eventTime).toEqual(new Date(now - 30_001));
    expect(first!.eventTime.getTime()).toBeGreaterThanOrEqual(now - 10_000);
    expect(third!.eventTime.getTime()).toBeGreaterThanOrEqual(now - 60_000);
    expect(third!.eventTime.getTime()).toBeLessThan(now - 30_001);
  });

  it('is told page by page, the newest first, also where times are equal', async () => {
    const name = fresh('paged');
    const time = (await history.now()).getTime() - MINUTE;
    const at = [0, 0, 0, -5, 0, 0, 7, 0].map((milliseconds, index) =>
      entry(name, { fencingToken: index, time: time + milliseconds }),
    );
    await history.record(at.slice(0, 3));
    await history.record(at.slice(3));
    const tokens: Array<number | null> = [];
    const pages: number[] = [];
    for (let before: string | undefined; ;) {
      const page = await history.of(name, { limit: 3, before });
      if (page.length === 0) break;
      pages.push(page.length);
      tokens.push(...page.map(({ fencingToken }) => fencingToken));
      before = page.at(-1)!.cursor;
    }
    expect(pages).toEqual([3, 3, 2]);
    expect(tokens).toEqual([6, 7, 5, 4, 2, 1, 0, 3]);
  });

  describe('without its worker', () => {
    it('is looked up in what is known of the grant', async () => {
      const name = fresh('known');
      const grantId = randomUUID();
      await history.record([
        entry(name, { grantId, workerName: 'ann', fencingToken: 7, age: 2_000 }),
        entry(name, { workerName: 'bob', age: 1_000 }),
        entry(`${name}!`, { grantId, workerName: 'eve', age: 500 }),
      ]);
      await history.record([
        entry(name, { event: 'released', grantId, workerName: null, fencingToken: null }),
      ]);
      const [record] = await of(name);
      expect(record).toMatchObject({ event: 'released', workerName: 'ann', fencingToken: 7 });
    });

    it('keeps the token that it has', async () => {
      const name = fresh('known');
      const grantId = randomUUID();
      await history.record([entry(name, { grantId, workerName: 'ann', fencingToken: 7, age: 2_000 })]);
      await history.record([entry(name, { event: 'renewed', grantId, workerName: null, fencingToken: 8 })]);
      expect((await of(name))[0]).toMatchObject({ workerName: 'ann', fencingToken: 8 });
    });

    it('is recorded where nothing is known', async () => {
      const name = fresh('unknown');
      const unknown = { workerName: null, fencingToken: null };
      await history.record([
        entry(name, { event: 'released', ...unknown, age: 1_000 }),
        entry(name, { event: 'expired', ...unknown, grantId: null }),
      ]);
      expect(await of(name)).toMatchObject([
        { event: 'expired', workerName: null, grantId: null, fencingToken: null },
        { event: 'released', workerName: null, fencingToken: null },
      ]);
    });
  });

  describe('when a lease was lost', () => {
    const lost = (name: string, options: Partial<HistoryEntry> = {}) =>
      entry(name, { event: 'lost', workerName: null, fencingToken: null, ...options });

    it('was no loss where there is no such lock', async () => {
      const name = fresh('lost');
      await history.record([lost(name), lost(name, { grantId: null })]);
      expect(await of(name)).toEqual([]);
    });

    it('was one where there is, though nothing is known of the grant', async () => {
      const { lockName } = await released(opened.store, fresh('lost'));
      await history.record([lost(lockName)]);
      expect(await eventsOf(lockName)).toEqual(['lost']);
    });

    it('was no loss to who had released it', async () => {
      const { lockName, grantId } = await released(opened.store, fresh('lost'));
      await history.record([entry(lockName, { grantId, age: 20 })]);
      await history.record([entry(lockName, { grantId, event: 'released', age: 10 })]);
      await history.record([lost(lockName, { grantId })]);
      expect(await eventsOf(lockName)).toEqual(['released', 'acquired']);
    });

    it('goes by what happened last, not by what was recorded last', async () => {
      const { lockName, grantId } = await released(opened.store, fresh('lost'));
      await history.record([entry(lockName, { grantId, event: 'released', age: 1_000 })]);
      await history.record([entry(lockName, { grantId, event: 'renewed', age: 60_000 })]);
      await history.record([lost(lockName, { grantId })]);
      expect(await eventsOf(lockName)).toEqual(['released', 'renewed']);
    });

    it('was one to who had it, though the lock is gone', async () => {
      const name = fresh('lost');
      const grantId = randomUUID();
      await history.record([entry(name, { grantId, workerName: 'ann', fencingToken: 3, age: 10 })]);
      await history.record([lost(name, { grantId })]);
      expect((await of(name))[0]).toMatchObject({ event: 'lost', workerName: 'ann', fencingToken: 3 });
    });

    it('is recorded of a worker that is known', async () => {
      const name = fresh('lost');
      await history.record([lost(name, { workerName: 'ann' })]);
      expect(await eventsOf(name)).toEqual(['lost']);
    });
  });

  it('is nothing where nothing is recorded', async () => {
    await history.record([]);
    expect(await of(fresh('nothing'))).toEqual([]);
  });
});

describe.each(STORES)('what was counted on $name', ({ open }) => {
  let opened: OpenStore;
  let history: OpenStore['history'];

  beforeEach(async () => {
    opened = await open();
    ({ history } = opened);
  });

  afterEach(() => opened.drop());

  const tally = (counts: Partial<Counts>, rest: Partial<Tally> = {}): Tally => ({
    counts: { ...noCounts(), ...counts },
    hold: [0],
    wait: [0],
    contended: [],
    ...rest,
  });

  /** A histogram may end in zeros. */
  const trimmed = (slots: readonly number[]) => slots.slice(0, slots.findLastIndex((slot) => slot > 0) + 1);

  const totals = (points: Counts[]) =>
    points.reduce((sum, point) => {
      for (const counted of Object.keys(sum) as Array<keyof Counts>) sum[counted] += point[counted];
      return sum;
    }, noCounts());

  it('is nothing at first', async () => {
    expect(await history.statistics(HOUR, MINUTE)).toEqual({
      serverTime: expect.any(Date),
      points: [],
      hold: [],
      wait: [],
      contended: [],
    });
  });

  it('adds up within a minute', async () => {
    await history.count(tally({ acquired: 1, lost: 2 }, { hold: [1, 2], wait: [0, 0, 3] }));
    await history.count(tally({ acquired: 10, forced: 5 }, { hold: [1, 1, 1, 1], wait: [4] }));
    const { points, hold, wait } = await history.statistics(HOUR, MINUTE);
    expect(totals(points)).toEqual({ ...noCounts(), acquired: 11, lost: 2, forced: 5 });
    for (const { time } of points) expect(time.getTime() % MINUTE).toBe(0);
    expect(trimmed(hold)).toEqual([2, 3, 1, 1]);
    expect(trimmed(wait)).toEqual([4, 0, 3]);
  });

  it('adds up across minutes, in steps', async () => {
    const each = tally(
      { acquired: 1, refused: 2, waited: 3, released: 4, lost: 5, expired: 6, forced: 7 },
      { hold: [1], wait: [0, 1], contended: [{ lockName: 'a', refused: 1, waited: 2 }] },
    );
    await history.count(each);
    await opened.letPass(5 * MINUTE);
    await history.count({ ...each, hold: [0, 0, 2] });
    const { points, hold, wait, contended } = await history.statistics(HOUR, MINUTE);
    expect(points).toHaveLength(2);
    expect(points[1]!.time.getTime() - points[0]!.time.getTime()).toBeGreaterThanOrEqual(5 * MINUTE);
    for (const { time: _, ...counts } of points) expect(counts).toEqual(each.counts);
    expect([trimmed(hold), trimmed(wait)]).toEqual([
      [1, 0, 2],
      [0, 2],
    ]);
    expect(contended).toEqual([{ lockName: 'a', refused: 2, waited: 4 }]);

    const day = await history.statistics(HOUR, 24 * HOUR);
    for (const { time } of day.points) expect(time.getTime() % (24 * HOUR)).toBe(0);
    expect(totals(day.points)).toEqual(totals(points));
  });

  it('ends with its range', async () => {
    await history.count(tally({ acquired: 1 }));
    await opened.letPass(10 * MINUTE);
    await history.count(tally({ acquired: 10 }));
    await opened.letPass(10 * MINUTE);
    const acquired = async (range: number) =>
      totals((await history.statistics(range, MINUTE)).points).acquired;
    expect(await acquired(5 * MINUTE)).toBe(0);
    expect(await acquired(15 * MINUTE)).toBe(10);
    expect(await acquired(HOUR)).toBe(11);
  });

  it('tells the most contended names', async () => {
    const names = ["it's", '__proto__', 'b', 'B', 'ö', '1', '2', '10', 'x'.repeat(255), '🔒', 'constructor'];
    const contended = names.map((lockName) => ({ lockName, refused: 1, waited: 1 }));
    await history.count(
      tally({}, { contended: [...contended, { lockName: 'most', refused: 0, waited: 9 }] }),
    );
    await history.count(tally({}, { contended: [{ lockName: 'ö', refused: 1, waited: 0 }] }));
    await opened.letPass(2 * MINUTE);
    await history.count(tally({}, { contended: [{ lockName: '__proto__', refused: 4, waited: 0 }] }));
    const { contended: told } = await history.statistics(HOUR, MINUTE);
    expect(told.map(({ lockName }) => lockName)).toEqual([
      'most',
      '__proto__',
      'ö',
      '1',
      '10',
      '2',
      'B',
      'b',
      'constructor',
      "it's",
    ]);
    expect(told.slice(0, 4)).toEqual([
      { lockName: 'most', refused: 0, waited: 9 },
      { lockName: '__proto__', refused: 5, waited: 1 },
      { lockName: 'ö', refused: 2, waited: 1 },
      { lockName: '1', refused: 1, waited: 1 },
    ]);
  });

  it('is trimmed by its age', async () => {
    await history.count(tally({ acquired: 1 }));
    await opened.letPass(HOUR);
    await history.count(tally({ acquired: 10 }));
    expect(await history.trim(HOUR / 2, 100)).toBe(0);
    expect(totals((await history.statistics(24 * HOUR, MINUTE)).points).acquired).toBe(10);
  });
});
