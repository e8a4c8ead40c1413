import { Controller, Get, Header, HttpCode, HttpStatus, Post, UseFilters } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import {
  acquireLockParameters,
  getLockInfoParameters,
  noBody,
  noParameters,
  releaseLockParameters,
  type lockInfoJson,
} from './django-db-lock.schemas.js';
import { EnvelopeFilter } from './envelope.filter.js';
import { LockServer } from './lock-server.js';
import { BodyOf, QueryOf } from './parameters.js';

type AcquireLock = z.output<typeof acquireLockParameters>;
type ReleaseLock = z.output<typeof releaseLockParameters>;
type GetLockInfo = z.output<typeof getLockInfoParameters>;
type LockInfo = z.input<typeof lockInfoJson>;

interface Envelope<Result> {
  success: true;
  result: Result;
}

const envelope = <Result>(result: Result): Envelope<Result> => ({ success: true, result });

/** django-db-lock's HTTP contract: what its Python client and programs written for it call. */
@Controller()
@UseFilters(EnvelopeFilter)
export class DjangoDbLockController {
  constructor(private readonly server: LockServer) {}

  @Get('acquireLock')
  @Header('Cache-Control', 'no-store')
  async acquireLock(@QueryOf(acquireLockParameters) query: AcquireLock): Promise<Envelope<boolean>> {
    const { lockName, workerName, timeout } = query;
    const answer = await this.server.tryChecked({
      lockName,
      workerName,
      grantId: randomUUID(),
      ttl: timeout * 1000,
      metadata: null,
    });
    return envelope(answer.outcome === 'granted');
  }

  @Post('acquireLock')
  @HttpCode(HttpStatus.OK)
  @Header('Cache-Control', 'no-store')
  postAcquireLock(@BodyOf(acquireLockParameters) body: AcquireLock): Promise<Envelope<boolean>> {
    return this.acquireLock(body);
  }

  /** True also when that worker held nothing; then nothing is changed. */
  @Get('releaseLock')
  @Header('Cache-Control', 'no-store')
  async releaseLock(@QueryOf(releaseLockParameters) query: ReleaseLock): Promise<Envelope<true>> {
    await this.server.releaseChecked(query);
    return envelope(true);
  }

  @Post('releaseLock')
  @HttpCode(HttpStatus.OK)
  @Header('Cache-Control', 'no-store')
  postReleaseLock(@BodyOf(releaseLockParameters) body: ReleaseLock): Promise<Envelope<true>> {
    return this.releaseLock(body);
  }

  /** Null when nobody holds the lock: an expired lock is free. */
  @Get('getLockInfo')
  @Header('Cache-Control', 'no-store')
  async getLockInfo(@QueryOf(getLockInfoParameters) { lockName }: GetLockInfo): Promise<Envelope<LockInfo>> {
    const lock = await this.server.inspect(lockName);
    if (lock?.state !== 'held') return envelope(null);
    const { workerName, lockTime, expireTime } = lock;
    return envelope({
      pk: lockName,
      lockName,
      workerName: workerName!,
      lockTime: lockTime.toISOString(),
      expireTime: expireTime.toISOString(),
    });
  }

  @Post('getLockInfo')
  @HttpCode(HttpStatus.OK)
  @Header('Cache-Control', 'no-store')
  postGetLockInfo(@BodyOf(getLockInfoParameters) body: GetLockInfo): Promise<Envelope<LockInfo>> {
    return this.getLockInfo(body);
  }

  @Get('clearExpiredLocks')
  @Header('Cache-Control', 'no-store')
  async clearExpiredLocks(@QueryOf(noParameters) _query: object): Promise<Envelope<true>> {
    await this.server.desk.clearExpired();
    return envelope(true);
  }

  @Post('clearExpiredLocks')
  @HttpCode(HttpStatus.OK)
  @Header('Cache-Control', 'no-store')
  postClearExpiredLocks(@BodyOf(noBody) _body: object): Promise<Envelope<true>> {
    return this.clearExpiredLocks({});
  }
}
