import {
  Controller,
  Delete,
  Get,
  Header,
  Headers,
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
import { modeOf } from '../lease/modes.js';
import type { Headers as RequestHeaders } from '../telemetry/traces.js';
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
    @Headers() headers: RequestHeaders,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.input<typeof leaseJson>> {
    const { workerName = `http:${ip}`, grantId = randomUUID(), wait, ...rest } = body;
    const request = { lockName, workerName, grantId, ...rest };
    const signal = wait > 0 ? whenGone(response) : undefined;
    const ask = () =>
      signal
        ? this.server.acquireChecked({ ...request, wait }, signal)
        : this.server.tryChecked(request, absence(response));
    const { traces } = this.server;
    const asked = traces && { lockNames: [lockName], workerName, mode: modeOf(request), wait, signal };
    const { lease, repeated } = orBusy(await (asked ? traces.acquire(headers, asked, ask) : ask()));
    response.status(repeated ? HttpStatus.OK : HttpStatus.CREATED);
    return toLeaseJson(lease);
  }

  @Post('lease-sets')
  @Header('Cache-Control', 'no-store')
  async acquireSet(
    @BodyOf(acquireSetBody) body: z.output<typeof acquireSetBody>,
    @Ip() ip: string,
    @Headers() headers: RequestHeaders,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.input<typeof leaseSetJson>> {
    const { workerName = `http:${ip}`, grantId = randomUUID(), ...rest } = body;
    const request = { workerName, grantId, ...rest };
    const signal = whenGone(response);
    const ask = () => this.server.acquireSetChecked(request, signal);
    const { traces } = this.server;
    const { lockNames, shares, wait } = request;
    const asked = traces && {
      lockNames,
      workerName,
      mode: modeOf({ share: shares.get(lockNames[0]!) }),
      wait,
      signal,
    };
    const { leases, repeated } = orBusy(await (asked ? traces.acquire(headers, asked, ask) : ask()));
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
    @Headers() headers: RequestHeaders,
  ): Promise<void> {
    const release = () => this.server.releaseChecked({ lockName, grantId, minHold });
    const { traces } = this.server;
    orLost(lockName, await (traces ? traces.release(headers, { lockName }, release) : release()));
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
