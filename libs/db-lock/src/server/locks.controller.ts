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
import { listQuerySchema } from './list-query.js';
import { LockServer } from './lock-server.js';
import { ProblemFilter } from './problem.filter.js';
import {
  acquireBody,
  leaseJson,
  leaseParams,
  lockJson,
  lockPageJson,
  lockParams,
  renewBody,
  toLeaseJson,
  toLockJson,
} from './schemas.js';
import { validationPipe } from './validation.pipe.js';

/** What Express's and Fastify's responses have in common. */
interface Response {
  status(code: number): unknown;
}

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
    const { ttl, metadata, workerName = `http:${ip}`, grantId = randomUUID() } = body;
    const answer = await this.server.acquire({ lockName, workerName, grantId, ttl, metadata });
    if (answer.outcome === 'busy') throw new LockBusyError(lockName, answer.holder, answer.holder.timeLeft);
    response.status(answer.repeated ? HttpStatus.OK : HttpStatus.CREATED);
    return toLeaseJson(answer.lease);
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
  ): Promise<void> {
    const answer = await this.server.release({ lockName, grantId });
    if (answer.outcome === 'lost') throw new LeaseLostError(lockName, 'refused');
  }

  @Get('locks/:lockName')
  @Header('Cache-Control', 'no-store')
  async inspect(
    @Param({ schema: lockParams }) { lockName }: z.output<typeof lockParams>,
  ): Promise<z.input<typeof lockJson>> {
    const lock = await this.server.inspect(lockName);
    if (!lock) throw new LockNotFoundError(lockName);
    return toLockJson(lock);
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
