import {
  Controller,
  Delete,
  Get,
  Header,
  HttpCode,
  HttpStatus,
  Ip,
  Patch,
  Post,
  Res,
  UseFilters,
} from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { LockNotFoundError } from '../lease/errors.js';
import { answerBulk } from './bulk.js';
import { bulkBody, type bulkJson } from './bulk.schemas.js';
import { absence, whenGone, type Response } from './disconnect.js';
import { listQuerySchema } from './list-query.js';
import { LockServer } from './lock-server.js';
import { orBusy, orLost } from './outcomes.js';
import { ProblemFilter } from './problem.filter.js';
import {
  acquireBody,
  acquireSetBody,
  downgradeBody,
  inspectedLockJson,
  leaseJson,
  leaseParams,
  leaseSetJson,
  lockPageJson,
  lockParams,
  releaseQuery,
  renewBody,
  toInspectedLockJson,
  toLeaseJson,
  toLockPageJson,
} from './schemas.js';
import { BodyOf, PathOf, QueryOf } from './parameters.js';

/** The REST API of a lock server. Each feature serves a subclass of its own, under its own path. */
@Controller()
@UseFilters(ProblemFilter)
export class LocksController {
  constructor(private readonly server: LockServer) {}

  @Post('locks/:lockName/lease')
  @Header('Cache-Control', 'no-store')
  async acquire(
    @PathOf(lockParams) { lockName }: z.output<typeof lockParams>,
    @BodyOf(acquireBody) body: z.output<typeof acquireBody>,
    @Ip() ip: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.input<typeof leaseJson>> {
    const { workerName = `http:${ip}`, grantId = randomUUID(), wait, ...rest } = body;
    const request = { lockName, workerName, grantId, ...rest };
    const { lease, repeated } = orBusy(
      await (wait > 0
        ? this.server.acquireChecked({ ...request, wait }, whenGone(response))
        : this.server.tryChecked(request, absence(response))),
    );
    response.status(repeated ? HttpStatus.OK : HttpStatus.CREATED);
    return toLeaseJson(lease);
  }

  @Post('lease-sets')
  @Header('Cache-Control', 'no-store')
  async acquireSet(
    @BodyOf(acquireSetBody) body: z.output<typeof acquireSetBody>,
    @Ip() ip: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.input<typeof leaseSetJson>> {
    const { workerName = `http:${ip}`, grantId = randomUUID(), ...rest } = body;
    const request = { workerName, grantId, ...rest };
    const { leases, repeated } = orBusy(await this.server.acquireSetChecked(request, whenGone(response)));
    response.status(repeated ? HttpStatus.OK : HttpStatus.CREATED);
    return { leases: leases.map(toLeaseJson) };
  }

  @Post('leases')
  @HttpCode(HttpStatus.OK)
  @Header('Cache-Control', 'no-store')
  async bulk(
    @BodyOf(bulkBody) { requests }: z.output<typeof bulkBody>,
    @Ip() ip: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.input<typeof bulkJson>> {
    const caller = { workerName: `http:${ip}`, absence: absence(response) };
    return { answers: await answerBulk(this.server, requests, caller) };
  }

  @Patch('locks/:lockName/lease/:grantId')
  @Header('Cache-Control', 'no-store')
  async renew(
    @PathOf(leaseParams) { lockName, grantId }: z.output<typeof leaseParams>,
    @BodyOf(renewBody) { ttl }: z.output<typeof renewBody>,
  ): Promise<z.input<typeof leaseJson>> {
    const { lease } = orLost(lockName, await this.server.renewChecked({ lockName, grantId, ttl }));
    return toLeaseJson(lease);
  }

  @Post('locks/:lockName/lease/:grantId/downgrade')
  @HttpCode(HttpStatus.OK)
  @Header('Cache-Control', 'no-store')
  async downgrade(
    @PathOf(leaseParams) { lockName, grantId }: z.output<typeof leaseParams>,
    @BodyOf(downgradeBody) share: z.output<typeof downgradeBody>,
  ): Promise<z.input<typeof leaseJson>> {
    const { lease } = orLost(lockName, await this.server.downgradeChecked({ lockName, grantId, share }));
    return toLeaseJson(lease);
  }

  @Delete('locks/:lockName/lease/:grantId')
  @HttpCode(HttpStatus.NO_CONTENT)
  @Header('Cache-Control', 'no-store')
  async release(
    @PathOf(leaseParams) { lockName, grantId }: z.output<typeof leaseParams>,
    @QueryOf(releaseQuery) { minHold }: z.output<typeof releaseQuery>,
  ): Promise<void> {
    orLost(lockName, await this.server.releaseChecked({ lockName, grantId, minHold }));
  }

  @Get('locks/:lockName')
  @Header('Cache-Control', 'no-store')
  async inspect(
    @PathOf(lockParams) { lockName }: z.output<typeof lockParams>,
  ): Promise<z.input<typeof inspectedLockJson>> {
    const lock = await this.server.inspect(lockName);
    if (!lock) throw new LockNotFoundError(lockName);
    return toInspectedLockJson(lock);
  }

  @Get('locks')
  @Header('Cache-Control', 'no-store')
  async list(
    @QueryOf(listQuerySchema) query: z.output<typeof listQuerySchema>,
  ): Promise<z.input<typeof lockPageJson>> {
    return toLockPageJson(await this.server.desk.list(query));
  }
}
