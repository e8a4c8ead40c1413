import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { currentLease, UseLock } from 'nestjs-db-lock';

/** When the report was sent, by all instances together: the second, and the token under which it was. */
export const runs: Array<{ second: number; token: number }> = [];

@Injectable()
export class Reports {
  /** The lock stays taken for most of the second, also when the work is done sooner: the other instances' clocks differ. */
  @UseLock('report', { ttl: '5s', minHold: '700ms', whenBusy: 'skip' })
  @Cron('* * * * * *')
  async send(): Promise<void> {
    runs.push({ second: Math.floor(Date.now() / 1000), token: currentLease()!.fencingToken });
  }
}
