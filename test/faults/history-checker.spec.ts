import { describe, expect, it } from '@jest/globals';
import { violationsOf } from './history-checker.js';
import { emptyHistory, type Grant, type History, type RowVersion, type TrustedUse } from './history.js';

const LOCK = 'job';

/** Ann held the lock from 1000 to 2000 and released it; Bob has it since 2100 and renewed it once. */
const ANN = { lockName: LOCK, workerName: 'ann', grantId: 'a', token: 10 };
const BOB = { lockName: LOCK, workerName: 'bob', grantId: 'b', token: 20 };

function row(
  { grantId, token }: Pick<RowVersion, 'grantId' | 'token'>,
  lockTime: number,
  expireTime: number,
) {
  return { lockName: LOCK, grantId, token, lockTime, expireTime };
}

/** Somebody uses the resource alone, for a moment. */
const use = (holder: typeof ANN, at: number): TrustedUse => ({
  ...holder,
  at,
  began: at - 5,
  ended: at + 5,
  accepted: true,
});

const accepted = ({ lockName, token }: typeof ANN) => ({ lockName, token, mode: 'exclusive' as const });

const look = (at: number, ...rows: RowVersion[]) => ({
  sentAt: at - 10,
  answeredAt: at,
  at,
  rows,
  holders: [],
});

/** A history in which the contract was kept; local and database's clock run alike. */
function keptHistory(): History {
  return {
    ...emptyHistory(),
    rows: [
      row(ANN, 1000.25, 2500.25),
      row({ grantId: null, token: 10 }, 1000.25, 2000.5),
      row(BOB, 2100.5, 3100.5),
      row(BOB, 2100.5, 4000.75),
    ],
    grants: [
      { ...ANN, lockTime: 1000, expireTime: 2500, answeredAt: 1010 },
      { ...ANN, lockTime: 1000, expireTime: 2500, answeredAt: 1200 },
      { ...BOB, lockTime: 2100, expireTime: 3100, answeredAt: 2110 },
    ],
    renewals: [{ ...BOB, expireTime: 4000, answeredAt: 3010 }],
    releases: [{ ...ANN, sentAt: 1990, answeredAt: 2010 }],
    trustedUses: [use(ANN, 1900), use(BOB, 3990)],
    acceptedUses: [ANN, ANN, BOB, BOB].map(accepted),
    refusals: [
      { ...ANN, asked: 'release', sentAt: 2600, at: 2610 },
      { ...BOB, asked: 'release', sentAt: 4500, at: 4510 },
    ],
    looks: [
      look(1510, row(ANN, 1000.25, 2500.25)),
      look(2060, row({ grantId: null, token: 10 }, 1000.25, 2000.5)),
      look(3510, row(BOB, 2100.5, 4000.75)),
    ],
  };
}

/** The rules that a change to the history breaks. */
function rulesBrokenBy(change: (history: History) => void): string[] {
  const history = keptHistory();
  change(history);
  return [...new Set(violationsOf(history).map(({ rule }) => rule))].sort();
}

describe('the history checker', () => {
  it('finds nothing in a history that kept the contract', () => {
    expect(violationsOf(keptHistory())).toEqual([]);
  });

  it('finds nothing in an empty history', () => {
    expect(violationsOf(emptyHistory())).toEqual([]);
  });

  it('tells the lock and what happened to it', () => {
    const history = keptHistory();
    history.acceptedUses.push(accepted(ANN));
    expect(violationsOf(history)).toEqual([
      { rule: 'fence', lockName: LOCK, what: 'token 10 was accepted after 20' },
    ]);
  });
});

describe('it sees an overlap', () => {
  const takeover = (lockTime: number) => (history: History) => {
    history.rows.push({ lockName: LOCK, grantId: 'c', token: 30, lockTime, expireTime: 5000 });
  };

  it('when a lock is granted before its lease has expired', () => {
    expect(rulesBrokenBy(takeover(4000.5))).toEqual(['overlap']);
  });

  it('but not when it is granted at the moment of the expiry', () => {
    expect(rulesBrokenBy(takeover(4000.75))).toEqual([]);
  });

  it('when a lock is granted before it was released', () => {
    expect(
      rulesBrokenBy((history) => {
        history.rows[2]!.lockTime = history.rows[3]!.lockTime = 2000.25;
        history.grants[2]!.lockTime = 2000;
      }),
    ).toEqual(['overlap']);
  });

  it('when it lies behind a short lease in between', () => {
    expect(
      rulesBrokenBy((history) => {
        history.rows.push(row({ grantId: 'c', token: 30 }, 3000, 3100));
        history.rows.push(row({ grantId: 'd', token: 40 }, 3900, 5000));
      }),
    ).toEqual(['overlap']);
    const { rows } = keptHistory();
    const between = [
      row({ grantId: 'c', token: 30 }, 3000, 3100),
      row({ grantId: 'd', token: 40 }, 3900, 5000),
    ];
    expect(violationsOf({ ...emptyHistory(), rows: [...rows, ...between] })).toHaveLength(2);
  });

  it('when a crash took a grant that a client was told of, and somebody else got the lock', () => {
    const lost: Grant = {
      lockName: LOCK,
      workerName: 'eve',
      grantId: 'e',
      token: 15,
      lockTime: 2050,
      expireTime: 2550,
      answeredAt: 2055,
    };
    expect(rulesBrokenBy((history) => history.grants.push(lost))).toContain('overlap');
    const givenBack = rulesBrokenBy((history) => {
      history.grants.push(lost);
      history.releases.push({ lockName: LOCK, grantId: 'e', sentAt: 2080, answeredAt: 2090 });
    });
    expect(givenBack).not.toContain('overlap');
    expect(givenBack).toContain('forgotten');
  });

  it('when a crash took a renewal that a client was told of, and somebody else got the lock', () => {
    expect(
      rulesBrokenBy((history) => {
        takeover(4100)(history);
        history.renewals.push({ ...BOB, expireTime: 4200, answeredAt: 3900 });
      }),
    ).toEqual(['forgotten', 'overlap']);
  });

  it('but not between different locks', () => {
    expect(
      rulesBrokenBy(({ rows }) =>
        rows.push({ lockName: 'other', grantId: 'c', token: 5, lockTime: 2200, expireTime: 9000 }),
      ),
    ).toEqual([]);
  });
});

describe('it sees a token that does not grow', () => {
  it.each([19, 20])('when token %i comes after 20', (token) => {
    expect(rulesBrokenBy(({ rows }) => rows.push(row({ grantId: 'c', token }, 4100, 5000)))).toEqual([
      'token',
    ]);
  });
});

describe('it sees that something was forgotten', () => {
  it('when a confirmed grant has no row', () => {
    expect(
      rulesBrokenBy(({ grants }) =>
        grants.push({ ...BOB, grantId: 'c', token: 30, lockTime: 4100, expireTime: 4200, answeredAt: 4110 }),
      ),
    ).toEqual(['forgotten']);
  });

  it('when a confirmed renewal has no row', () => {
    expect(rulesBrokenBy(({ rows }) => rows.pop())).toEqual(['forgotten']);
  });

  it('when the table is found without the lock after the crash', () => {
    expect(rulesBrokenBy(({ looks }) => looks.push(look(3510)))).toEqual(['forgotten']);
  });

  it('when the table is found with an earlier token after the crash', () => {
    expect(rulesBrokenBy(({ looks }) => (looks[2]!.rows = looks[1]!.rows))).toEqual(['forgotten']);
  });

  it('when the table is found with an earlier expiry after the crash', () => {
    expect(rulesBrokenBy(({ looks }) => (looks[2]!.rows[0]!.expireTime = 3100.5))).toEqual(['forgotten']);
  });

  it('when a lock is found free that nobody has released', () => {
    expect(rulesBrokenBy(({ looks }) => (looks[2]!.rows[0]!.grantId = null))).toEqual(['forgotten']);
  });

  it('when a lock is found with another holder and the same token', () => {
    expect(rulesBrokenBy(({ looks }) => (looks[2]!.rows[0]!.grantId = 'c'))).toEqual(['forgotten']);
  });

  it('but not when the grant was confirmed only later, or a later one took its place', () => {
    expect(
      rulesBrokenBy(({ looks }) => {
        looks.push(look(1006));
        looks.push(look(5010, row({ grantId: 'c', token: 30 }, 4900, 5900)));
      }),
    ).toEqual([]);
  });
});

describe('it sees a repeat that is not the same lease', () => {
  it('when it has another token', () => {
    expect(
      rulesBrokenBy(({ rows, grants }) => {
        rows.push(row({ grantId: 'b', token: 21 }, 3900.5, 4400.5));
        grants.push({ ...BOB, token: 21, lockTime: 3900, expireTime: 4400, answeredAt: 3910 });
      }),
    ).toEqual(['overlap', 'repeat']);
  });

  it('when it has another beginning', () => {
    expect(rulesBrokenBy(({ grants }) => (grants[1]!.lockTime = 1100))).toEqual(['repeat']);
  });

  it('but not when the lease was over before', () => {
    expect(
      rulesBrokenBy(({ rows, grants }) => {
        rows.push(row({ grantId: 'b', token: 30 }, 4000.75, 4400));
        grants.push({ ...BOB, token: 30, lockTime: 4000, expireTime: 4400, answeredAt: 4010 });
      }),
    ).toEqual([]);
  });
});

describe('it sees a fence that does not hold', () => {
  it('when an older token is accepted', () => {
    expect(rulesBrokenBy(({ acceptedUses }) => acceptedUses.push(accepted(ANN)))).toEqual(['fence']);
  });

  it('when who holds the lock is refused', () => {
    expect(rulesBrokenBy(({ trustedUses }) => (trustedUses[1]!.accepted = false))).toEqual(['fence']);
  });
});

describe('it sees misplaced trust', () => {
  it.each([
    ['has expired', BOB, 4000.75],
    ['was released', ANN, 2000.5],
  ])('when a client trusts a lease that %s', (_, holder, at) => {
    expect(rulesBrokenBy(({ trustedUses }) => trustedUses.push(use(holder, at)))).toEqual(['trust']);
  });
});

describe('it sees a false refusal', () => {
  it('when a live lease is called lost', () => {
    expect(
      rulesBrokenBy(({ refusals }) =>
        refusals.push({ lockName: LOCK, grantId: 'b', asked: 'renewal', sentAt: 3600, at: 3700 }),
      ),
    ).toEqual(['refusal']);
  });

  it('but not when the lease may have been released before, or was not confirmed yet', () => {
    expect(
      rulesBrokenBy(({ refusals, releases }) => {
        refusals.push({ lockName: LOCK, grantId: 'a', asked: 'release', sentAt: 1995, at: 1996 });
        refusals.push({ lockName: LOCK, grantId: 'b', asked: 'release', sentAt: 2105, at: 2300 });
        releases.push({ lockName: LOCK, grantId: 'b', sentAt: 3500, answeredAt: 3510 });
        refusals.push({ lockName: LOCK, grantId: 'b', asked: 'renewal', sentAt: 3600, at: 3700 });
      }),
    ).toEqual([]);
  });
});
