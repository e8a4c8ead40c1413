import { describe, expect, it } from '@jest/globals';
import type { Share } from '../../libs/db-lock/src/lease/modes.js';
import { SHARED_GRANT } from '../../libs/db-lock/src/lease/requests.js';
import { violationsOf } from './history-checker.js';
import {
  emptyHistory,
  type Busy,
  type Downgrade,
  type Grant,
  type History,
  type HolderVersion,
  type Look,
  type RowVersion,
  type TrustedUse,
} from './history.js';

const lockName = 'job';

const ANY: Share = { permits: 1, limit: null };

const row = (grantId: string | null, token: number, lockTime: number, expireTime: number): RowVersion => ({
  lockName,
  grantId,
  token,
  lockTime,
  expireTime,
});

const shared = (token: number, lockTime: number, expireTime: number) =>
  row(SHARED_GRANT, token, lockTime, expireTime);

const free = (token: number, lockTime: number, at: number) => row(null, token, lockTime, at);

const holder = (
  grantId: string,
  token: number,
  lockTime: number,
  expireTime: number,
  { permits, limit } = ANY,
): HolderVersion => ({
  lockName,
  grantId,
  token,
  permits,
  limit,
  lockTime,
  expireTime,
  releaseTime: null,
  at: lockTime,
  isGone: false,
});

const gone = (version: HolderVersion, at: number): HolderVersion => ({ ...version, at, isGone: true });

/** A grant in shared mode, as its transaction writes it. */
const granted = (...args: Parameters<typeof holder>) => {
  const [, token, lockTime, expireTime] = args;
  return [holder(...args), shared(token, lockTime, expireTime)];
};

/** What its client was told of it. */
const told = ({ grantId, token, lockTime, expireTime, permits, limit }: HolderVersion): Grant => ({
  lockName,
  workerName: grantId,
  grantId,
  token,
  lockTime,
  expireTime,
  answeredAt: lockTime + 10,
  share: { permits, limit },
});

const release = (grantId: string, sentAt: number, answeredAt = sentAt + 20) => ({
  lockName,
  grantId,
  sentAt,
  answeredAt,
});

/** The rules that a history breaks. */
function rulesBrokenBy(rows: History['rows'], more: Partial<History> = {}): string[] {
  const violations = violationsOf({ ...emptyHistory(), rows, ...more });
  return [...new Set(violations.map(({ rule }) => rule))].sort();
}

describe('among leases in shared mode, the history checker finds nothing', () => {
  it('when readers overlap, and writers come before and after', () => {
    const [ann, bob] = [holder('a', 10, 1000, 2000), holder('b', 11, 1500, 2500)];
    const rows = [
      row('w', 9, 500, 1000),
      ann,
      shared(10, 1000, 2000),
      bob,
      shared(11, 1500, 2500),
      gone(ann, 1800),
      gone(bob, 2200),
      free(11, 1500, 2200),
      row('w', 12, 2200, 3000),
    ];
    expect(
      rulesBrokenBy(rows, {
        grants: [told(ann), told(bob)],
        releases: [release('a', 1790), release('b', 2190)],
      }),
    ).toEqual([]);
  });

  it('when several are let in together, in whatever order they are written', () => {
    const [one, other] = [holder('a', 10, 1000, 2000), holder('b', 11, 1000, 2000)];
    expect(rulesBrokenBy([other, one, shared(11, 1000, 2000)])).toEqual([]);
  });

  it('when a lease was renewed, and then expires', () => {
    const ann = holder('a', 10, 1000, 2000);
    const renewal = { lockName, grantId: 'a', token: 10, expireTime: 3000, answeredAt: 1600 };
    const rows = [
      ann,
      shared(10, 1000, 2000),
      { ...ann, expireTime: 3000 },
      shared(10, 1000, 3000),
      row('w', 11, 3000, 4000),
    ];
    expect(rulesBrokenBy(rows, { grants: [told(ann)], renewals: [renewal] })).toEqual([]);
  });
});

describe('it sees an overlap', () => {
  it.each([
    [1999, ['overlap']],
    [2000, []],
  ])('of a writer at %i with a reader until 2000: %j', (from, rules) => {
    expect(rulesBrokenBy([...granted('a', 10, 1000, 2000), row('w', 11, from, 3000)])).toEqual(rules);
  });

  it.each([
    [1999, ['overlap']],
    [2000, []],
  ])('of a reader at %i with a writer until 2000: %j', (from, rules) => {
    expect(rulesBrokenBy([row('w', 10, 1000, 2000), ...granted('a', 11, from, 3000)])).toEqual(rules);
  });

  it('of a writer with the longest of the readers, behind a short one', () => {
    const readers = [...granted('a', 10, 1000, 2500), ...granted('b', 11, 1100, 1200)];
    expect(rulesBrokenBy([...readers, row('w', 12, 2499, 3000)])).toEqual(['overlap']);
    expect(rulesBrokenBy([...readers, row('w', 12, 2500, 3000)])).toEqual([]);
  });

  it('of a writer with a reader who comes behind other readers', () => {
    const rows = [...granted('a', 10, 1000, 5000), row('w', 11, 5000, 6000), ...granted('b', 12, 6000, 7000)];
    expect(rulesBrokenBy(rows)).toEqual([]);
    expect(rulesBrokenBy([...rows, ...granted('c', 13, 6500, 7000), row('v', 14, 6999, 8000)])).toEqual([
      'overlap',
    ]);
  });

  it('of two writers with a reader between them', () => {
    const rows = [row('v', 10, 1000, 3000), ...granted('a', 11, 3000, 3100)];
    expect(rulesBrokenBy([...rows, row('w', 12, 3100, 4000)])).toEqual([]);
    expect(rulesBrokenBy([...rows, row('w', 12, 3099, 4000)])).toEqual(['overlap']);
  });

  it('when a reader released its lease only after the writer had come', () => {
    const ann = holder('a', 10, 1000, 2000);
    const rows = (at: number) => [
      ann,
      shared(10, 1000, 2000),
      gone(ann, at),
      free(10, 1000, at),
      row('w', 11, 1500, 3000),
    ];
    expect(rulesBrokenBy(rows(1500))).toEqual([]);
    expect(rulesBrokenBy(rows(1501))).toEqual(['overlap']);
  });

  it('when somebody freed the lock of a reader who had not asked for it', () => {
    const ann = holder('a', 10, 1000, 2000);
    const rows = [ann, shared(10, 1000, 2000), free(10, 1000, 1400), row('w', 11, 1500, 3000)];
    const grants = [told(ann)];
    expect(rulesBrokenBy(rows, { grants })).toEqual(['forgotten', 'overlap']);
    expect(rulesBrokenBy(rows, { grants, releases: [release('a', 1390)] })).toEqual([]);
    expect(rulesBrokenBy(rows)).toEqual([]); // nobody was told of it, and it was given back
  });

  it('when a crash took a grant that a reader was told of, and a writer got the lock', () => {
    const grants = [told(holder('a', 10, 1000, 2000))];
    expect(rulesBrokenBy([row('w', 11, 1999, 3000)], { grants })).toEqual(['forgotten', 'overlap']);
    expect(rulesBrokenBy([row('w', 11, 2000, 3000)], { grants })).toEqual(['forgotten']);
  });
});

describe('it sees a limit that is exceeded', () => {
  const three = { permits: 1, limit: 3 };

  it.each([
    [{ permits: 2, limit: 3 }, []],
    [{ permits: 3, limit: 3 }, ['permits']],
    [{ permits: 3, limit: 4 }, []],
    [{ permits: 9, limit: null }, []],
  ])('by %j beside one permit: %j', (share, rules) => {
    expect(
      rulesBrokenBy([...granted('a', 10, 1000, 2000, three), ...granted('b', 11, 1500, 2500, share)]),
    ).toEqual(rules);
  });

  it.each([
    [2000, []],
    [1999, ['permits']],
  ])('by one who comes at %i, where another has all until 2000: %j', (from, rules) => {
    const all = { permits: 3, limit: 3 };
    expect(
      rulesBrokenBy([...granted('a', 10, 1000, 2000, all), ...granted('b', 11, from, 2500, three)]),
    ).toEqual(rules);
  });

  it.each([
    [1500, []],
    [1501, ['permits']],
  ])('by one who comes at 1500, where another gives up all at %i: %j', (at, rules) => {
    const ann = holder('a', 10, 1000, 2000, { permits: 3, limit: 3 });
    const rows = [ann, shared(10, 1000, 2000), gone(ann, at), ...granted('b', 11, 1500, 2500, three)];
    expect(rulesBrokenBy(rows, { grants: [told(ann)], releases: [release('a', 1400)] })).toEqual(rules);
  });

  it('and holds each to its own limit, not to those of others', () => {
    const rows = [
      ...granted('a', 10, 1000, 3000, three),
      ...granted('b', 11, 1100, 3000, { permits: 9, limit: 10 }),
    ];
    expect(rulesBrokenBy(rows)).toEqual([]);
    expect(rulesBrokenBy([...rows, ...granted('c', 12, 1200, 3000, { permits: 1, limit: 10 })])).toEqual([
      'permits',
    ]);
    expect(rulesBrokenBy([...rows, ...granted('c', 12, 1200, 3000, { permits: 1, limit: 11 })])).toEqual([]);
  });

  it('also among those who are let in together', () => {
    const two = { permits: 1, limit: 2 };
    const rows = [holder('a', 10, 1000, 2000, two), holder('b', 11, 1000, 2000, two)];
    expect(rulesBrokenBy([...rows, shared(11, 1000, 2000)])).toEqual([]);
    expect(rulesBrokenBy([...rows, holder('c', 12, 1000, 2000, two), shared(12, 1000, 2000)])).toEqual([
      'permits',
    ]);
  });

  it('also when a renewal of the one before was told, and lost', () => {
    const ann = holder('a', 10, 1000, 2000, three);
    const rows = [ann, shared(10, 1000, 2000), ...granted('b', 11, 2500, 3000, { permits: 3, limit: 3 })];
    expect(rulesBrokenBy(rows, { grants: [told(ann)] })).toEqual([]);
    const renewals = [{ lockName, grantId: 'a', token: 10, expireTime: 2600, answeredAt: 1600 }];
    expect(rulesBrokenBy(rows, { grants: [told(ann)], renewals })).toEqual(['forgotten', 'permits']);
  });

  it('but not by permits that stay taken after a release', () => {
    const ann = holder('a', 10, 1000, 2000, { permits: 3, limit: 3 });
    const kept = { ...ann, grantId: 'nobody', releaseTime: 1400, at: 1400 };
    const rows = [ann, shared(10, 1000, 2000), gone(ann, 1400), kept, ...granted('b', 11, 1500, 2500, three)];
    expect(rulesBrokenBy(rows)).toEqual([]);
  });
});

describe('it sees a token that does not grow', () => {
  it.each([9, 10])('when token %i of a reader comes after 10 of another', (token) => {
    expect(rulesBrokenBy([...granted('a', 10, 1000, 2000), ...granted('b', token, 1500, 2500)])).toEqual([
      'token',
    ]);
  });

  it.each([9, 10])('when token %i of a writer comes after 10 of a reader', (token) => {
    expect(rulesBrokenBy([...granted('a', 10, 1000, 2000), row('w', token, 2000, 3000)])).toEqual(['token']);
  });

  it.each([9, 10])('when token %i of a reader comes after 10 of a writer', (token) => {
    expect(rulesBrokenBy([row('w', 10, 1000, 2000), ...granted('a', token, 2000, 3000)])).toEqual(['token']);
  });

  it('when two who are let in together have the same', () => {
    const rows = [holder('a', 10, 1000, 2000), holder('b', 10, 1000, 2000), shared(10, 1000, 2000)];
    expect(rulesBrokenBy(rows)).toEqual(['token']);
  });
});

describe('it sees a downgrade that is not one step', () => {
  /** Ann had the lock alone since 1000 and until 3000, and shares it since 2000. */
  const before = row('a', 10, 1000, 3000);
  const after = { ...holder('a', 11, 1000, 3000), at: 2000 };
  const { workerName: _, ...told11 } = told(after);
  const downgrade: Downgrade = { ...told11, share: ANY, answeredAt: 2010 };
  const grants: Grant[] = [{ ...told(after), token: 10, share: undefined, answeredAt: 1010 }];
  const downgrades = [downgrade];

  it.each([
    ['first the holder', [before, after, shared(11, 1000, 3000)]],
    ['first the lock', [before, shared(11, 1000, 3000), after]],
  ])('but finds nothing when it is, and %s is written', (_name, rows) => {
    expect(rulesBrokenBy(rows, { grants, downgrades })).toEqual([]);
    const reader = granted('b', 12, 2000, 2500);
    expect(rulesBrokenBy([...rows, ...reader], { grants, downgrades })).toEqual([]);
  });

  it.each([
    [1999, ['overlap', 'token']],
    [2000, []],
  ])('when a reader comes at %i: %j', (from, rules) => {
    const rows = [before, after, shared(11, 1000, 3000), ...granted('b', 12, from, 2500)];
    expect(rulesBrokenBy(rows, { grants, downgrades })).toEqual(rules);
  });

  it('when the lock was free in between', () => {
    const rows = [before, free(10, 1000, 1990), after, shared(11, 1000, 3000)];
    const releases = [release('a', 1980)];
    expect(rulesBrokenBy(rows, { grants, downgrades, releases })).toContain('downgrade');
  });

  it('when a writer came in between', () => {
    const rows = [before, free(10, 1000, 1500), row('w', 11, 1500, 1600), free(11, 1500, 1600)];
    const late = { ...after, token: 12 };
    const lateDowngrades = [{ ...downgrade, token: 12 }];
    const broken = rulesBrokenBy([...rows, late, shared(12, 1000, 3000)], {
      grants,
      downgrades: lateDowngrades,
    });
    expect(broken).toEqual(expect.arrayContaining(['downgrade', 'overlap']));
  });

  it('when it has no new token', () => {
    const same = { ...after, token: 10 };
    expect(
      rulesBrokenBy([before, same, shared(10, 1000, 3000)], {
        grants,
        downgrades: [{ ...downgrade, token: 10 }],
      }),
    ).toContain('token');
  });

  it('when the lease ends sooner than before', () => {
    const shorter = { ...after, expireTime: 2999 };
    expect(
      rulesBrokenBy([before, shorter, shared(11, 1000, 2999)], {
        grants,
        downgrades: [{ ...downgrade, expireTime: 2999 }],
      }),
    ).toEqual(['downgrade']);
  });

  it('when it was told, and lost', () => {
    expect(rulesBrokenBy([before], { grants, downgrades })).toEqual(['forgotten']);
  });

  it('when a writer comes before the end of what came of it', () => {
    const rows = (from: number) => [before, after, shared(11, 1000, 3000), row('w', 12, from, 4000)];
    expect(rulesBrokenBy(rows(3000), { grants, downgrades })).toEqual([]);
    expect(rulesBrokenBy(rows(2999), { grants, downgrades })).toEqual(['overlap']);
  });

  it('and takes its repeat for the same lease', () => {
    const rows = [before, after, shared(11, 1000, 3000)];
    const repeat: Grant = { ...told(after), answeredAt: 2500 };
    expect(rulesBrokenBy(rows, { grants: [...grants, repeat], downgrades })).toEqual([]);
    const another = { ...repeat, share: { permits: 2, limit: null } };
    expect(rulesBrokenBy(rows, { grants: [...grants, another], downgrades })).toContain('forgotten');
  });
});

describe('it sees a lease come to life again', () => {
  /** Ann's was ended by an operator; Bob got the lock after that. */
  const ann = holder('a', 10, 1000, 9000);
  const ended = [ann, shared(10, 1000, 9000), free(10, 1000, 1500)];
  const bob = { permits: 1, limit: 1 };

  it('when its row is left behind, and the lock is shared anew', () => {
    const anew = granted('b', 11, 2000, 3000, bob);
    expect(rulesBrokenBy([...ended, ...anew])).toEqual(['permits', 'revival']);
    expect(rulesBrokenBy([...ended, gone(ann, 2000), ...anew])).toEqual([]);
    expect(rulesBrokenBy([...ended, ...anew, gone(ann, 2000)])).toEqual([]);
    expect(rulesBrokenBy([...ended, ...anew, free(11, 2000, 2500), gone(ann, 2600)])).toEqual([
      'permits',
      'revival',
    ]);
  });

  it('also behind a writer who came in between', () => {
    const rows = [...ended, row('w', 11, 1600, 1800), ...granted('b', 12, 2000, 3000)];
    expect(rulesBrokenBy(rows)).toEqual(['revival']);
    expect(rulesBrokenBy([...rows, gone(ann, 2000)])).toEqual([]);
  });

  it('but not one that has expired', () => {
    expect(rulesBrokenBy([...ended, ...granted('b', 11, 9000, 9500, bob)])).toEqual([]);
    expect(rulesBrokenBy([...ended, ...granted('b', 11, 8999, 9500, bob)])).toEqual(['permits', 'revival']);
  });

  it('nor one that is asked for again with the same grantId', () => {
    expect(rulesBrokenBy([...ended, ...granted('a', 11, 2000, 3000, bob)])).toEqual([]);
  });
});

describe('it sees that something was forgotten', () => {
  const ann = holder('a', 10, 1000, 2000, { permits: 2, limit: 5 });
  const rows = [ann, shared(10, 1000, 2000)];
  const grants = [told(ann)];
  const look = (at: number, ofLock: RowVersion[], holders: HolderVersion[]): Partial<History> => ({
    looks: [{ sentAt: at - 10, answeredAt: at, at, rows: ofLock, holders } satisfies Look],
  });

  it('when a confirmed share is another than that in the database', () => {
    expect(rulesBrokenBy(rows, { grants })).toEqual([]);
    for (const share of [{ permits: 1, limit: 5 }, { permits: 2, limit: 4 }, undefined])
      expect(rulesBrokenBy(rows, { grants: [{ ...grants[0]!, share }] })).toEqual(['forgotten']);
  });

  it('when a confirmed renewal has no row', () => {
    const renewals = [{ lockName, grantId: 'a', token: 10, expireTime: 2001, answeredAt: 1600 }];
    expect(rulesBrokenBy(rows, { grants, renewals })).toEqual(['forgotten']);
  });

  it('when a live lease is removed that nobody has released', () => {
    const removed = [...granted('b', 11, 1100, 3000), gone(ann, 1999)];
    expect(rulesBrokenBy([...rows, ...removed], { grants })).toEqual(['forgotten']);
    expect(rulesBrokenBy([...rows, ...removed], { grants, releases: [release('a', 1990)] })).toEqual([]);
    const cleaned = [...granted('b', 11, 1100, 3000), gone(ann, 2000)];
    expect(rulesBrokenBy([...rows, ...cleaned], { grants })).toEqual([]);
  });

  it.each<[string, Partial<History>]>([
    ['without the lock', look(1500, [], [ann])],
    ['with an earlier token', look(1500, [shared(9, 900, 2000)], [ann])],
    ['without the holder', look(1999, [shared(10, 1000, 2000)], [])],
    [
      'with an earlier expiry of the holder',
      look(1500, [shared(10, 1000, 2000)], [{ ...ann, expireTime: 1999 }]),
    ],
    ['with another token of the holder', look(1500, [shared(10, 1000, 2000)], [{ ...ann, token: 9 }])],
    ['free', look(1500, [free(10, 1000, 1400)], [ann])],
  ])('when the tables are found %s', (_name, looks) => {
    expect(rulesBrokenBy(rows, { grants, ...looks })).toEqual(['forgotten']);
  });

  it.each<[string, Partial<History>]>([
    ['as they were', look(1500, [shared(10, 1000, 2000)], [ann])],
    ['without a holder who has expired', look(2000, [free(11, 1100, 1900)], [])],
    ['before it was confirmed', look(1019, [], [])],
  ])('but not when they are found %s', (_name, looks) => {
    expect(rulesBrokenBy(rows, { grants, ...looks })).toEqual([]);
  });

  it('when a lease is gone that was renewed after a downgrade which nobody confirmed, and only then', () => {
    const writer = row('w', 10, 1000, 2000);
    const turned = [holder('w', 11, 1000, 3000), shared(11, 1000, 3000)];
    const renewals = [{ ...told(holder('w', 11, 1000, 3000)), answeredAt: 1010 }];
    const found = (holders: HolderVersion[]) =>
      rulesBrokenBy([writer, ...turned], { renewals, ...look(1500, [shared(11, 1000, 3000)], holders) });
    expect(found([holder('w', 11, 1000, 3000)])).toEqual([]);
    expect(found([])).toEqual(['forgotten']);
  });

  it('but not when the holder may have released it', () => {
    const found = look(1500, [shared(11, 1100, 2000)], []);
    const released = [...rows, ...granted('b', 11, 1100, 2000), gone(ann, 1450)];
    expect(rulesBrokenBy(released, { grants, releases: [release('a', 1440)], ...found })).toEqual([]);
  });
});

describe('it sees a repeat that is not the same lease', () => {
  const ann = holder('a', 10, 1000, 2000);
  const again = (token: number, lockTime: number) => holder('a', token, lockTime, 3000);
  const broken = (second: HolderVersion) =>
    rulesBrokenBy([ann, shared(10, 1000, 2000), second, shared(second.token, second.lockTime, 3000)], {
      grants: [told(ann), told(second)],
    });

  it('when it takes permits anew', () => {
    expect(broken(again(11, 1999))).toEqual(['repeat']);
    expect(broken(again(11, 2000))).toEqual([]);
  });
});

describe('it sees a fence that does not hold', () => {
  const use = (token: number, mode: 'exclusive' | 'shared') => ({ lockName, token, mode });

  it.each<[number, 'exclusive' | 'shared', string[]]>([
    [9, 'exclusive', ['fence']],
    [10, 'exclusive', []],
  ])('when a writer with token %i (%s) comes after a reader with 10: %j', (token, mode, rules) => {
    expect(rulesBrokenBy([], { acceptedUses: [use(10, 'shared'), use(token, mode)] })).toEqual(rules);
  });

  it('when a reader comes after a later writer, but not after later readers', () => {
    const uses = [use(9, 'exclusive'), use(12, 'shared'), use(10, 'shared')];
    expect(rulesBrokenBy([], { acceptedUses: uses })).toEqual([]);
    expect(rulesBrokenBy([], { acceptedUses: [...uses, use(12, 'exclusive'), use(11, 'shared')] })).toEqual([
      'fence',
    ]);
  });
});

describe('it sees misplaced trust', () => {
  const use = (grantId: string, token: number, at: number, share?: Share): TrustedUse => ({
    lockName,
    workerName: grantId,
    grantId,
    token,
    share,
    at,
    began: at,
    ended: at + 1,
    accepted: true,
  });
  const ann = holder('a', 10, 1000, 2000);

  it('when a reader trusts a lease that has expired, or was released', () => {
    const rows = [ann, shared(10, 1000, 2000)];
    const broken = (at: number, more: History['rows'] = []) =>
      rulesBrokenBy([...rows, ...more], { trustedUses: [use('a', 10, at, ANY)] });
    expect(broken(1999)).toEqual([]);
    expect(broken(2000)).toEqual(['trust']);
    expect(broken(1499, [gone(ann, 1500), free(10, 1000, 1500)])).toEqual([]);
    expect(broken(1500, [gone(ann, 1500), free(10, 1000, 1500)])).toEqual(['trust']);
  });

  it('when a writer trusts a lease that is shared by now, but not when a reader does', () => {
    const after = { ...holder('a', 11, 1000, 3000), at: 2000 };
    const rows = [row('a', 10, 1000, 3000), after, shared(11, 1000, 3000)];
    const broken = (at: number, share?: Share) =>
      rulesBrokenBy(rows, { trustedUses: [use('a', 10, at, share)] });
    expect(broken(1999)).toEqual([]);
    expect(broken(2000)).toEqual(['trust']);
    expect(broken(2999, ANY)).toEqual([]);
    expect(broken(3000, ANY)).toEqual(['trust']);
  });

  describe('and bad company', () => {
    const inside = (grantId: string, token: number, began: number, ended: number, share?: Share) => ({
      ...use(grantId, token, 1500, share),
      began,
      ended,
    });
    const rows = [holder('a', 10, 1000, 2000), holder('b', 11, 1000, 2000), shared(11, 1000, 2000)];
    const exclusive = [row('a', 10, 1000, 2000), row('b', 11, 1000, 2000)];
    const company = (versions: History['rows'], ...trustedUses: TrustedUse[]) =>
      rulesBrokenBy(versions, { trustedUses }).includes('company');

    it.each<[string, Share | undefined, Share | undefined]>([
      ['a writer with a writer', undefined, undefined],
      ['a writer with a reader', undefined, ANY],
      ['a reader with a writer', ANY, undefined],
      ['more permits than the later one relies on', { permits: 2, limit: 5 }, { permits: 1, limit: 2 }],
    ])('of %s', (_name, one, other) => {
      expect(company(exclusive, inside('a', 10, 1, 10, one), inside('b', 11, 9, 20, other))).toBe(true);
      expect(company(exclusive, inside('a', 10, 1, 10, one), inside('b', 11, 10, 20, other))).toBe(false);
      expect(company(exclusive, inside('a', 10, 1, 10, one), inside('a', 11, 9, 20, other))).toBe(false);
    });

    it.each<[string, Share, Share]>([
      ['a reader with a reader', ANY, ANY],
      ['permits that the earlier one did not rely on', { permits: 1, limit: 1 }, { permits: 1, limit: 2 }],
    ])('but not of %s', (_name, one, other) => {
      expect(company(rows, inside('a', 10, 1, 10, one), inside('b', 11, 9, 20, other))).toBe(false);
    });
  });
});

describe('it sees a false refusal', () => {
  const ann = holder('a', 10, 1000, 2000);
  const rows = [ann, shared(10, 1000, 2000)];
  const refusal = (asked: 'renewal' | 'release' | 'downgrade', at: number) => ({
    refusals: [{ lockName, grantId: 'a', asked, sentAt: at - 10, at }],
  });

  it.each(['renewal', 'release', 'downgrade'] as const)('when the %s of a live lease is refused', (asked) => {
    const grants = [told(ann)];
    expect(rulesBrokenBy(rows, { grants, ...refusal(asked, 1999) })).toEqual(['refusal']);
    expect(rulesBrokenBy(rows, { grants, ...refusal(asked, 2000) })).toEqual([]);
    const releases = [release('a', 1980)];
    expect(rulesBrokenBy(rows, { grants, releases, ...refusal(asked, 1999) })).toEqual([]);
  });

  it('when the renewal of one that was downgraded is refused', () => {
    const after = { ...holder('a', 11, 1000, 3000), at: 2000 };
    const { workerName: _, ...told11 } = told(after);
    const more = {
      grants: [{ ...told(after), token: 10, share: undefined }],
      downgrades: [{ ...told11, share: ANY, answeredAt: 2010 }],
    };
    const versions = [row('a', 10, 1000, 3000), after, shared(11, 1000, 3000)];
    expect(rulesBrokenBy(versions, { ...more, ...refusal('renewal', 2999) })).toEqual(['refusal']);
    expect(rulesBrokenBy(versions, { ...more, ...refusal('renewal', 3000) })).toEqual([]);
  });
});

describe('it sees a share that is refused without a reason', () => {
  const busy = (grantId: string, since: number, at: number, share: Share = ANY): Busy => ({
    lockName,
    grantId,
    share,
    since,
    at,
    sentAt: since,
    answeredAt: at,
  });
  const broken = (rows: History['rows'], refused: Busy, waits: History['waits'] = []) =>
    rulesBrokenBy(rows, { busies: [refused], waits });

  it('when nobody has the lock', () => {
    expect(broken([], busy('b', 1000, 1100))).toEqual(['busy']);
    expect(broken([row('w', 10, 100, 1000)], busy('b', 1000, 1100))).toEqual(['busy']);
    expect(broken([row('w', 10, 100, 1001)], busy('b', 1000, 1100))).toEqual([]);
    expect(broken([row('w', 10, 1099, 2000)], busy('b', 1000, 1100))).toEqual([]);
    expect(broken([row('w', 10, 1100, 2000)], busy('b', 1000, 1100))).toEqual(['busy']);
  });

  it('when there is room for its permits', () => {
    const rows = granted('a', 10, 100, 2000, { permits: 3, limit: 3 });
    expect(broken(rows, busy('b', 1000, 1100, { permits: 1, limit: 4 }))).toEqual(['busy']);
    expect(broken(rows, busy('b', 1000, 1100, { permits: 2, limit: 4 }))).toEqual([]);
    expect(broken(rows, busy('b', 2000, 2100, { permits: 2, limit: 4 }))).toEqual(['busy']);
    expect(broken(rows, busy('b', 1000, 1100))).toEqual(['busy']);
  });

  it('when permits that were taken one after the other may have been there together, it says nothing', () => {
    const two = { permits: 2, limit: 3 };
    const rows = [...granted('a', 10, 100, 1020, two), ...granted('c', 11, 1080, 2000, two)];
    expect(broken(rows, busy('b', 1000, 1100, { permits: 1, limit: 4 }))).toEqual([]);
    expect(broken(rows, busy('b', 1030, 1100, { permits: 1, limit: 4 }))).toEqual(['busy']);
  });

  it('when it was a repeat, and its lease was live all the time', () => {
    const rows = granted('a', 10, 100, 2000, { permits: 1, limit: 1 });
    expect(broken(rows, busy('a', 1000, 1100, { permits: 1, limit: 1 }))).toEqual(['busy']);
    expect(broken(rows, busy('a', 1950, 2001, { permits: 1, limit: 1 }))).toEqual([]);
  });

  it('but not while the end of a lease may not be committed yet', () => {
    const ended = [row('w', 10, 100, 2000), free(10, 100, 990)];
    const readers = [
      ...granted('r', 10, 100, 2000),
      gone(holder('r', 10, 100, 2000), 990),
      free(10, 100, 990),
    ];
    const next = [row('x', 11, 991, 2000), free(11, 991, 995)];
    const after = (rows: History['rows'], ...releases: History['releases']) =>
      rulesBrokenBy(rows, { busies: [busy('b', 1000, 1100, { permits: 1, limit: 1 })], releases });
    for (const [rows, grantId] of [
      [ended, 'w'],
      [readers, 'r'],
    ] as const) {
      expect(after(rows, release(grantId, 980, 1000))).toEqual([]);
      expect(after(rows, release(grantId, 980, Infinity))).toEqual([]);
      expect(after(rows, release(grantId, 980, 999))).toEqual(['busy']);
      // Asked for a second time.
      expect(after(rows, release(grantId, 980, Infinity), release(grantId, 985, 999))).toEqual(['busy']);
      // Somebody has had the lock since.
      expect(after([...rows, ...next], release(grantId, 980, Infinity), release('x', 992, 999))).toEqual([
        'busy',
      ]);
    }
  });

  it('but not while somebody may be in the queue', () => {
    const wait = (sentAt: number, until: number) => [{ lockName, sentAt, until }];
    expect(broken([], busy('b', 1000, 1100), wait(900, 1001))).toEqual([]);
    expect(broken([], busy('b', 1000, 1100), wait(900, 1000))).toEqual(['busy']);
    expect(broken([], busy('b', 1000, 1100), wait(1099, Infinity))).toEqual([]);
    expect(broken([], busy('b', 1000, 1100), wait(1100, Infinity))).toEqual(['busy']);
  });
});
