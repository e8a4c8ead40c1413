import { groupedBy } from './grouping.js';
import type { Grant, History, Look, RowVersion } from './history.js';
import { Tenures, type Tenure } from './tenures.js';

export type Rule =
  /** At most one live lease a lock, by the database's clock. */
  | 'overlap'
  /** Tokens grow with every grant of a lock. */
  | 'token'
  /** What a client got confirmed is in the database, also after a crash. */
  | 'forgotten'
  /** A repeat of an acquire with the same grantId is the same lease. */
  | 'repeat'
  /** The guarded resource never takes an older token, and never refuses a holder who may trust its lease. */
  | 'fence'
  /** No client trusts a lease that is over by the database's clock. */
  | 'trust'
  /** Nobody is told that a live lease is lost. */
  | 'refusal';

export interface Violation {
  rule: Rule;
  lockName: string;
  what: string;
}

/** Holds a history against the safety contract. Empty when it was kept. */
export function violationsOf(history: History): Violation[] {
  const tenures = new Tenures(history);
  return [
    ...tenures.byLock().flatMap((ofLock) => [...overlaps(ofLock), ...fallingTokens(ofLock)]),
    ...forgottenGrants(history, tenures),
    ...forgottenRenewals(history, tenures),
    ...history.looks.flatMap((look) => forgottenAt(look, history)),
    ...changedRepeats(history, tenures),
    ...staleWrites(history),
    ...refusedWrites(history),
    ...misplacedTrust(history, tenures),
    ...falseRefusals(history, tenures),
  ];
}

function overlaps(ofLock: readonly Tenure[]): Violation[] {
  let longest: Tenure | undefined;
  return ofLock.flatMap((tenure) => {
    const before = longest;
    if (!longest || tenure.until > longest.until) longest = tenure;
    if (!before || tenure.from >= before.until) return [];
    return violation('overlap', tenure, `${show(tenure)} began before the end of ${show(before)}`);
  });
}

function fallingTokens(ofLock: readonly Tenure[]): Violation[] {
  return ofLock.flatMap((tenure, index) => {
    const before = ofLock[index - 1];
    if (!before || tenure.token > before.token) return [];
    return violation('token', tenure, `${show(tenure)} came after ${show(before)}`);
  });
}

function forgottenGrants({ grants }: History, tenures: Tenures): Violation[] {
  return grants
    .filter((grant) => tenures.find(grant)?.committedExpiry === undefined)
    .map((grant) => violation('forgotten', grant, `token ${grant.token}, granted to ${grant.workerName}`));
}

function forgottenRenewals({ renewals }: History, tenures: Tenures): Violation[] {
  return renewals
    .filter((renewal) => !(Math.floor(tenures.find(renewal)?.committedExpiry ?? 0) >= renewal.expireTime))
    .map((renewal) =>
      violation('forgotten', renewal, `token ${renewal.token}, renewed until ${renewal.expireTime}`),
    );
}

/** A confirmed grant is in its row until it was released or a later one took its place. */
function forgottenAt(look: Look, { grants, renewals, releases }: History): Violation[] {
  const rows = new Map(look.rows.map((row) => [row.lockName, row]));
  const mayBeReleased = new Set(
    releases.filter(({ sentAt }) => sentAt < look.answeredAt).map(({ grantId }) => grantId),
  );
  return [...grants, ...renewals]
    .filter(({ answeredAt }) => answeredAt < look.sentAt)
    .filter((confirmed) => {
      const row = rows.get(confirmed.lockName);
      const isSuperseded = row !== undefined && row.token > confirmed.token;
      return !isSuperseded && !(row && isStillIn(row, confirmed, mayBeReleased));
    })
    .map((confirmed) =>
      violation(
        'forgotten',
        confirmed,
        `token ${confirmed.token} until ${confirmed.expireTime}: ` +
          `the row was found as ${JSON.stringify(rows.get(confirmed.lockName))}`,
      ),
    );
}

function isStillIn(
  row: RowVersion,
  { grantId, token, expireTime }: Pick<Grant, 'grantId' | 'token' | 'expireTime'>,
  mayBeReleased: ReadonlySet<string>,
): boolean {
  if (row.token !== token) return false;
  if (row.grantId === null) return mayBeReleased.has(grantId);
  return row.grantId === grantId && Math.floor(row.expireTime) >= expireTime;
}

/** When the lease was over, the same grantId makes a new one. */
function changedRepeats({ grants }: History, tenures: Tenures): Violation[] {
  const byGrantId = groupedBy(grants, ({ lockName, grantId }) => `${grantId} ${lockName}`);
  return [...byGrantId.values()].flatMap((unordered) => {
    const ofGrantId = unordered.toSorted((one, other) => one.lockTime - other.lockTime);
    return ofGrantId.flatMap((grant, index) => {
      const before = ofGrantId[index - 1];
      if (!before) return [];
      const isSame = grant.token === before.token && grant.lockTime === before.lockTime;
      const end = tenures.find(before)?.until ?? before.expireTime;
      const isAnother = grant.token !== before.token && grant.lockTime >= Math.floor(end);
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

function staleWrites({ acceptedWrites }: History): Violation[] {
  const newest = new Map<string, number>();
  return acceptedWrites.flatMap((write) => {
    const seen = newest.get(write.lockName) ?? 0;
    newest.set(write.lockName, Math.max(seen, write.token));
    if (write.token >= seen) return [];
    return violation('fence', write, `token ${write.token} was accepted after ${seen}`);
  });
}

function refusedWrites({ trustedWrites }: History): Violation[] {
  return trustedWrites
    .filter(({ accepted }) => !accepted)
    .map((write) =>
      violation('fence', write, `token ${write.token} was refused, though ${write.workerName} held the lock`),
    );
}

function misplacedTrust({ trustedWrites }: History, tenures: Tenures): Violation[] {
  return trustedWrites
    .filter((write) => !(write.at < (tenures.find(write)?.until ?? 0)))
    .map((write) =>
      violation('trust', write, `${write.workerName} trusted token ${write.token} at ${write.at}`),
    );
}

/** An earlier release may have ended the lease before its answer was lost; a crash may even have undone that. */
function falseRefusals({ refusals, grants, releases }: History, tenures: Tenures): Violation[] {
  const granted = groupedBy(grants, ({ grantId }) => grantId);
  const released = groupedBy(releases, ({ grantId }) => grantId);
  return refusals.flatMap((refusal) => {
    const { grantId, sentAt } = refusal;
    const grant = granted.get(grantId)?.findLast(({ answeredAt }) => answeredAt < sentAt);
    const mayBeReleased = released.get(grantId)?.some((release) => release.sentAt < sentAt);
    if (!grant || mayBeReleased) return [];
    const tenure = tenures.find(grant);
    if (!tenure || refusal.at >= tenure.until) return [];
    return violation(
      'refusal',
      refusal,
      `${show(tenure)} was called lost before ${refusal.at}, when its ${refusal.asked} came`,
    );
  });
}

function show({ token, from, until }: Tenure): string {
  return `token ${token} (${from} to ${until})`;
}

function violation(rule: Rule, { lockName }: { lockName: string }, what: string): Violation {
  return { rule, lockName, what };
}
