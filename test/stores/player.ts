import { SHARED_GRANT, type AcquireRequest } from '../../libs/db-lock/src/lease/requests.js';
import type { Changes } from '../../libs/db-lock/src/store/history-store.js';
import type { HoldRequest, ListQuery, LockFilter } from '../../libs/db-lock/src/store/lock-desk.js';
import type { LeaseRecord } from '../../libs/db-lock/src/store/lock-store.js';
import { HOUR, OTHER_SERVER, SERVER } from './requests.js';
import { NAMES, type Call } from './calls.js';
import type { OpenStore } from './stores.js';

const MINUTE = 60_000;

type OneOf<Name extends Call['call']> = Extract<Call, { call: Name }>;

const SERVERS = [SERVER, OTHER_SERVER];

const grantIdOf = (grant: number) => `${grant}a5c3f1e-0000-4000-8000-00000000000${grant}`;

const key = ({ lockName, grantId }: { lockName: string; grantId: string }) => `${grantId} ${lockName}`;

/** Each store has cursors of its own. */
function withoutCursor<Told extends { cursor: string }>(told: Told): Omit<Told, 'cursor'> {
  const { cursor: _, ...rest } = told;
  return rest;
}

const KNOWN_GRANTS = [0, 1, 2, 3].map(grantIdOf).concat(SHARED_GRANT);

/** A lease that was released and whose permits stay taken has a grantId that each store makes up. */
function withKnownGrant<Told extends { grantId: string | null }>(told: Told): Told {
  const shown = told.grantId?.replace('…', '');
  const isKnown = shown === undefined || KNOWN_GRANTS.some((grantId) => grantId.startsWith(shown));
  return isKnown ? told : { ...told, grantId: 'made up' };
}

/** Plays calls on a store, and tells what came of them as another store may tell it, too. */
export class Player {
  /** What this store has told of each grant of a lock, last. */
  readonly #leases = new Map<string, LeaseRecord>();
  readonly #tickets = new Map<string, number>();
  /** What is told by its number, as it came up. */
  readonly #numbers = new Map<string, number>();
  #changes?: Changes;

  constructor(private readonly opened: Pick<OpenStore, 'store' | 'desk' | 'queue' | 'history'>) {}

  async play(call: Exclude<Call, OneOf<'letPass'>>): Promise<unknown> {
    return this.#comparable(await this.#answerTo(call));
  }

  /** All there is to see. */
  async look(): Promise<unknown> {
    const { store, desk, history } = this.opened;
    const seen = {
      locks: await store.inspect(NAMES),
      states: await desk.countByState(),
      histories: await Promise.all(NAMES.map((lockName) => this.#historyOf(lockName))),
      statistics: await history.statistics(3 * HOUR, MINUTE),
    };
    return this.#comparable(seen);
  }

  /** Page by page. */
  async #historyOf(lockName: string): Promise<unknown[]> {
    const records = [];
    for (let before: string | undefined; ;) {
      const page = await this.opened.history.of(lockName, { limit: 3, before });
      if (page.length === 0) return records;
      records.push(...page.map(withoutCursor).map(withKnownGrant));
      before = page.at(-1)!.cursor;
    }
  }

  async #answerTo(call: Exclude<Call, OneOf<'letPass'>>): Promise<unknown> {
    const { store, desk, queue, history } = this.opened;
    switch (call.call) {
      case 'acquire':
        return store.acquire(call.requests.map((request) => this.#acquisition(request)));
      case 'acquireSet': {
        const { lockNames, shares, request } = call;
        return store.acquireSet(
          lockNames.map((lockName, index) => ({
            ...this.#acquisition({ ...request, lockName }),
            share: shares[index],
          })),
        );
      }
      case 'share':
        return store.shared!.acquire(
          call.requests.map(({ share, ...request }) => ({ ...this.#acquisition(request), share })),
        );
      case 'renewShared':
        return store.shared!.renew(call.requests.map((request) => this.#renewal(request)));
      case 'releaseShared':
        return store.shared!.release(
          call.requests.map(({ by, ...request }) => this.#releaseByGrant(by, request)),
        );
      case 'downgrade':
        return store.shared!.downgrade(
          call.requests.map(({ grant, ...request }) => ({ ...request, grantId: grantIdOf(grant) })),
        );
      case 'renew':
        return store.renew(call.requests.map((request) => this.#renewal(request)));
      case 'release':
        return store.release(call.requests.map((request) => this.#release(request)));
      case 'join': {
        const waiters = call.waiters.map(({ share, ...waiter }) => {
          const request = this.#acquisition({ ...waiter, ttl: 1, metadata: null });
          const { lockName, workerName, grantId, ticket = null } = request;
          return { lockName, workerName, grantId, ticket, share };
        });
        const tickets = await queue.join(SERVERS[call.server]!, waiters);
        tickets.forEach((ticket, index) => this.#tickets.set(key(waiters[index]!), ticket));
        return tickets.map((ticket) => this.#numberOf('ticket', ticket));
      }
      case 'leave':
        return queue.leave(
          call.places.map(({ lockName, grant }) => {
            const grantId = grantIdOf(grant);
            return { lockName, grantId, ticket: this.#tickets.get(key({ lockName, grantId })) ?? 1 };
          }),
        );
      case 'stay': {
        const places = await queue.stay(SERVERS[call.server]!);
        return places
          .map(({ ticket, ...place }) => ({ ...place, ticket: this.#numberOf('ticket', ticket) }))
          .toSorted((one, other) => one.ticket - other.ticket);
      }
      case 'pass':
        return queue.pass(
          SERVERS[call.server]!,
          call.passes.map(({ grant, successor }) => ({
            lockName: successor.lockName,
            grantId: grantIdOf(grant),
            successor: this.#acquisition(successor),
          })),
        );
      case 'removeIdle':
        return store.removeIdle(call.retention);
      case 'forceRelease':
        return desk.forceRelease(
          await Promise.all(
            call.requests.map(async ({ lockName, token }) => ({
              lockName,
              actor: 'ann',
              reason: 'r',
              fencingToken: token && (await this.#token(lockName, token)),
            })),
          ),
        );
      case 'hold': {
        const { ticket: _, ...request } = this.#acquisition(call.request);
        return desk.hold({ ...request, actor: 'ann', reason: call.reason } satisfies HoldRequest);
      }
      case 'edit': {
        const { lockName, token = 'its', ttl, metadata } = call;
        const fencingToken = await this.#token(lockName, token);
        return desk.edit({ lockName, fencingToken, ttl, metadata, actor: 'ann', reason: null });
      }
      case 'deleteReleased':
        return desk.deleteReleased(call.lockNames, 'ann');
      case 'clearExpired':
        return desk.clearExpired(call.actor);
      case 'page': {
        const { call: _, ...query } = call;
        const { sort: _sort, order: _order, page: _page, pageSize: _size, ...filter } = query;
        return [await desk.page(query as ListQuery), await desk.count(filter as LockFilter)];
      }
      case 'listAll': {
        const chunks = [];
        for await (const chunk of desk.listAll(call as LockFilter, call.chunk)) chunks.push(chunk);
        return chunks;
      }
      case 'groups':
        return desk.groups(call as LockFilter, call.limit);
      case 'record':
        return history.record(
          call.entries.map(({ grant, ...entry }) => ({
            ...entry,
            grantId: grant === null ? null : grantIdOf(grant),
            time: null,
          })),
        );
      case 'count':
        return history.count(call.tally);
      case 'changes':
        return this.#changed(call.limit);
      case 'trim':
        return history.trim(call.retention, call.maxRows);
    }
  }

  /** Since the last look. */
  async #changed(limit: number): Promise<unknown> {
    const { cursor, waiting = new Map() } = this.#changes ?? {};
    this.#changes = await this.opened.history.changes(cursor, waiting, limit);
    const changes = withoutCursor(this.#changes);
    return {
      ...changes,
      waiting: [...changes.waiting].toSorted(),
      locks: changes.locks.toSorted((one, other) => (one.lockName < other.lockName ? -1 : 1)),
      removed: changes.removed.toSorted(),
    };
  }

  #acquisition({ grant, ticket, ...request }: OneOf<'acquire'>['requests'][number]): AcquireRequest {
    const grantId = grantIdOf(grant);
    const own = this.#tickets.get(key({ lockName: request.lockName, grantId }));
    return {
      ...request,
      grantId,
      ticket: ticket === 'none' ? undefined : ticket === 'new' ? null : own,
    };
  }

  #renewal({ lockName, grant, ttl, token }: OneOf<'renew'>['requests'][number]) {
    const grantId = grantIdOf(grant);
    const known = this.#leases.get(key({ lockName, grantId }));
    const fencingToken = token === 'another' ? 1 : known?.fencingToken;
    return {
      lockName,
      grantId,
      ttl,
      ...(token && known && { held: { ...known, fencingToken: fencingToken! } }),
    };
  }

  #release({ by, ...request }: OneOf<'release'>['requests'][number]) {
    if (typeof by === 'string') return { lockName: request.lockName, workerName: by };
    return this.#releaseByGrant(by, request);
  }

  #releaseByGrant(
    grant: number,
    { lockName, minHold, version }: Omit<OneOf<'releaseShared'>['requests'][number], 'by'>,
  ) {
    const grantId = grantIdOf(grant);
    const known = this.#leases.get(key({ lockName, grantId }));
    return {
      lockName,
      grantId,
      minHold,
      version: version === 'another' ? 'none such' : version && known?.version,
    };
  }

  async #token(lockName: string, token: 'its' | 'oldest' | 'another'): Promise<number> {
    const [lock] = await this.opened.store.inspect([lockName]);
    const oldest = lock?.holders[0]?.fencingToken;
    if (token === 'oldest' && oldest !== undefined) return oldest;
    return (lock?.fencingToken ?? 0) + (token === 'another' ? 1 : 0);
  }

  /** What only this store calls so, by the order in which it came up. */
  #numberOf(...what: Array<string | number>): number {
    const name = what.join(' ');
    const number = this.#numbers.get(name) ?? this.#numbers.size;
    this.#numbers.set(name, number);
    return number;
  }

  /** The same of every store: versions are numbers of its own. What it tells of a lease is kept. */
  #comparable(answer: unknown): unknown {
    if (answer === undefined || answer === null || answer instanceof Date || typeof answer !== 'object')
      return answer;
    if (Array.isArray(answer)) return answer.map((one) => this.#comparable(one));
    if ('version' in answer && typeof answer.version === 'string') {
      const { version, ...rest } = withKnownGrant(answer as LeaseRecord & { version: string });
      // Of a holder, no token is told.
      if (!('fencingToken' in answer)) return rest;
      this.#leases.set(key(rest), { ...rest, version });
      return { ...rest, version: this.#numberOf('version', rest.lockName, rest.fencingToken, version) };
    }
    return Object.fromEntries(
      Object.entries(answer)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, this.#comparable(value)]),
    );
  }
}
