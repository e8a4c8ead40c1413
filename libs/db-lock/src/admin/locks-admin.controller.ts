import {
  Body,
  Controller,
  Get,
  Header,
  HttpCode,
  HttpStatus,
  Param,
  Post,
  Query,
  Req,
  UseFilters,
  UsePipes,
} from '@nestjs/common';
import type { z } from 'zod';
import { LockNotFoundError } from '../lease/errors.js';
import { listQuerySchema } from '../server/list-query.js';
import { LockServer } from '../server/lock-server.js';
import { ProblemFilter } from '../server/problem.filter.js';
import {
  lockParams,
  toInspectedLockJson,
  toLockJson,
  type inspectedLockJson,
  type lockPageJson,
} from '../server/schemas.js';
import { validationPipe } from '../server/validation.pipe.js';
import { actorOf } from './actor.js';
import { CachedReads } from './cached-reads.js';
import {
  clearedJson,
  forceReleaseBody,
  toEndedLeaseJson,
  toHistoryJson,
  type countsJson,
  type endedLeaseJson,
  type historyJson,
} from './schemas.js';

/** What operators see and do. Each feature serves a subclass of its own, under `admin/api` of its path. */
@Controller()
@UsePipes(validationPipe())
@UseFilters(ProblemFilter)
export class LocksAdminController {
  constructor(
    private readonly server: LockServer,
    private readonly reads: CachedReads,
  ) {}

  @Get('locks')
  @Header('Cache-Control', 'no-store')
  async list(
    @Query({ schema: listQuerySchema }) query: z.output<typeof listQuerySchema>,
  ): Promise<z.input<typeof lockPageJson>> {
    return this.reads.read('list', query, async () => {
      const { items, total } = await this.server.list(query);
      return { items: items.map(toLockJson), total };
    });
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

  @Get('locks/:lockName/history')
  @Header('Cache-Control', 'no-store')
  async history(
    @Param({ schema: lockParams }) { lockName }: z.output<typeof lockParams>,
  ): Promise<z.input<typeof historyJson>> {
    return { items: (await this.server.history(lockName)).map(toHistoryJson) };
  }

  /** Ends the lease against its holder's will. The old holder may still be running. */
  @Post('locks/:lockName/force-release')
  @HttpCode(HttpStatus.OK)
  @Header('Cache-Control', 'no-store')
  async forceRelease(
    @Param({ schema: lockParams }) { lockName }: z.output<typeof lockParams>,
    @Body({ schema: forceReleaseBody }) { reason }: z.output<typeof forceReleaseBody>,
    @Req() request: object,
  ): Promise<z.input<typeof endedLeaseJson>> {
    const actor = actorOf(request);
    const answer = await this.reads.write(() => this.server.forceRelease({ lockName, reason, actor }));
    return toEndedLeaseJson(lockName, answer.outcome === 'forced' ? answer.holder : null);
  }

  @Get('counts')
  @Header('Cache-Control', 'no-store')
  counts(): Promise<z.input<typeof countsJson>> {
    return this.reads.read('counts', {}, () => this.server.countByState());
  }

  @Post('clear-expired')
  @HttpCode(HttpStatus.OK)
  @Header('Cache-Control', 'no-store')
  async clearExpired(): Promise<z.input<typeof clearedJson>> {
    return { cleared: await this.reads.write(() => this.server.clearExpired()) };
  }
}
