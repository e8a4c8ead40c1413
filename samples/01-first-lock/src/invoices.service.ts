import { Injectable } from '@nestjs/common';
import { LockClient } from 'nestjs-db-lock';

@Injectable()
export class InvoicesService {
  constructor(private readonly locks: LockClient) {}

  /** Whoever comes second waits for the first, for up to five seconds. */
  async send(id: number, sent: Set<number>): Promise<string> {
    return this.locks.withLock(`invoice:${id}`, { wait: '5s' }, async (lease) => {
      if (sent.has(id)) return `token ${lease.fencingToken}: invoice ${id} was sent already`;
      sent.add(id);
      return `token ${lease.fencingToken}: invoice ${id} sent`;
    });
  }
}
