import type { DowngradeRequest, ReleaseByGrant, RenewRequest, SharedRequest } from '../../lease/requests.js';
import { answerEach, answerTogether, type BatchOptions } from '../batch.js';
import type { AcquireAnswer, ReleaseAnswer, RenewAnswer } from '../lock-store.js';
import type { DowngradeAnswer, SharedLocks } from '../shared-locks.js';
import type { Connection } from './connection.js';
import type { Sharers } from './sharers.js';

/**
 * Leases in shared mode. Each batch is one transaction that began with BEGIN IMMEDIATE: nobody else changes a lock, or those who share it,
 * between what it reads and what it writes.
 */
export class SqliteSharedLocks implements SharedLocks {
  constructor(
    private readonly connection: Connection,
    private readonly sharers: Sharers,
    private readonly batches: BatchOptions,
  ) {}

  acquire(requests: readonly SharedRequest[]): Promise<AcquireAnswer[]> {
    return answerTogether(requests, this.batches, (batch) =>
      this.connection.write('durable', (now) => this.sharers.acquire(batch, now)),
    );
  }

  renew(requests: readonly RenewRequest[]): Promise<RenewAnswer[]> {
    return answerTogether(requests, this.batches, (batch) =>
      this.connection.write('durable', (now) => batch.map((request) => this.sharers.renew(request, now))),
    );
  }

  release(requests: readonly ReleaseByGrant[]): Promise<ReleaseAnswer[]> {
    return answerTogether(requests, this.batches, (batch) =>
      this.connection.write('lazy', (now) => this.sharers.release(batch, now)),
    );
  }

  downgrade(requests: readonly DowngradeRequest[]): Promise<DowngradeAnswer[]> {
    return answerEach(requests, this.batches, (batch) =>
      this.connection.write('durable', (now) => batch.map((request) => this.sharers.downgrade(request, now))),
    );
  }
}
