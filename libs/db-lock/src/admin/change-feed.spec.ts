import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Subscription } from 'rxjs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OperatorDesk } from '../server/operator-desk.js';
import type { ChangedLock, Changes, Waiting } from '../store/history-store.js';
import type { LockRecord } from '../store/lock-store.js';
import { fakeIntervals } from '../../../../test/support/fake-clock.js';
import { ChangeFeed } from './change-feed.js';
import type { ServerSentEvent } from './event-stream.js';

const TIME = new Date('2026-01-02T03:04:05.678Z');

const lock = (lockName: string, members: Partial<ChangedLock> = {}): ChangedLock => ({
  lockName,
  state: 'held',
  workerName: 'ann',
  fencingToken: 7,
  lockTime: TIME,
  expireTime: TIME,
  metadata: null,
  serverTime: TIME,
  waiting: 0,
  lastEvent: 0,
  ...members,
});

type Look = Partial<Changes> | Error;

/** Answers each look as it is told, and no sooner than it may: a second is soon over where the machine stands still. */
class ScriptedDesk {
  readonly asked: Array<[cursor: string | undefined, waiting: Waiting, limit: number]> = [];
  readonly looks: Look[] = [];
  #most = 1;
  #held: Array<() => void> = [];

  /** So many looks, those before included, may be made by now. */
  allow(most: number): void {
    this.#most = most;
    for (const goOn of this.#held.splice(0)) goOn();
  }

  /** From now on, every look is seen. One that has begun already is never answered. */
  watchOut(): void {
    this.#held = [];
    this.#most = Infinity;
  }

  async changes(cursor: string | undefined, waiting: Waiting, limit: number): Promise<Changes> {
    while (this.asked.length >= this.#most) await new Promise<void>((goOn) => this.#held.push(goOn));
    this.asked.push([cursor, waiting, limit]);
    const look = this.looks.shift() ?? {};
    if (look instanceof Error) throw look;
    return {
      serverTime: TIME,
      cursor: String(this.asked.length),
      waiting: new Map(),
      locks: [],
      removed: [],
      truncated: false,
      ...look,
    };
  }
}

describe('ChangeFeed', () => {
  let desk: ScriptedDesk;
  let feed: ChangeFeed;
  const subscriptions: Subscription[] = [];

  beforeEach(() => {
    Logger.overrideLogger(false);
    desk = new ScriptedDesk();
    feed = new ChangeFeed(desk as unknown as OperatorDesk, true);
  });

  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
    for (const subscription of subscriptions.splice(0)) subscription.unsubscribe();
  });

  function watch() {
    const messages: ServerSentEvent[] = [];
    const watcher = { messages, isOver: false, failure: undefined as unknown };
    const subscription = feed.watch().subscribe({
      next: (message) => messages.push(message),
      complete: () => (watcher.isOver = true),
      error: (error: unknown) => (watcher.failure = error),
    });
    subscriptions.push(subscription);
    return Object.assign(watcher, { leave: () => subscription.unsubscribe() });
  }

  /** So many looks, the first one included. */
  async function looks(count: number): Promise<void> {
    desk.allow(count);
    while (desk.asked.length < count) await sleep(10);
    await sleep(0);
  }

  const changesOf = ({ messages }: { messages: ServerSentEvent[] }) =>
    messages
      .filter(({ type }) => type === 'changes')
      .map(({ data }) => data as { locks: LockRecord[]; removed: string[] })
      .map(({ locks, removed }) => [locks.map(({ lockName, waiting }) => `${lockName} ${waiting}`), removed]);

  it('tells again of a lock that looks as before, when something has happened to it, and once', async () => {
    const watcher = watch();
    await looks(1);
    for (const lastEvent of [3, 3, 4, 4, 0]) desk.looks.push({ locks: [lock('a', { lastEvent })] });
    await looks(6);
    expect(changesOf(watcher)).toEqual([
      [['a 0'], []],
      [['a 0'], []],
    ]);
  });

  it('greets when it knows from where on it tells what changes', async () => {
    const order: string[] = [];
    const changes = desk.changes.bind(desk);
    jest.spyOn(desk, 'changes').mockImplementation(async (...values) => {
      await sleep(50);
      const found = await changes(...values); // once: the next look is not allowed
      order.push('place found');
      return found;
    });
    subscriptions.push(feed.watch().subscribe(({ type }) => order.push(type)));
    while (order.length < 2) await sleep(10);
    expect(order).toEqual(['place found', 'hello']);
  });

  it('fails for all who have come when the first look fails, and begins anew for the next', async () => {
    const failure = new Error('no database');
    desk.looks.push(failure, { cursor: '5' }, { locks: [lock('a')] });
    const failed = [watch(), watch()];
    await looks(1);
    expect(failed).toMatchObject([
      { messages: [], failure },
      { messages: [], failure },
    ]);
    const watcher = watch();
    await looks(3);
    expect(watcher.messages.map(({ type }) => type)).toEqual(['hello', 'changes']);
    expect(desk.asked.map(([cursor]) => cursor)).toEqual([undefined, undefined, '5']);
  });

  it('goes on when a later look fails, from where it was', async () => {
    desk.looks.push({}, new Error('no database'), { locks: [lock('a')] });
    const watcher = watch();
    await looks(3);
    expect(watcher.messages.map(({ type }) => type)).toEqual(['hello', 'changes']);
    expect(desk.asked.map(([cursor]) => cursor)).toEqual([undefined, '1', '1']);
  });

  it('looks from where the look before the last one ended, and tells of each change once', async () => {
    const waiting = new Map([['b', 1]]);
    desk.looks.push(
      {},
      { locks: [lock('a')] },
      { locks: [lock('a'), lock('b')], removed: ['c'] },
      { locks: [lock('b', { waiting: 1 })], removed: ['c'], waiting },
      {},
      { locks: [lock('a')] },
    );
    const watcher = watch();
    await looks(6);
    expect(desk.asked.map(([cursor]) => cursor)).toEqual([undefined, '1', '1', '2', '3', '4']);
    expect(desk.asked[4]![1]).toBe(waiting);
    expect(changesOf(watcher)).toEqual([
      [['a 0'], []],
      [['b 0'], ['c']],
      [['b 1'], []],
      [['a 0'], []],
    ]);
  });

  it('says that there is too much to tell, and goes on from there', async () => {
    const waiting = new Map([['a', 1]]);
    desk.looks.push({}, { truncated: true, waiting }, { locks: [lock('b')] });
    const watcher = watch();
    await looks(3);
    expect(desk.asked[2]![1]).toBe(waiting);
    expect(watcher.messages.map(({ type }) => type)).toEqual(['hello', 'many', 'changes']);
    expect(desk.asked.map(([cursor]) => cursor)).toEqual([undefined, '1', '2']);
  });

  it('gives a sign of life every fifteen seconds', async () => {
    let now = Math.floor(performance.now()); // whole, so that sums are exact
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    const watcher = watch();
    await looks(1);
    now += 14_999;
    await looks(2);
    expect(watcher.messages.map(({ type }) => type)).toEqual(['hello']);
    now += 1;
    await looks(3);
    expect(watcher.messages.map(({ type }) => type)).toEqual(['hello', 'tick']);
    await looks(4);
    expect(watcher.messages).toHaveLength(2);
  });

  it('looks once for all who watch, and not at all for nobody', async () => {
    desk.looks.push({}, { locks: [lock('a')] });
    const watchers = [watch(), watch(), watch()];
    await looks(2);
    expect(watchers.map((watcher) => changesOf(watcher).length)).toEqual([1, 1, 1]);
    for (const { leave } of watchers) leave();
    desk.watchOut();
    await sleep(1_500);
    expect(desk.asked).toHaveLength(2);
    watch();
    await looks(3);
    expect(desk.asked[2]![0]).toBeUndefined();
  });

  it('ends for each after some minutes, with word to return at once, but not for all at the same time', async () => {
    fakeIntervals();
    const watchers = Array.from({ length: 30 }, watch);
    await looks(1);
    jest.advanceTimersByTime(239_000);
    expect(watchers.filter(({ isOver }) => isOver)).toEqual([]);
    const stayed = [];
    for (let second = 240; second < 360; second++) {
      jest.advanceTimersByTime(1_000);
      stayed.push(watchers.filter(({ isOver }) => !isOver).length);
    }
    jest.advanceTimersByTime(1_000);
    expect(new Set(stayed).size).toBeGreaterThan(10);
    for (const { messages, isOver } of watchers) {
      expect(isOver).toBe(true);
      expect(messages).toEqual([
        { type: 'hello', data: {}, retry: 3_000 },
        { type: 'again', data: {}, retry: 100 },
      ]);
    }
    jest.useRealTimers();
    desk.watchOut();
    await sleep(1_500);
    expect(desk.asked).toHaveLength(1);
  });

  it('ends for all when it is closed, also for those who come then', async () => {
    const watcher = watch();
    await looks(1);
    feed.close();
    expect(watcher.isOver).toBe(true);
    desk.watchOut();
    expect(watch().isOver).toBe(true);
    await sleep(1_500);
    expect(desk.asked).toHaveLength(1);
  });
});
