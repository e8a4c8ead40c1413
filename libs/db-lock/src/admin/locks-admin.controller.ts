import {
  Controller,
  Get,
  Header,
  HttpCode,
  HttpStatus,
  Inject,
  Patch,
  Post,
  Req,
  StreamableFile,
  UseFilters,
} from '@nestjs/common';
import type { z } from 'zod';
import { LockNotFoundError } from '../lease/errors.js';
import { historyQuerySchema, listQuerySchema, lockFilterSchema } from '../server/list-query.js';
import { LockServer } from '../server/lock-server.js';
import { ProblemFilter } from '../server/problem.filter.js';
import {
  lockParams,
  toInspectedLockJson,
  toLockJson,
  toLockPageJson,
  type inspectedLockJson,
  type lockJson,
  type lockPageJson,
} from '../server/schemas.js';
import { BodyOf, PathOf, QueryOf } from '../server/parameters.js';
import type { LockFilter } from '../store/lock-desk.js';
import { accessOf, RequiresAccess } from './access.js';
import { AdminFeature } from './admin-feature.js';
import { CachedReads } from './cached-reads.js';
import { eventStream } from './event-stream.js';
import { lockCsv } from './lock-csv.js';
import {
  clearedJson,
  deleteReleasedBody,
  editBody,
  forceReleaseAllBody,
  forceReleaseBody,
  holdBody,
  inspectAllBody,
  overviewQuery,
  toEndedLeaseJson,
  toForcedLocksJson,
  toHistoryJson,
  toOverviewJson,
  type countsJson,
  type deletedJson,
  type endedLeaseJson,
  type forcedLocksJson,
  type groupsJson,
  type historyJson,
  type inspectedLocksJson,
  type overviewJson,
  type sessionJson,
} from './schemas.js';
import { Unbent } from './unbent.js';

/** How old the number of locks that match may be, in milliseconds: counting them is what costs most. */
const COUNT_AGE = 10_000;

/** How old an overview may be, in milliseconds: many look at the same one. */
const OVERVIEW_AGE = 2_000;

/** What operators see and do. Each feature serves a subclass of its own, under `admin/api` of its path. */
@Controller()
@Unbent()
@UseFilters(ProblemFilter)
export class LocksAdminController {
  constructor(
    private readonly server: LockServer,
    private readonly reads: CachedReads,
    @Inject(AdminFeature) private readonly admin: AdminFeature,
  ) {}

  /** Who you are and what you may do. */
  @Get('session')
  @Header('Cache-Control', 'no-store')
  async session(@Req() request: object): Promise<z.input<typeof sessionJson>> {
    const { feature, history, actors } = this.admin;
    return { feature, actor: await actors.of(request), access: accessOf(request), history };
  }

  @Get('locks')
  @Header('Cache-Control', 'no-store')
  async list(
    @QueryOf(listQuerySchema) query: z.output<typeof listQuerySchema>,
  ): Promise<z.input<typeof lockPageJson>> {
    const { desk } = this.server;
    const count = (filter: LockFilter) =>
      this.reads.remember('count', filter, COUNT_AGE, () => desk.count(filter));
    return this.reads.read('list', query, async () => toLockPageJson(await desk.listChecked(query, count)));
  }

  /** Several locks as they are now, for who shows them already. */
  @Post('inspect')
  @HttpCode(HttpStatus.OK)
  @Header('Cache-Control', 'no-store')
  async inspectAll(
    @BodyOf(inspectAllBody) { lockNames }: z.output<typeof inspectAllBody>,
  ): Promise<z.input<typeof inspectedLocksJson>> {
    return this.reads.share('inspect', lockNames, async () => {
      const { locks, unknown, serverTime } = await this.server.desk.inspectAll(lockNames);
      return { locks: locks.map(toLockJson), unknown, serverTime: serverTime.toISOString() };
    });
  }

  @Get('groups')
  @Header('Cache-Control', 'no-store')
  groups(
    @QueryOf(lockFilterSchema) query: z.output<typeof lockFilterSchema>,
  ): Promise<z.input<typeof groupsJson>> {
    return this.reads.read('groups', query, () => this.server.desk.groups(query));
  }

  /** All that match, by name; as fast as they are taken. */
  @Get('locks.csv')
  @Header('Cache-Control', 'no-store')
  async csv(@QueryOf(lockFilterSchema) filter: z.output<typeof lockFilterSchema>): Promise<StreamableFile> {
    return new StreamableFile(await lockCsv(this.server.desk.listAll(filter)), {
      type: 'text/csv; charset=utf-8; header=present',
      disposition: `attachment; filename="${this.admin.feature}-locks.csv"`,
    });
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

  @Get('locks/:lockName/history')
  @Header('Cache-Control', 'no-store')
  async history(
    @PathOf(lockParams) { lockName }: z.output<typeof lockParams>,
    @QueryOf(historyQuerySchema) query: z.output<typeof historyQuerySchema>,
  ): Promise<z.input<typeof historyJson>> {
    return toHistoryJson(await this.server.desk.history(lockName, query));
  }

  /** Takes a lock by hand, past all who wait. */
  @Post('locks')
  @RequiresAccess('edit')
  @Header('Cache-Control', 'no-store')
  async hold(
    @BodyOf(holdBody) body: z.output<typeof holdBody>,
    @Req() request: object,
  ): Promise<z.input<typeof lockJson>> {
    const actor = await this.admin.actors.of(request);
    return toLockJson(await this.reads.write(() => this.server.desk.hold({ ...body, actor })));
  }

  /** Gives a live lease another end or other metadata. */
  @Patch('locks/:lockName')
  @RequiresAccess('edit')
  @Header('Cache-Control', 'no-store')
  async edit(
    @PathOf(lockParams) { lockName }: z.output<typeof lockParams>,
    @BodyOf(editBody) body: z.output<typeof editBody>,
    @Req() request: object,
  ): Promise<z.input<typeof lockJson>> {
    const actor = await this.admin.actors.of(request);
    return toLockJson(await this.reads.write(() => this.server.desk.edit({ ...body, lockName, actor })));
  }

  /** Ends the lease against its holder's will. The old holder may still be running. */
  @Post('locks/:lockName/force-release')
  @RequiresAccess('release')
  @HttpCode(HttpStatus.OK)
  @Header('Cache-Control', 'no-store')
  async forceRelease(
    @PathOf(lockParams) { lockName }: z.output<typeof lockParams>,
    @BodyOf(forceReleaseBody) body: z.output<typeof forceReleaseBody>,
    @Req() request: object,
  ): Promise<z.input<typeof endedLeaseJson>> {
    const actor = await this.admin.actors.of(request);
    return toEndedLeaseJson(
      lockName,
      await this.reads.write(() => this.server.desk.forceRelease({ ...body, lockName, actor })),
    );
  }

  /** The same for several, each by itself. */
  @Post('force-release')
  @RequiresAccess('release')
  @HttpCode(HttpStatus.OK)
  @Header('Cache-Control', 'no-store')
  async forceReleaseAll(
    @BodyOf(forceReleaseAllBody) body: z.output<typeof forceReleaseAllBody>,
    @Req() request: object,
  ): Promise<z.input<typeof forcedLocksJson>> {
    const actor = await this.admin.actors.of(request);
    return toForcedLocksJson(
      await this.reads.write(() => this.server.desk.forceReleaseAll({ ...body, actor })),
    );
  }

  /** Removes locks that are free and that nobody waits for. */
  @Post('delete-released')
  @RequiresAccess('edit')
  @HttpCode(HttpStatus.OK)
  @Header('Cache-Control', 'no-store')
  async deleteReleased(
    @BodyOf(deleteReleasedBody) { lockNames }: z.output<typeof deleteReleasedBody>,
    @Req() request: object,
  ): Promise<z.input<typeof deletedJson>> {
    const actor = await this.admin.actors.of(request);
    const deleted = await this.reads.write(() => this.server.desk.deleteReleased({ lockNames, actor }));
    return { deleted, kept: lockNames.filter((name) => !deleted.includes(name)) };
  }

  @Post('clear-expired')
  @RequiresAccess('edit')
  @HttpCode(HttpStatus.OK)
  @Header('Cache-Control', 'no-store')
  async clearExpired(@Req() request: object): Promise<z.input<typeof clearedJson>> {
    const actor = await this.admin.actors.of(request);
    return { cleared: await this.reads.write(() => this.server.desk.clearExpired(actor)) };
  }

  @Get('counts')
  @Header('Cache-Control', 'no-store')
  counts(): Promise<z.input<typeof countsJson>> {
    return this.reads.read('counts', {}, () => this.server.desk.countByState());
  }

  @Get('overview')
  @Header('Cache-Control', 'no-store')
  overview(
    @QueryOf(overviewQuery) { range }: z.output<typeof overviewQuery>,
  ): Promise<z.input<typeof overviewJson>> {
    return this.reads.remember('overview', { range }, OVERVIEW_AGE, async () =>
      toOverviewJson(await this.server.desk.overview(range), this.admin.history),
    );
  }

  /**
   * What changes, as it changes. The connection ends with the stream: a browser opens the next one on the same connection, again and
   * again, and an application that shuts down would wait for it forever.
   */
  @Get('changes')
  @Header('Cache-Control', 'no-store, no-transform')
  @Header('Connection', 'close')
  @Header('X-Accel-Buffering', 'no') // nginx would keep events back
  changes(): Promise<StreamableFile> {
    return eventStream(this.admin.changes.watch());
  }
}
