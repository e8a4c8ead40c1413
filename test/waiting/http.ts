import { expect } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text as readText } from 'node:stream/consumers';
import type { LeaseRecord } from '../../libs/db-lock/src/store/lock-store.js';
import type { LockService } from '../support/lock-service.js';
import { type Answer } from '../support/lock-service.js';
import { until } from '../support/patience.js';
import { PATIENCE } from './scene.js';
import { uniqueName } from '../support/lock-names.js';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
export const time = expect.stringMatching(TIME);

/** How many wait at once where the crowd matters. */
export const CROWD = 200;

/** Milliseconds for what takes long on a slow machine. */
export const LONG = 120_000;

export const HOUR = 60 * 60 * 1000;

/** In byte order, in which a server looks for a busy one. */
export const uniqueNames = (count: number) => {
  const name = uniqueName();
  return Array.from({ length: count }, (_, index) => `${name}.${index}`);
};

export const lockPath = (lockName: string) => `locks/${encodeURIComponent(lockName)}`;

/** A request on a connection of its own, which its caller can cut. */
export class Poll {
  readonly #request;
  /** Rejects when the connection was cut before. */
  readonly answer: Promise<Pick<Answer, 'status' | 'json'>>;

  constructor(url: string, body: object) {
    this.#request = request(url, {
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/json' },
    });
    this.#request.end(JSON.stringify(body));
    this.answer = this.#read();
    this.answer.catch(() => undefined); // whoever waits for it tells
  }

  hangUp(): void {
    this.#request.destroy();
  }

  async #read() {
    const [response] = (await once(this.#request, 'response')) as [IncomingMessage];
    return { status: response.statusCode!, json: JSON.parse(await readText(response)) as unknown };
  }
}

/** Resolves with the response to the next request, when that is over: answered, or its connection ended. */
export function responseClosed(app: INestApplication): Promise<ServerResponse> {
  return new Promise((resolve) => {
    (app.getHttpServer() as Server).once('request', (_: IncomingMessage, response: ServerResponse) =>
      response.once('close', () => resolve(response)),
    );
  });
}

/** A lock service, and a look into its queues. */
export class Desk {
  constructor(readonly service: LockService) {}

  /** Somebody holds the lock. */
  async hold(lockName: string, ttl = HOUR): Promise<LeaseRecord> {
    const grantId = randomUUID();
    const answer = await this.service.locks.acquire({ lockName, workerName: 'ann', grantId, ttl });
    if (answer.outcome !== 'granted') throw new Error(`${lockName} is busy`);
    return answer.lease;
  }

  async release({ lockName, grantId }: { lockName: string; grantId: string }): Promise<void> {
    expect(await this.service.locks.release({ lockName, grantId })).toEqual({ outcome: 'released' });
  }

  poll(lockName: string, body: object = {}): Poll {
    return this.pollSet(`${lockPath(lockName)}/lease`, body);
  }

  pollSet(path: string, body: object): Poll {
    return new Poll(`${this.service.apiServer}/${path}`, { ttl: '1h', wait: '10m', ...body });
  }

  async waiting(lockName: string): Promise<number> {
    return (await this.service.locks.inspect(lockName))!.waiting;
  }

  async queued(lockName: string, count: number): Promise<void> {
    await until(`${count} wait for ${lockName}`, LONG, async () => (await this.waiting(lockName)) === count);
  }

  /** Nobody waits for these locks any more, nor is there a trace of who did. */
  async deserted(...lockNames: string[]): Promise<void> {
    await until(`nobody waits for ${lockNames.join()}`, PATIENCE, async () => {
      const sql = 'SELECT FROM dblock_waiter WHERE lock_name = ANY ($1)';
      return (await this.service.query(sql, [lockNames])).length === 0;
    });
  }

  /**
   * Whoever comes now gets the lock. A look that was under way when its caller went may still be granted it: that grant is
   * given back.
   */
  async free(lockName: string): Promise<void> {
    const request = { lockName, workerName: 'ann', grantId: randomUUID(), ttl: HOUR, wait: PATIENCE };
    expect(await this.service.locks.acquire(request)).toMatchObject({ outcome: 'granted' });
    await this.release(request);
  }
}
