import type { Share } from '../../libs/db-lock/src/lease/modes.js';
import { SHARED_GRANT } from '../../libs/db-lock/src/lease/requests.js';
import { groupedBy } from './grouping.js';
import type {
  AcceptedUse,
  Busy,
  Grant,
  History,
  LocalTime,
  Look,
  RowVersion,
  TrustedUse,
} from './history.js';
import { Tenures, type Tenure } from './tenures.js';

export type Rule =
  /** Who has a lock exclusively is alone with it, by the database's clock. */
  | 'overlap'
  /** No lease in shared mode is granted beyond its own limit, by the database's clock. */
  | 'permits'
  /** Tokens grow with every grant of a lock, in whatever mode. */
  | 'token'
  /** A downgrade is one step, which takes nothing from the lease but that it is alone. */
  | 'downgrade'
  /** No lease that was over comes to life again. */
  | 'revival'
  /** What a client got confirmed is in the database, also after a crash. */
  | 'forgotten'
  /** A repeat of an acquire with the same grantId is the same lease. */
  | 'repeat'
  /** The guarded resource never allows an older token, and never refuses a holder who may trust its lease. */
  | 'fence'
  /** No two clients use the guarded resource at a time that exclude each other, whatever the database says. */
  | 'company'
  /** No client trusts a lease that is over by the database's clock. */
  | 'trust'
  /** Nobody is told that a live lease is lost. */
  | 'refusal'
  /** Nobody is refused a share of a lock that has room for it. */
  | 'busy';

export interface Violation {
  rule: Rule;
  lockName: string;
  what: string;
}

/** Holds a history against the safety contract. Empty when it was kept. */
export function violationsOf(history: History): Violation[] {
  const tenures = new Tenures(history);
  return [
    ...tenures
      .byLock()
      .flatMap((ofLock) => [
        ...overlaps(ofLock),
        ...exceededLimits(ofLock),
        ...fallingTokens(ofLock),
        ...revivals(ofLock),
      ]),
    ...brokenDowngrades(history, tenures),
    ...forgottenGrants(history, tenures),
    ...forgottenRenewals(history, tenures),
    ...history.looks.flatMap((look) => forgottenAt(look, history)),
    ...changedRepeats(history, tenures),
    ...staleUses(history),
    ...refusedUses(history),
    ...bothInside(history),
    ...misplacedTrust(history, tenures),
    ...falseRefusals(history, tenures),
    ...falseBusies(history, tenures),
  ];
}

/** Of all before, the one that lasts longest is enough; of those who share the lock, nobody minds another. */
function overlaps(ofLock: readonly Tenure[]): Violation[] {
  let longest: Tenure | undefined;
  let longestExclusive: Tenure | undefined;
  return ofLock.flatMap((tenure) => {
    const before = tenure.share ? longestExclusive : longest;
    longest = laterOf(longest, tenure);
    if (!tenure.share) longestExclusive = laterOf(longestExclusive, tenure);
    if (!before || tenure.from >= before.until) return [];
    return violation('overlap', tenure, `${show(tenure)} began before the end of ${show(before)}`);
  });
}

const laterOf = (one: Tenure | undefined, other: Tenure) => (one && one.until >= other.until ? one : other);

/** By the limit of each: the permits of those that are live when it is granted, its own included. */
function exceededLimits(ofLock: readonly Tenure[]): Violation[] {
  let live: Tenure[] = [];
  return ofLock.flatMap((tenure) => {
    live = live.filter(({ until }) => until > tenure.from);
    if (tenure.share) live.push(tenure);
    return overLimit(tenure, live).map((what) => violation('permits', tenure, `${show(tenure)}: ${what}`));
  });
}

/** What is wrong with a lease among these, itself included. */
function overLimit({ share }: { share?: Share }, all: ReadonlyArray<{ share?: Share }>): string[] {
  const taken = all.reduce((sum, one) => sum + (one.share?.permits ?? 0), 0);
  if (!share || share.limit === null || taken <= share.limit) return [];
  return [`${taken} permits are taken, and its limit is ${share.limit}`];
}

function fallingTokens(ofLock: readonly Tenure[]): Violation[] {
  const grants = ofLock.filter(({ isRevived }) => !isRevived);
  return grants.flatMap((tenure, index) => {
    const before = grants[index - 1];
    if (!before || tenure.token > before.token) return [];
    return violation('token', tenure, `${show(tenure)} came after ${show(before)}`);
  });
}

function revivals(ofLock: readonly Tenure[]): Violation[] {
  return ofLock
    .filter(({ isRevived }) => isRevived)
    .map((tenure) => violation('revival', tenure, `${show(tenure)} was over before`));
}

/** What is missing altogether is forgotten. */
function brokenDowngrades({ downgrades }: History, tenures: Tenures): Violation[] {
  return downgrades.flatMap((downgrade) => {
    const tenure = tenures.find(downgrade);
    if (!tenure) return [];
    const { downgraded, committedExpiry = 0 } = tenure;
    if (downgraded && committedExpiry >= (downgraded.committedExpiry ?? 0)) return [];
    const before = downgraded ? `ended sooner than ${show(downgraded)}` : 'came of no live exclusive lease';
    return violation('downgrade', downgrade, `${show(tenure)} ${before}`);
  });
}

/** A lease that has another share than its holder was told is not the one that was confirmed. */
function forgottenGrants({ grants, downgrades }: History, tenures: Tenures): Violation[] {
  return [...grants, ...downgrades].flatMap((confirmed) => {
    const tenure = tenures.find(confirmed);
    const what = `token ${confirmed.token}, granted to ${confirmed.grantId}`;
    if (tenure?.committedExpiry === undefined || !isSameShare(tenure, confirmed))
      return violation('forgotten', confirmed, what);
    if (tenure.takenAwayAt === undefined) return [];
    return violation('forgotten', confirmed, `${what}, was taken away at ${tenure.takenAwayAt}`);
  });
}

const isSameShare = ({ share: one }: { share?: Share }, { share: other }: { share?: Share }) =>
  one?.permits === other?.permits && one?.limit === other?.limit;

function forgottenRenewals({ renewals }: History, tenures: Tenures): Violation[] {
  return renewals
    .filter((renewal) => !(Math.floor(tenures.find(renewal)?.committedExpiry ?? 0) >= renewal.expireTime))
    .map((renewal) =>
      violation('forgotten', renewal, `token ${renewal.token}, renewed until ${renewal.expireTime}`),
    );
}

/** A confirmed grant is in its row until it was released, a later one took its place, or, in shared mode, it expired. */
function forgottenAt(look: Look, { grants, downgrades, renewals, releases }: History): Violation[] {
  const rows = new Map(look.rows.map((row) => [row.lockName, row]));
  const holders = new Map(look.holders.map((holder) => [holderKey(holder), holder]));
  const mayBeReleased = new Set(
    releases.filter(({ sentAt }) => sentAt < look.answeredAt).map(({ grantId }) => grantId),
  );
  const shared = new Set([...grants, ...downgrades, ...renewals].filter(({ share }) => share).map(holderKey));
  const isThere = (confirmed: Confirmed) => {
    const row = rows.get(confirmed.lockName);
    if (!row || row.token < confirmed.token) return false;
    if (!shared.has(holderKey(confirmed)))
      return row.token > confirmed.token || isStillIn(row, confirmed, mayBeReleased);
    if (mayBeReleased.has(confirmed.grantId) || confirmed.expireTime <= look.at) return true;
    const expireTime =
      row.grantId === SHARED_GRANT ? holders.get(holderKey(confirmed))?.expireTime : undefined;
    return expireTime !== undefined && Math.floor(expireTime) >= confirmed.expireTime;
  };
  return [...grants, ...downgrades, ...renewals]
    .filter(({ answeredAt }) => answeredAt < look.sentAt)
    .filter((confirmed) => !isThere(confirmed))
    .map((confirmed) =>
      violation(
        'forgotten',
        confirmed,
        `token ${confirmed.token} until ${confirmed.expireTime}: ` +
          `the row was found as ${JSON.stringify(rows.get(confirmed.lockName))}, ` +
          `the holder's as ${JSON.stringify(holders.get(holderKey(confirmed)))}`,
      ),
    );
}

type Confirmed = Pick<Grant, 'lockName' | 'grantId' | 'token' | 'expireTime'>;

const holderKey = ({ lockName, grantId, token }: Omit<Confirmed, 'expireTime'>) =>
  `${token} ${grantId} ${lockName}`;

/** A grant of a lock, whatever token it has: repeats of an acquire have the same, and so has what a downgrade makes of it. */
const grantKey = ({ lockName, grantId }: Pick<Grant, 'lockName' | 'grantId'>) => `${grantId} ${lockName}`;

function isStillIn(
  row: RowVersion,
  { grantId, token, expireTime }: Confirmed,
  mayBeReleased: ReadonlySet<string>,
): boolean {
  if (row.token !== token) return false;
  if (row.grantId === null) return mayBeReleased.has(grantId);
  return row.grantId === grantId && Math.floor(row.expireTime) >= expireTime;
}

/** When the lease was over, the same grantId makes a new one. */
function changedRepeats({ grants }: History, tenures: Tenures): Violation[] {
  const byGrantId = groupedBy(grants, grantKey);
  return [...byGrantId.values()].flatMap((unordered) => {
    const ofGrantId = unordered.toSorted(
      (one, other) => one.lockTime - other.lockTime || one.token - other.token,
    );
    return ofGrantId.flatMap((grant, index) => {
      const before = ofGrantId[index - 1];
      if (!before) return [];
      const isSame =
        grant.token === before.token && grant.lockTime === before.lockTime && isSameShare(grant, before);
      const tenure = tenures.find(before);
      const end = tenure?.until ?? before.expireTime;
      const isDowngraded = tenure !== undefined && tenures.find(grant)?.downgraded === tenure;
      const isAnother = grant.token !== before.token && (isDowngraded || grant.lockTime >= Math.floor(end));
      if (isSame || isAnother) return [];
      return violation(
        'repeat',
        grant,
        `grantId ${grant.grantId} was token ${before.token} since ${before.lockTime}, ` +
          `then ${grant.token} since ${grant.lockTime}`,
      );
    });
  });
}

/** A writer minds everybody after it; a reader only the writers. */
function staleUses({ acceptedUses }: History): Violation[] {
  const newest = new Map<string, number>();
  const newestWriter = new Map<string, number>();
  return acceptedUses.flatMap((use) => {
    const { lockName, token, mode } = use;
    const seen = (mode === 'shared' ? newestWriter : newest).get(lockName) ?? 0;
    raise(newest, use);
    if (mode === 'exclusive') raise(newestWriter, use);
    if (token >= seen) return [];
    return violation('fence', use, `token ${token} was accepted after ${seen}`);
  });
}

function raise(tokens: Map<string, number>, { lockName, token }: AcceptedUse): void {
  tokens.set(lockName, Math.max(tokens.get(lockName) ?? 0, token));
}

function refusedUses({ trustedUses }: History): Violation[] {
  return trustedUses
    .filter(({ accepted }) => !accepted)
    .map((use) =>
      violation('fence', use, `token ${use.token} was refused, though ${use.workerName} held the lock`),
    );
}

/** Who is found to trust its lease at the end of a use has trusted it all the time. */
function bothInside({ trustedUses }: History): Violation[] {
  const inOrder = trustedUses.toSorted((one, other) => one.began - other.began);
  return [...groupedBy(inOrder, ({ lockName }) => lockName).values()].flatMap((ofLock) => {
    let inside: TrustedUse[] = [];
    return ofLock.flatMap((use) => {
      inside = inside.filter(({ ended, grantId }) => ended > use.began && grantId !== use.grantId);
      const rival = inside.find(({ share }) => !share || !use.share);
      inside.push(use);
      const crowded = inside.flatMap((one) =>
        overLimit(
          one,
          inside.filter(({ token }) => token <= one.token),
        ),
      );
      const faults = rival ? [`${rival.workerName} was there with token ${rival.token}`] : crowded;
      return faults.map((what) =>
        violation('company', use, `${use.workerName} came with token ${use.token}: ${what}`),
      );
    });
  });
}

function misplacedTrust({ trustedUses }: History, tenures: Tenures): Violation[] {
  return trustedUses
    .filter((use) => !(use.at < ((use.share ? tenures.findForReader(use) : tenures.find(use))?.until ?? 0)))
    .map((use) => violation('trust', use, `${use.workerName} trusted token ${use.token} at ${use.at}`));
}

/** An earlier release may have ended the lease before its answer was lost; a crash may even have undone that. */
function falseRefusals({ refusals, grants, downgrades, releases }: History, tenures: Tenures): Violation[] {
  const confirmed = groupedBy([...grants, ...downgrades], grantKey);
  const released = groupedBy(releases, ({ grantId }) => grantId);
  return refusals.flatMap((refusal) => {
    const { grantId, sentAt } = refusal;
    const before = (confirmed.get(grantKey(refusal)) ?? []).filter(({ answeredAt }) => answeredAt < sentAt);
    const latest = before.toSorted((one, other) => other.answeredAt - one.answeredAt)[0];
    const mayBeReleased = released.get(grantId)?.some((release) => release.sentAt < sentAt);
    if (!latest || mayBeReleased) return [];
    const tenure = tenures.find(latest);
    if (!tenure || refusal.at >= tenure.until) return [];
    return violation(
      'refusal',
      refusal,
      `${show(tenure)} was called lost before ${refusal.at}, when its ${refusal.asked} came`,
    );
  });
}

/**
 * Only what can be told: whoever may have been in the way between the two looks at the clock counts, also when they were not there together;
 * and nothing is said while somebody may have stood in the queue.
 */
function falseBusies(history: History, tenures: Tenures): Violation[] {
  const { busies, waits } = history;
  const ofLock = new Map(tenures.byLock().map((all) => [all[0]!.lockName, all]));
  const endings = new Endings(history);
  return busies.flatMap((busy) => {
    const { lockName, grantId, share, since, at, answeredAt } = busy;
    const all = ofLock.get(lockName) ?? [];
    const near = all.filter(
      (one) => one.from < at && (one.until > since || !endings.wasSeenBefore(busy, one, all)),
    );
    const own = near.find(
      (one) => one.share && one.grantId === grantId && one.from < since && one.until >= at,
    );
    if (own)
      return violation('busy', busy, `it was refused between ${since} and ${at}, and had ${show(own)}`);
    const mayBeQueued = waits.some(
      (wait) => wait.lockName === lockName && wait.sentAt < answeredAt && wait.until > busy.sentAt,
    );
    const mayBeFull = overLimit({ share }, [...near, { share }]).length > 0;
    if (mayBeQueued || mayBeFull || near.some((one) => !one.share)) return [];
    return violation('busy', busy, `${share.permits} permits were refused between ${since} and ${at}`);
  });
}

/** When others could see that leases were ended: as soon as that was committed, which may take longer than until the next look at the clock. */
class Endings {
  readonly #answered = new Map<string, LocalTime>();

  constructor({ releases, downgrades }: History) {
    for (const ending of [...releases, ...downgrades]) {
      const key = grantKey(ending);
      this.#answered.set(key, Math.min(ending.answeredAt, this.#answered.get(key) ?? Infinity));
    }
  }

  /** Whether who was asked for a lock then must have seen the end of this one of its tenures: nobody is granted the lock before it is committed. */
  wasSeenBefore({ since, sentAt }: Busy, tenure: Tenure, ofLock: readonly Tenure[]): boolean {
    if (!tenure.isEnded) return true;
    const answeredAt = this.#answered.get(grantKey(tenure)) ?? Infinity;
    return answeredAt < sentAt || ofLock.some(({ from }) => from > tenure.until && from <= since);
  }
}

function show({ token, from, until }: Tenure): string {
  return `token ${token} (${from} to ${until})`;
}

function violation(rule: Rule, { lockName }: { lockName: string }, what: string): Violation {
  return { rule, lockName, what };
}
