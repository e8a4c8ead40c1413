import type { ReleaseByGrant, SharedRequest } from '../../lease/requests.js';
import { answerTogether, type BatchOptions } from '../batch.js';
import type { AcquireAnswer, ExpiredLease, ReleaseAnswer } from '../lock-store.js';
import { toNext, toTime, type Microseconds } from '../rows.js';
import { inOrder } from '../sharing.js';
import { Shortcut } from '../shortcut.js';
import type { Run } from './lane.js';
import type { OneLockStatements } from './one-lock.sql.js';
import { grantedLease, type GrantRow } from './rows.js';
import { oneGrantValues, oneQueuedGrantValues, oneReleaseValues } from './shared-values.js';

/** The shortcut for grants and releases in shared mode that are all about one lock: one statement each. */
export class OneLock {
  readonly #shortcuts = { try: new Shortcut(), wait: new Shortcut() };

  constructor(
    private readonly sql: OneLockStatements,
    private readonly batches: BatchOptions,
  ) {}

  /** Answers those who get the lock; nothing was done for the others. */
  async acquire(requests: readonly SharedRequest[], run: Run): Promise<Array<AcquireAnswer | undefined>> {
    if (!areOfOneLock(requests) || hasTwins(requests)) return [];
    const shortcut = this.#shortcuts[requests.some(isWaiting) ? 'wait' : 'try'];
    if (!shortcut.isWorthTrying()) return [];
    const answers = await answerTogether(requests, this.batches, (batch) => this.#grant(batch, run));
    shortcut.tried(answers.filter(Boolean).length, requests.length);
    return answers;
  }

  async #grant(batch: readonly SharedRequest[], run: Run): Promise<Array<AcquireAnswer | undefined>> {
    const [indexes] = inOrder(batch).values();
    const ordered = indexes!.map((index) => batch[index]!);
    const rows = await (batch.some(isWaiting)
      ? run<GrantedRow | ExpiredRow>(this.sql.grantQueued, oneQueuedGrantValues(ordered))
      : run<GrantedRow | ExpiredRow>(this.sql.grant, oneGrantValues(ordered)));
    const grants = rows.filter(isGranted);
    const granted = new Map(grants.map((row) => [row.grant_id, row]));
    const next = granted.size === batch.length ? toNext(grants[0]!) : null;
    const expired = rows.filter(isExpired).map((row) => expiredIn(row, batch[0]!));
    const first = batch.findIndex(({ grantId }) => granted.has(grantId));
    return batch.map((request, index): AcquireAnswer | undefined => {
      const row = granted.get(request.grantId);
      if (!row) return undefined;
      const alsoExpired = index === first && expired.length > 0 ? expired : undefined; // told once
      return {
        outcome: 'granted',
        lease: { ...grantedLease(row, request), share: { ...request.share } },
        repeated: false,
        alsoExpired,
        next,
      };
    });
  }

  /** Whether `release` can be asked for these. */
  canRelease(batch: readonly ReleaseByGrant[]): boolean {
    return areOfOneLock(batch) && batch.every(({ minHold, version }) => !minHold && version === undefined);
  }

  /** Ends leases. Answers undefined for all where the lock was changed meanwhile: nothing was done. */
  async release(batch: readonly ReleaseByGrant[], run: Run): Promise<Array<ReleaseAnswer | undefined>> {
    const [row] = await run<EndedRow>(this.sql.release, oneReleaseValues(batch));
    if (row!.is_current === false) return batch.map(() => undefined);
    const ended = new Set(row!.ended?.split(','));
    const serverTime = toTime(row!.server_time);
    const next = toNext(row!);
    // As of all that are ended together, the last one tells who is next.
    const last = batch.findLastIndex(({ grantId }) => ended.has(grantId));
    return batch.map(({ grantId }, index): ReleaseAnswer =>
      ended.has(grantId)
        ? { outcome: 'released', grantId, next: index === last ? next : null, serverTime }
        : { outcome: 'lost', serverTime },
    );
  }
}

/** A lease that was granted. */
interface GrantedRow extends GrantRow {
  grant_id: string;
  next: string | null;
}

/** One that had expired and gave way. */
interface ExpiredRow {
  grant_id: null;
  token: string;
  expired_name: string;
}

interface EndedRow {
  ended: string | null;
  is_current: boolean | null;
  next: string | null;
  server_time: Microseconds;
}

const areOfOneLock = (requests: ReadonlyArray<{ lockName: string }>) =>
  requests.every(({ lockName }) => lockName === requests[0]!.lockName);

/** A statement would do only one of them. */
const hasTwins = (requests: readonly SharedRequest[]) =>
  requests.length > 1 && new Set(requests.map(({ grantId }) => grantId)).size < requests.length;

const isWaiting = ({ ticket }: SharedRequest) => ticket !== undefined;

const isGranted = (row: GrantedRow | ExpiredRow): row is GrantedRow => row.grant_id !== null;

const isExpired = (row: GrantedRow | ExpiredRow): row is ExpiredRow => !isGranted(row);

const expiredIn = ({ expired_name, token }: ExpiredRow, { lockName }: SharedRequest): ExpiredLease => ({
  lockName,
  workerName: expired_name,
  fencingToken: Number(token),
});
