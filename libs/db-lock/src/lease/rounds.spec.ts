import { AsyncResource } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { monotonicNow } from './clock.js';
import { Rounds, type Participant, type Round } from './rounds.js';

/** Rounds are a power of two apart: with this slack, one at every multiple of it. */
const SLACK = 1024;

describe('rounds', () => {
  let rounds: Rounds;
  let called: string[];
  let at: number;

  class Member implements Participant {
    round: Round | undefined = undefined;
    next: Participant | undefined = undefined;
    previous: Participant | undefined = undefined;
    readonly scope = new AsyncResource('Member');

    constructor(
      readonly name: string,
      private readonly act: () => void = () => undefined,
    ) {}

    reached(): void {
      called.push(this.name);
      this.act();
    }
  }

  /** Members of one round, in that order. */
  const join = (...members: Member[]) => {
    for (const member of members) rounds.join(member, at, SLACK);
  };

  const reach = () => jest.advanceTimersByTime(at - monotonicNow() + 1);

  beforeEach(() => {
    jest.useFakeTimers();
    rounds = new Rounds();
    called = [];
    at = Math.ceil(monotonicNow() / SLACK + 1) * SLACK;
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('call back all who have joined, in the order in which they joined, once', () => {
    join(...['a', 'b', 'c'].map((name) => new Member(name)));
    expect(jest.getTimerCount()).toBe(1);
    reach();
    expect(called).toEqual(['a', 'b', 'c']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it.each(['a', 'b', 'c'])('do not call back who has left, such as %s of three', (gone) => {
    const members = ['a', 'b', 'c'].map((name) => new Member(name));
    join(...members);
    rounds.leave(members.find(({ name }) => name === gone)!);
    join(new Member('d'));
    reach();
    expect(called).toEqual(['a', 'b', 'c', 'd'].filter((name) => name !== gone));
  });

  it('end their timer with the last who leaves', () => {
    const members = ['a', 'b'].map((name) => new Member(name));
    join(...members);
    rounds.leave(members[1]!);
    expect(jest.getTimerCount()).toBe(1);
    rounds.leave(members[0]!);
    expect(jest.getTimerCount()).toBe(0);
    rounds.leave(members[0]!);
    join(members[1]!);
    reach();
    expect(called).toEqual(['b']);
  });

  it.each([
    { leaver: 'the one before', gone: 0, left: ['a', 'b', 'c'] },
    { leaver: 'itself', gone: 1, left: ['a', 'b', 'c'] },
    { leaver: 'the next', gone: 2, left: ['a', 'b'] },
  ])('may be left while they are reached: when one makes $leaver leave', ({ gone, left }) => {
    const members: Member[] = [
      new Member('a'),
      new Member('b', () => rounds.leave(members[gone]!)),
      new Member('c'),
    ];
    join(...members);
    reach();
    expect(called).toEqual(left);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('may be joined while they are reached: that is another round', () => {
    const moments = [at, at + SLACK];
    const member: Member = new Member('a', () => {
      const next = moments.shift();
      if (next !== undefined) rounds.join(member, next, SLACK);
    });
    join(member, new Member('b'));
    reach();
    jest.advanceTimersByTime(1);
    expect(called).toEqual(['a', 'b', 'a']);
    jest.advanceTimersByTime(SLACK);
    expect(called).toEqual(['a', 'b', 'a', 'a']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('call back the others though one throws, which is told afterwards', () => {
    join(
      new Member('a'),
      new Member('b', () => {
        throw new Error('a fault');
      }),
      new Member('c'),
    );
    expect(reach).toThrow('a fault');
    expect(called).toEqual(['a', 'b', 'c']);
  });
});
