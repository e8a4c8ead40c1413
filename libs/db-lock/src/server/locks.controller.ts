import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  HttpCode,
  HttpStatus,
  Ip,
  Param,
  Patch,
  Post,
  Query,
  Res,
  UseFilters,
  UsePipes,
} from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { LeaseLostError, LockBusyError, LockNotFoundError } from '../lease/errors.js';
import type { HolderRecord } from '../store/lock-store.js';
import { whenGone, type Response } from './disconnect.js';
import { listQuerySchema } from './list-query.js';
import { LockServer } from './lock-server.js';
import { ProblemFilter } from './problem.filter.js';
import {
  acquireBody,
  acquireSetBody,
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
  toLockJson,
} from './schemas.js';
import { validationPipe } from './validation.pipe.js';

/** The REST API of a lock server. Each feature serves a subclass of its own, under its own path. */
@Controller()
@UsePipes(validationPipe())
@UseFilters(ProblemFilter)
export class LocksController {
  constructor(private readonly server: LockServer) {}

  @Post('locks/:lockName/lease')
  @Header('Cache-Control', 'no-store')
  async acquire(
    @Param({ schema: lockParams }) { lockName }: z.output<typeof lockParams>,
    @Body({ schema: acquireBody }) body: z.output<typeof acquireBody>,
    @Ip() ip: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.input<typeof leaseJson>> {
    const { workerName = `http:${ip}`, grantId = randomUUID(), ...rest } = body;
    const answer = await this.server.acquire({ lockName, workerName, grantId, ...rest }, whenGone(response));
    if (answer.outcome === 'busy') throw busy(answer.holder);
    response.status(answer.repeated ? HttpStatus.OK : HttpStatus.CREATED);
    return toLeaseJson(answer.lease);
  }

  @Post('lease-sets')
  @Header('Cache-Control', 'no-store')
  async acquireSet(
    @Body({ schema: acquireSetBody }) body: z.output<typeof acquireSetBody>,
    @Ip() ip: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.input<typeof leaseSetJson>> {
    const { workerName = `http:${ip}`, grantId = randomUUID(), ...rest } = body;
    const answer = await this.server.acquireSet({ workerName, grantId, ...rest }, whenGone(response));
    if (answer.outcome === 'busy') throw busy(answer.holder);
    response.status(answer.repeated ? HttpStatus.OK : HttpStatus.CREATED);
    return { leases: answer.leases.map(toLeaseJson) };
  }

  @Patch('locks/:lockName/lease/:grantId')
  @Header('Cache-Control', 'no-store')
  async renew(
    @Param({ schema: leaseParams }) { lockName, grantId }: z.output<typeof leaseParams>,
    @Body({ schema: renewBody }) { ttl }: z.output<typeof renewBody>,
  ): Promise<z.input<typeof leaseJson>> {
    const answer = await this.server.renew({ lockName, grantId, ttl });
    if (answer.outcome === 'lost') throw new LeaseLostError(lockName, 'refused');
    return toLeaseJson(answer.lease);
  }

  @Delete('locks/:lockName/lease/:grantId')
  @HttpCode(HttpStatus.NO_CONTENT)
  @Header('Cache-Control', 'no-store')
  async release(
    @Param({ schema: leaseParams }) { lockName, grantId }: z.output<typeof leaseParams>,
    @Query({ schema: releaseQuery }) { minHold }: z.output<typeof releaseQuery>,
  ): Promise<void> {
    const answer = await this.server.release({ lockName, grantId, minHold });
    if (answer.outcome === 'lost') throw new LeaseLostError(lockName, 'refused');
  }

  @Get('locks/:lockName')
  @Header('Cache-Control', 'no-store')
  async inspect(
    @Param({ schema: lockParams }) { lockName }: z.output<typeof lockParams>,
  ): Promise<z.input<typeof inspectedLockJson>> {
    const lock = await this.server.inspect(lockName);
    if (!lock) throw new LockNotFoundError(lockName);
    return toInspectedLockJson(lock);
  }

  @Get('locks')
  @Header('Cache-Control', 'no-store')
  async list(
    @Query({ schema: listQuerySchema }) query: z.output<typeof listQuerySchema>,
  ): Promise<z.input<typeof lockPageJson>> {
    const { items, total } = await this.server.list(query);
    return { items: items.map(toLockJson), total };
  }
}

function busy(holder: HolderRecord): LockBusyError {
  return new LockBusyError(holder.lockName, holder, holder.timeLeft);
}
