import { Injectable } from '@nestjs/common';
import { LockClient, UseLock, type Lease } from 'nestjs-db-lock';

@Injectable()
export class Imports {
  readonly done: string[] = [];

  constructor(private readonly locks: LockClient) {}

  /** A second import of the same file finds the first one at work, and leaves it alone. */
  @UseLock('import:{0}', { whenBusy: 'skip' })
  async run(file: string): Promise<void> {
    this.done.push(file);
  }

  /** The caller keeps the file until it releases the lease, or its 30 seconds are over. */
  async reserve(file: string): Promise<Lease | null> {
    return this.locks.tryAcquire(`import:${file}`, { ttl: '30s' });
  }
}
