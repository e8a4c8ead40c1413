import { Injectable } from '@nestjs/common';
import { LockClient, type LockInfo } from 'nestjs-db-lock';

/** Work of which there must be one at a time. */
@Injectable()
export class InvoicesService {
  constructor(private readonly locks: LockClient) {}

  /** What others see while an invoice is sent: who has the lock, and that nobody else gets it. */
  async send(number: number): Promise<{ token: number; seen: LockInfo | null; alone: boolean }> {
    const name = `invoice:${number}`;
    return this.locks.withLock(name, { ttl: '10s', workerName: 'sender' }, async (lease) => ({
      token: lease.fencingToken,
      seen: await this.locks.inspect(name),
      alone: (await this.locks.tryAcquire(name)) === null,
    }));
  }
}
