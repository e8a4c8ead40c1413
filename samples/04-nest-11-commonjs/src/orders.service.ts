import { Injectable } from '@nestjs/common';
import { LockClient, UseLock, currentLease } from 'nestjs-db-lock';

@Injectable()
export class OrdersService {
  readonly shipped: string[] = [];

  constructor(private readonly locks: LockClient) {}

  /** One at a time for each order, on however many instances. */
  @UseLock('order:{0}', { wait: '2s' })
  async ship(id: string): Promise<number> {
    this.shipped.push(id);
    return currentLease()!.fencingToken;
  }

  /** Whether somebody ships that order just now. */
  async isBusy(id: string): Promise<boolean> {
    return (await this.locks.inspect(`order:${id}`))?.state === 'held';
  }
}
