import type { AcquireRequest } from '../../lease/requests.js';
import { errorAnswer, repeatConflicts } from '../batch.js';
import type { AcquireAnswer, ErrorAnswer, ReleaseAnswer } from '../lock-store.js';
import { toTime, type Microseconds } from '../rows.js';
import { Shortcut } from '../shortcut.js';
import { FAULTS } from './errors.js';
import type { Lanes } from './lanes.js';
import type { LoneStatements } from './lone-requests.sql.js';
import { grantedLease, type GrantRow } from './rows.js';
import type { ReleaseByGrant } from './values.js';

/** The shortcuts for acquires and releases in exclusive mode that come alone, as most do where few callers are. */
export class LoneRequests {
  readonly #shortcuts = { take: new Shortcut(), make: new Shortcut(), release: new Shortcut() };

  constructor(
    private readonly sql: LoneStatements,
    private readonly lanes: Record<'acquire' | 'release', Lanes>,
  ) {}

  /** Takes a lock that is free. Undefined: nothing was done. */
  async acquire(request: AcquireRequest): Promise<AcquireAnswer | undefined> {
    const { lockName, grantId, workerName, ttl, metadata } = request;
    const values = [lockName, grantId, workerName, ttl, metadata && JSON.stringify(metadata)];
    const answer = (row: GrantRow): AcquireAnswer => ({
      outcome: 'granted',
      lease: grantedLease(row, request),
      repeated: false,
    });
    const { acquire } = this.lanes;
    return (
      (await this.#try('take', acquire, values, answer)) ?? (await this.#try('make', acquire, values, answer))
    );
  }

  /** Ends a lease, where nobody waits for its lock. Undefined: nothing was done. */
  release({ lockName, grantId }: ReleaseByGrant): Promise<ReleaseAnswer | undefined> {
    const answer = (row: { server_time: Microseconds }): ReleaseAnswer => ({
      outcome: 'released',
      grantId,
      next: null,
      serverTime: toTime(row.server_time),
    });
    return this.#try('release', this.lanes.release, [lockName, grantId], answer);
  }

  async #try<Row, Answer>(
    what: keyof LoneStatements,
    lanes: Lanes,
    values: readonly unknown[],
    answer: (row: Row) => Answer,
  ): Promise<Answer | ErrorAnswer | undefined> {
    const shortcut = this.#shortcuts[what];
    if (!shortcut.isWorthTrying()) return undefined;
    try {
      const [row] = await repeatConflicts(FAULTS, () => lanes.run<Row>(this.sql[what], values));
      shortcut.tried(row ? 1 : 0, 1);
      return row && answer(row);
    } catch (error) {
      return errorAnswer(error);
    }
  }
}
