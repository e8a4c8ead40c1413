import { Logger } from '@nestjs/common';
import type { LockServer } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { AdminPasswordGuard } from '../../src/admin-password.guard.js';
import { BearerTokenGuard } from '../../src/bearer-token.guard.js';
import { CommandLine, type Ending } from '../support/command-line.js';
import { LockService } from '../support/lock-service.js';
import { until } from '../support/patience.js';

/** Milliseconds for what takes a moment. */
export const PATIENCE = 60_000;

const TOKEN = 'a-token-of-the-tests';
const PASSWORD = 'a-password-of-the-tests';

/** The two ways to the same locks. */
export const WAYS = ['by a server', 'in the database'] as const;

export type WayName = (typeof WAYS)[number];

/** A lock server behind a token and a password, its database, and command lines that go to either. */
export class CommandLineScene implements AsyncDisposable {
  private constructor(readonly service: LockService) {}

  static async open(): Promise<CommandLineScene> {
    const guards = [new BearerTokenGuard(TOKEN)];
    const adminGuards = [new AdminPasswordGuard(PASSWORD)];
    return new CommandLineScene(await LockService.open({ features: [{ guards, adminGuards }] }));
  }

  get locks(): LockServer {
    return this.service.locks;
  }

  /** What says where the locks are. */
  environment(way: WayName): Record<string, string> {
    return way === 'by a server'
      ? {
          DB_LOCK_SERVER: this.service.origin,
          DB_LOCK_API_TOKEN: TOKEN,
          DB_LOCK_ADMIN_PASSWORD: PASSWORD,
        }
      : { DATABASE_URL: this.service.databaseUrl };
  }

  start(way: WayName, args: readonly string[], more: Record<string, string> = {}): CommandLine {
    return new CommandLine(args, { ...this.environment(way), ...more });
  }

  run(way: WayName, args: readonly string[], more?: Record<string, string>): Promise<Ending> {
    return this.start(way, args, more).ended;
  }

  /** Somebody else holds it. */
  async hold(lockName: string, workerName = 'somebody', ttl = 60_000): Promise<void> {
    await this.locks.acquire({ lockName, workerName, grantId: randomUUID(), ttl });
  }

  /** Waits until the lock is in this state. */
  async is(lockName: string, state: 'held' | 'released' | 'expired'): Promise<void> {
    await until(
      `${lockName} is ${state}`,
      PATIENCE,
      async () => (await this.locks.inspect(lockName))?.state === state,
    );
  }

  async waitedFor(lockName: string): Promise<void> {
    await until(
      `somebody waits for ${lockName}`,
      PATIENCE,
      async () => (await this.locks.inspect(lockName))?.waiting === 1,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Logger.overrideLogger(['error', 'fatal']); // the command line has set its own
    await this.service.close();
  }
}
