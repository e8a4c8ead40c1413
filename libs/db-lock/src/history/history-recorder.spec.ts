import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { HistoryEntry, HistoryStore, Tally } from '../store/history-store.js';
import type { LeaseRecord } from '../store/lock-store.js';
import { percentilesOf } from './histogram.js';
import { monotonicNow } from '../lease/clock.js';
import { StoreClock } from '../lease/store-clock.js';
import { HistoryRecorder } from './history-recorder.js';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

class PatientStore implements Pick<HistoryStore, 'record' | 'count' | 'trim'> {
  readonly batches: Array<readonly HistoryEntry[]> = [];
  readonly tallies: Tally[] = [];
  readonly trims: Array<[number, number]> = [];
  failure?: Error;

  async record(entries: readonly HistoryEntry[]): Promise<void> {
    if (this.failure) throw this.failure;
    this.batches.push(entries);
  }

  async count(tally: Tally): Promise<void> {
    if (this.failure) throw this.failure;
    this.tallies.push(tally);
  }

  async trim(retention: number, maxRows: number): Promise<number> {
    this.trims.push([retention, maxRows]);
    return 0;
  }
}

const lease = (lockName = 'job'): LeaseRecord => {
  const now = new Date();
  const common = { workerName: 'ann', grantId: randomUUID(), fencingToken: 7, metadata: null, timeLeft: 0 };
  return { lockName, ...common, lockTime: now, expireTime: now, serverTime: now };
};

describe('HistoryRecorder', () => {
  let store: PatientStore;
  let recorder: HistoryRecorder;

  beforeEach(() => {
    jest.useFakeTimers();
    Logger.overrideLogger(false);
    store = new PatientStore();
    const settings = { retention: 7 * DAY, maxRows: 5_000, renewals: MINUTE };
    const clock = new StoreClock();
    clock.observe(new Date(), monotonicNow(), monotonicNow());
    recorder = new HistoryRecorder(store as unknown as HistoryStore, settings, clock);
  });

  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  const wait = (milliseconds: number) => jest.advanceTimersByTimeAsync(milliseconds);
  const events = () => store.batches.flat().map(({ event }) => event);

  it('writes what has happened in one batch a second, with its age and time', async () => {
    const first = lease();
    recorder.acquired(first, 0);
    await wait(400);
    recorder.released(first);
    await wait(599);
    expect(store.batches).toEqual([]);
    await wait(1);
    expect(store.batches).toHaveLength(1);
    expect(store.batches[0]).toEqual([
      {
        event: 'acquired',
        lockName: 'job',
        workerName: 'ann',
        grantId: first.grantId,
        fencingToken: 7,
        details: null,
        age: 1_000,
        time: first.serverTime.getTime(),
      },
      expect.objectContaining({
        event: 'released',
        workerName: 'ann',
        fencingToken: 7,
        age: 600,
        time: first.serverTime.getTime() + 400,
      }),
    ]);
    await wait(10 * MINUTE);
    expect(store.batches).toHaveLength(1);
  });

  it('counts every ten seconds, by itself', async () => {
    const first = lease();
    recorder.acquired(first, 250);
    await wait(2_000);
    recorder.released(first);
    recorder.refused({ lockName: 'job' });
    await wait(7_999);
    expect(store.tallies).toEqual([]);
    await wait(1);
    expect(store.tallies).toHaveLength(1);
    const [tally] = store.tallies;
    expect(tally).toMatchObject({
      counts: { acquired: 1, released: 1, refused: 1 },
      contended: [{ lockName: 'job', refused: 1, waited: 0 }],
    });
    expect(percentilesOf(tally!.hold).p50).toBeGreaterThan(1_600);
    expect(percentilesOf(tally!.hold).p50).toBeLessThan(2_400);
    expect(percentilesOf(tally!.wait).count).toBe(1);
  });

  it('records renewals of one lease no more often than is set, each lease by itself', async () => {
    const [first, other] = [lease('first'), lease('other')];
    recorder.acquired(first, 0);
    for (let second = 0; second < 150; second += 10) {
      await wait(10_000);
      recorder.renewed(first);
      if (second === 60) recorder.renewed(other);
    }
    await wait(1_000);
    const renewals = store.batches.flat().filter(({ event }) => event === 'renewed');
    expect(renewals.map(({ lockName }) => lockName)).toEqual(['first', 'other', 'first']);
  });

  it('records a thousand events a second and counts the others, with room for what tells of trouble', async () => {
    for (let count = 0; count < 5_000; count++) recorder.waiting(lease(`job:${count}`), lease());
    recorder.acquired(lease(), 0);
    for (let count = 0; count < 1_500; count++) recorder.lost('trouble', randomUUID());
    recorder.expired(lease());
    await wait(1_000);
    const recorded = events();
    expect(recorded.filter((event) => event === 'waited')).toHaveLength(1_000);
    expect(recorded.filter((event) => event === 'lost')).toHaveLength(1_000);
    expect(recorded).toHaveLength(2_000);
    await wait(9_000);
    expect(store.tallies).toMatchObject([
      { counts: { acquired: 1, lost: 1_500, waited: 5_000, expired: 1 } },
    ]);
    recorder.released(lease());
    await wait(1_000);
    expect(events().at(-1)).toBe('released');
  });

  it('has one batch under way, however long that takes, and keeps no more than the next meanwhile', async () => {
    let answer = () => {};
    jest.spyOn(store, 'record').mockImplementationOnce(async (entries) => {
      store.batches.push(entries);
      await new Promise<void>((resolve) => (answer = resolve));
    });
    for (let second = 0; second < 20; second++) {
      for (let count = 0; count < 400; count++) recorder.acquired(lease(), 0);
      await wait(1_000);
    }
    expect(store.batches.map(({ length }) => length)).toEqual([400]);
    answer();
    await wait(1_000);
    expect(store.batches.map(({ length }) => length)).toEqual([400, 1_000]);
    expect(store.tallies).toMatchObject([{ counts: { acquired: 8_000 } }]);
  });

  it('remembers thousands of leases, and knows less of those that began before forty thousand others', async () => {
    const [oldest, next] = [lease('oldest'), lease('next')];
    recorder.acquired(oldest, 0);
    for (let count = 0; count < 20_000; count++) recorder.acquired(lease(), 0);
    recorder.acquired(next, 0);
    for (let count = 0; count < 19_999; count++) recorder.acquired(lease(), 0);
    await wait(1_000);
    recorder.released(oldest);
    recorder.released(next);
    await wait(1_000);
    expect(store.batches[1]).toMatchObject([
      {
        event: 'released',
        lockName: 'oldest',
        workerName: null,
        fencingToken: null,
        grantId: oldest.grantId,
      },
      { event: 'released', lockName: 'next', workerName: 'ann', fencingToken: 7 },
    ]);
  });

  it('trims once a minute, as long as something happens', async () => {
    for (let second = 0; second <= 150; second += 10) {
      recorder.released(lease());
      await wait(10_000);
    }
    expect(store.trims).toEqual([
      [7 * DAY, 5_000],
      [7 * DAY, 5_000],
    ]);
    await wait(10 * MINUTE);
    expect(store.trims).toHaveLength(2);
  });

  it('goes on after a failure, and warns once a minute', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    store.failure = new Error('no such table');
    for (let second = 0; second < 90; second++) {
      recorder.released(lease());
      await wait(1_000);
    }
    expect(warn.mock.calls).toEqual([
      [expect.stringContaining('no such table')],
      [expect.stringContaining('no such table')],
    ]);
    store.failure = undefined;
    recorder.released(lease('afterwards'));
    await wait(1_000);
    expect(store.batches.at(-1)).toMatchObject([{ lockName: 'afterwards' }]);
  });

  it('does not hold up the end of the application when the database is late', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    jest.spyOn(store, 'record').mockImplementation(() => new Promise(() => {}));
    recorder.acquired(lease(), 0);
    let closed = false;
    void recorder.close().then(() => (closed = true));
    await wait(4_999);
    expect(closed).toBe(false);
    await wait(1);
    expect(closed).toBe(true);
    expect(warn.mock.calls).toEqual([[expect.stringContaining('is not written')]]);
  });

  it('writes what is left when it is closed, and nothing afterwards', async () => {
    recorder.acquired(lease(), 0);
    await recorder.close();
    expect(events()).toEqual(['acquired']);
    expect(store.tallies).toHaveLength(1);
    recorder.released(lease());
    await wait(10 * MINUTE);
    expect(events()).toEqual(['acquired']);
    expect(store.tallies).toHaveLength(1);
    expect(jest.getTimerCount()).toBe(0);
  });
});
