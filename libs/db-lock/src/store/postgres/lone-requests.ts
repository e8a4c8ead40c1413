import type { AcquireRequest } from '../../lease/requests.js';
import { errorAnswer, repeatConflicts } from '../batch.js';
import type { AcquireAnswer, ReleaseAnswer } from '../lock-store.js';
import { toTime, type Microseconds } from '../rows.js';
import { Shortcut } from '../shortcut.js';
import { FAULTS } from './errors.js';
import type { Statement } from './fragments.sql.js';
import type { Lanes } from './lanes.js';
import type { LoneStatements } from './lone-requests.sql.js';
import { grantedLease, type GrantRow } from './rows.js';
import type { ReleaseByGrant } from './values.js';

/** The shortcut for acquires and releases in exclusive mode that come alone, as most do where few callers are. */
export class LoneRequests {
  readonly #shortcuts = { acquire: new Shortcut(), release: new Shortcut() };

  constructor(
    private readonly sql: LoneStatements,
    private readonly lanes: Record<'acquire' | 'release', Lanes>,
  ) {}

  /** Takes a lock that is free. Undefined: nothing was done. */
  acquire(request: AcquireRequest): Promise<AcquireAnswer | undefined> {
    const { lockName, grantId, workerName, ttl, metadata } = request;
    return this.#try<GrantRow, AcquireAnswer>(
      'acquire',
      [lockName, grantId, workerName, ttl, metadata && JSON.stringify(metadata)],
      (row) => ({ outcome: 'granted', lease: grantedLease(row, request), repeated: false }),
    );
  }

  /** Ends a lease, where nobody waits for its lock. Undefined: nothing was done. */
  release({ lockName, grantId }: ReleaseByGrant): Promise<ReleaseAnswer | undefined> {
    return this.#try<{ server_time: Microseconds }, ReleaseAnswer>('release', [lockName, grantId], (row) => ({
      outcome: 'released',
      grantId,
      next: null,
      serverTime: toTime(row.server_time),
    }));
  }

  async #try<Row, Answer>(
    what: 'acquire' | 'release',
    values: readonly unknown[],
    answer: (row: Row) => Answer,
  ) {
    const shortcut = this.#shortcuts[what];
    if (!shortcut.isWorthTrying()) return undefined;
    const statement: Statement = this.sql[what];
    try {
      const [row] = await repeatConflicts(FAULTS, () => this.lanes[what].run<Row>(statement, values));
      shortcut.tried(row ? 1 : 0, 1);
      return row && answer(row);
    } catch (error) {
      return errorAnswer(error);
    }
  }
}
