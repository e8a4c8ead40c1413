import { expect } from '@jest/globals';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { DbLockModuleOptions, HistoryStore, LeaseRecord, LockServer } from 'nestjs-db-lock';
import { MemoryLockStore } from 'nestjs-db-lock/testing';
import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { groupsJson, historyJson, overviewJson } from '../../libs/db-lock/src/admin/schemas.js';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import { inspectedLockJson, lockJson, lockPageJson } from '../../libs/db-lock/src/server/schemas.js';
import {
  LockService,
  type Answer,
  type LockRow,
  type LockServiceOptions,
  type Message,
} from '../support/lock-service.js';
import { until } from '../support/patience.js';

/** Milliseconds for what takes a moment, or comes by itself within a few seconds. */
export const PATIENCE = 60_000;

/** Who asks, where a request does not say. */
export const OPERATOR = 'olga';

export type HistoryEvent = z.output<typeof historyJson>['items'][number];

/** Takes everybody for who they say they are. */
class OperatorGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context
      .switchToHttp()
      .getRequest<{ headers: Record<string, string>; user?: { username: string } }>();
    request.user = { username: request.headers['x-operator'] ?? OPERATOR };
    return true;
  }
}

/** An application with an admin, asked by HTTP, and its locks as their holders see them. */
export class AdminScene implements AsyncDisposable {
  private constructor(readonly service: LockService) {}

  static async open({ features = [{}], ...options }: LockServiceOptions = {}): Promise<AdminScene> {
    return new AdminScene(
      await LockService.open({
        ...options,
        features: features.map((feature) => ({ adminGuards: [new OperatorGuard()], ...feature })),
      }),
    );
  }

  /** The same over a store in memory, which has leases in shared mode. */
  static inMemory(
    feature: DbLockModuleOptions = {},
    options: Omit<LockServiceOptions, 'features'> = {},
  ): Promise<AdminScene> {
    const store = new MemoryLockStore();
    return AdminScene.open({ ...options, features: [{ store, createTables: undefined, ...feature }] });
  }

  /** Another application on the same database, which goes before this one. */
  openBeside(options: Omit<LockServiceOptions, 'database'> = {}): Promise<AdminScene> {
    return AdminScene.open({
      ...options,
      database: { url: this.service.databaseUrl, drop: async () => {} },
    });
  }

  /** What has happened, without HTTP. */
  get past(): HistoryStore {
    return this.service.app.get<{ history: HistoryStore }>(LOCK_STORE).history;
  }

  /** @param path below the admin's API */
  ask(method: string, path: string, message?: Message): Promise<Answer> {
    return this.service.send(method, `admin/api/${path}`, message);
  }

  /** @throws Error when the answer is no 2xx, or not of this shape */
  async read<Schema extends z.ZodType>(schema: Schema, path: string, query?: Message['query']) {
    return parse(schema, await this.ask('GET', path, { query }));
  }

  list(query?: Message['query']) {
    return this.read(lockPageJson, 'locks', query);
  }

  async names(query?: Message['query']): Promise<string[]> {
    return (await this.list(query)).items.map(({ lockName }) => lockName);
  }

  async groups(query?: Message['query']) {
    return this.read(groupsJson, 'groups', query);
  }

  inspect(lockName: string) {
    return this.read(inspectedLockJson, pathOf(lockName));
  }

  overview(range = '1h') {
    return this.read(overviewJson, 'overview', { range });
  }

  /** The lock as its table holds it. */
  async row(lockName: string): Promise<LockRow | undefined> {
    return (await this.service.rows()).find((lock) => lock.lock_name === lockName);
  }

  /** All tables but the counts, which come by themselves. */
  async everything(): Promise<unknown[]> {
    return [
      await this.service.rows(),
      await this.service.query(`SELECT * FROM dblock_history WHERE actor IS NOT NULL ORDER BY id`),
    ];
  }

  hold(body: object): Promise<Answer> {
    return this.ask('POST', 'locks', { json: body });
  }

  /** @throws Error when it was refused */
  async held(body: object) {
    return parse(lockJson, await this.hold({ ttl: '1h', ...body }));
  }

  edit(lockName: string, body: object): Promise<Answer> {
    return this.ask('PATCH', pathOf(lockName), { json: body });
  }

  forceRelease(lockName: string, body: object = { reason: 'it hangs' }): Promise<Answer> {
    return this.ask('POST', pathOf(lockName, 'force-release'), { json: body });
  }

  forceReleaseAll(body: object): Promise<Answer> {
    return this.ask('POST', 'force-release', { json: body });
  }

  deleteReleased(...lockNames: string[]): Promise<Answer> {
    return this.ask('POST', 'delete-released', { json: { lockNames } });
  }

  clearExpired(): Promise<Answer> {
    return this.ask('POST', 'clear-expired');
  }

  /** The newest first. */
  history(lockName: string, query?: Message['query']) {
    return this.read(historyJson, pathOf(lockName, 'history'), query);
  }

  /** Waits until exactly this has happened to the lock, and tells of it in that order. */
  async happened(lockName: string, ...events: string[]): Promise<HistoryEvent[]> {
    let items: HistoryEvent[] = [];
    const seen = () => items.map(({ event }) => event).join(', ');
    try {
      await until('', PATIENCE, async () => {
        items = (await this.history(lockName, { limit: '200' })).items.reverse();
        return seen() === events.join(', ');
      });
    } catch (cause) {
      throw new Error(`${lockName}: expected ${events.join(', ')}, but saw: ${seen()}`, { cause });
    }
    return items;
  }

  /** As a holder does it. */
  acquire(lockName: string, options: Partial<Parameters<LockServer['acquire']>[0]> = {}) {
    return this.service.locks.acquire({
      lockName,
      workerName: 'ann',
      grantId: randomUUID(),
      ttl: '1h',
      ...options,
    });
  }

  /** @throws Error when the lock is busy */
  async lease(lockName: string, options?: Parameters<AdminScene['acquire']>[1]): Promise<LeaseRecord> {
    const result = await this.acquire(lockName, options);
    if (result.outcome === 'busy') throw new Error(`${lockName} is held by ${result.holder.workerName}.`);
    return result.lease;
  }

  release({ lockName, grantId }: Pick<LeaseRecord, 'lockName' | 'grantId'>) {
    return this.service.locks.release({ lockName, grantId });
  }

  /** A lock that was held and is free. */
  async released(lockName: string): Promise<LeaseRecord> {
    const lease = await this.lease(lockName);
    await this.release(lease);
    return lease;
  }

  /** A lock that was held, and that is free for an hour. */
  async idle(lockName: string): Promise<void> {
    await this.released(lockName);
    await this.service.leaveIdle(lockName);
  }

  /** Waits until so many wait for the lock. */
  async waitedFor(lockName: string, count = 1): Promise<void> {
    await until(`${count} wait for ${lockName}`, PATIENCE, async () => {
      return (await this.service.locks.inspect(lockName))?.waiting === count;
    });
  }

  /** The database's clock. */
  async now(): Promise<number> {
    const [row] = await this.service.query<{ now: Date }>('SELECT clock_timestamp() AS now');
    return row!.now.getTime();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.service.close();
  }
}

/** @param below a step after the name */
export function pathOf(lockName: string, below?: string): string {
  return `locks/${encodeURIComponent(lockName)}${below === undefined ? '' : `/${below}`}`;
}

function parse<Schema extends z.ZodType>(schema: Schema, { status, text, json }: Answer): z.output<Schema> {
  if (status >= 300) throw new Error(`The answer is ${status}: ${text}`);
  return schema.parse(json);
}

/** The answer to an act that meant another lease than there is. */
export const changed = (lockName: string, members: object) => ({
  status: 409,
  json: { code: 'LOCK_CHANGED', detail: expect.any(String), lock: { lockName, ...members } },
});
