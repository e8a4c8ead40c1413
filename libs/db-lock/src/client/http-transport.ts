import type { z } from 'zod';
import { InvalidLockRequestError, UnexpectedAnswerError } from '../lease/errors.js';
import { modeFields, modeFieldsOf, modeOf, type Share } from '../lease/modes.js';
import type {
  AcquireSetRequest,
  DowngradeRequest,
  RenewRequest,
  WaitingAcquireRequest,
} from '../lease/requests.js';
import { inspectedLockJson, leaseJson, leaseSetJson, problemJson } from '../server/schemas.js';
import { BulkRoute } from './bulk-route.js';
import { HttpCoalescer, type CoalescedRequest } from './http-coalescer.js';
import {
  HttpExchange,
  type HttpAnswer,
  type HttpExchangeOptions,
  type HttpRequest,
} from './http-exchange.js';
import {
  leastTimeLeft,
  type AcquireOutcome,
  type DowngradeOutcome,
  type LeaseConfirmation,
  type LeaseKey,
  type LockInfo,
  type LockTransport,
  type ReleaseOutcome,
  type RenewOutcome,
  type SetConfirmation,
} from './lock-transport.js';

/** A renewal that hangs is given up after this part of its TTL, so that another one can still come in time. */
const RENEWAL_PART = 1 / 4;

/**
 * The way to a remote lock server, over its REST API. Many requests at once, of many callers, go together in bulks; an
 * acquire that may wait goes by itself.
 */
export class HttpTransport implements LockTransport {
  readonly repeatable = true;
  readonly #http: HttpExchange;
  readonly #acquires: HttpCoalescer;
  readonly #renewals: HttpCoalescer;
  readonly #releases: HttpCoalescer;

  constructor(options: HttpExchangeOptions) {
    this.#http = new HttpExchange(options);
    const bulks = new BulkRoute(this.#http);
    this.#acquires = new HttpCoalescer(this.#http, bulks);
    this.#renewals = new HttpCoalescer(this.#http, bulks);
    this.#releases = new HttpCoalescer(this.#http, bulks);
  }

  async acquire(
    { lockName, wait, share, ...request }: WaitingAcquireRequest,
    signal?: AbortSignal,
  ): Promise<AcquireOutcome<LeaseConfirmation>> {
    const rest = share ? { ...request, ...modeFieldsOf(share) } : request;
    const alone = {
      method: 'POST',
      path: leasePath(lockName),
      body: { ...rest, wait },
      signal,
      wait,
    } as const;
    const answer =
      wait > 0
        ? await this.#send(alone)
        : await this.#submit(this.#acquires, { alone, item: { action: 'acquire', lockName, ...rest } });
    if (!isGranted(answer)) return this.#busy(answer, lockName);
    const lease = confirmation(this.#read(leaseJson, answer));
    if (!isAsked(lease, share)) await this.#giveBack([{ ...request, lockName }]);
    // How long a wait took tells nothing of when it was granted: who waited asks again for that.
    return { outcome: 'granted', lease, sentAt: wait > 0 ? undefined : answer.sentAt };
  }

  async acquireSet(
    { lockNames, shares, ...request }: AcquireSetRequest,
    signal?: AbortSignal,
  ): Promise<AcquireOutcome<SetConfirmation>> {
    const body = {
      ...request,
      lockNames: lockNames.map((lockName) => {
        const share = shares.get(lockName);
        return share ? { lockName, ...modeFieldsOf(share) } : lockName;
      }),
    };
    const whole = { method: 'POST', path: 'lease-sets', body, signal, wait: body.wait } as const;
    const answer = this.#accepted(await this.#http.exchange(whole), body.lockNames);
    if (!isGranted(answer)) return this.#busy(answer, lockNames[0]!);
    const leases = this.#read(leaseSetJson, answer).leases.map((lease) => ({
      lockName: lease.lockName,
      ...confirmation(lease),
    }));
    if (!leases.every((lease) => isAsked(lease, shares.get(lease.lockName))))
      await this.#giveBack(lockNames.map((lockName) => ({ ...request, lockName })));
    return { outcome: 'granted', lease: { leases, timeLeft: leastTimeLeft(leases) } };
  }

  async renew({ lockName, grantId, ttl }: RenewRequest): Promise<RenewOutcome> {
    const answer = await this.#submit(this.#renewals, {
      alone: {
        method: 'PATCH',
        path: leasePath(lockName, grantId),
        body: { ttl },
        timeout: Math.ceil(ttl * RENEWAL_PART),
      },
      item: { action: 'renew', lockName, grantId, ttl },
    });
    if (answer.status === 200)
      return { outcome: 'renewed', lease: confirmation(this.#read(leaseJson, answer)) };
    this.#problem(answer, 410, 'LEASE_LOST');
    return { outcome: 'lost' };
  }

  async downgrade({ lockName, grantId, share }: DowngradeRequest): Promise<DowngradeOutcome> {
    const answer = await this.#send({
      method: 'POST',
      path: `${leasePath(lockName, grantId)}/downgrade`,
      body: { permits: share.permits, limit: share.limit ?? undefined },
    });
    if (NO_SUCH_ROUTE.has(answer.status)) throw new UnexpectedAnswerError(TOO_OLD);
    if (answer.status === 200)
      return { outcome: 'downgraded', lease: confirmation(this.#read(leaseJson, answer)) };
    this.#problem(answer, 410, 'LEASE_LOST');
    return { outcome: 'lost' };
  }

  async release({ lockName, grantId }: LeaseKey, minHold = 0): Promise<ReleaseOutcome> {
    const answer = await this.#submit(this.#releases, {
      alone: {
        method: 'DELETE',
        path: leasePath(lockName, grantId),
        query: minHold > 0 ? { minHold: String(minHold) } : undefined,
      },
      item: { action: 'release', lockName, grantId, minHold },
    });
    if (answer.status === 204) return { outcome: 'released' };
    this.#problem(answer, 410, 'LEASE_LOST');
    return { outcome: 'lost' };
  }

  async inspect(lockName: string): Promise<LockInfo | null> {
    const answer = await this.#send({ method: 'GET', path: `locks/${encodeURIComponent(lockName)}` });
    if (answer.status !== 200) {
      this.#problem(answer, 404, 'LOCK_NOT_FOUND');
      return null;
    }
    const lock = this.#read(inspectedLockJson, answer);
    const { mode: _, holderCount, permits, limits, ...rest } = lock;
    const queue = lock.queue.map(({ workerName, since, ...waiter }) => ({
      workerName,
      since: new Date(since),
      share: shareIn(waiter),
    }));
    const holders = lock.holders.map(({ permits: taken, limit, ...holder }) => ({
      ...holder,
      ...timesOf(holder),
      share: shareIn({ permits: taken, limit }),
    }));
    const sharing =
      permits === undefined ? undefined : { holders: holderCount, permits, limits: limits ?? [] };
    return { ...rest, ...timesOf(lock), serverTime: new Date(lock.serverTime), sharing, holders, queue };
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  /** @throws InvalidLockRequestError when the server found a rule broken. */
  async #send(request: HttpRequest): Promise<HttpAnswer> {
    return this.#accepted(await this.#http.exchange(request));
  }

  /** @throws InvalidLockRequestError */
  async #submit(coalescer: HttpCoalescer, request: CoalescedRequest): Promise<HttpAnswer> {
    return this.#accepted(await coalescer.submit(request));
  }

  #accepted(answer: HttpAnswer, lockNames: readonly unknown[] = []): HttpAnswer {
    if (answer.status !== 400) return answer;
    const { issues = [] } = this.#problem(answer, 400, 'INVALID_REQUEST');
    if (issues.some((issue) => knowsNoModes(issue) || takesNamesOnly(issue, lockNames)))
      throw new UnexpectedAnswerError(TOO_OLD);
    throw new InvalidLockRequestError(issues);
  }

  /**
   * A server that overlooks the mode must not have its lease taken for one of the other mode.
   * @throws UnexpectedAnswerError
   */
  async #giveBack(keys: readonly LeaseKey[]): Promise<never> {
    await Promise.allSettled(keys.map((key) => this.release(key)));
    throw new UnexpectedAnswerError(WRONG_MODE);
  }

  /** Only a problem document of ours with the expected code counts: a proxy's 409 or 410 is no answer to the question. */
  #problem(answer: HttpAnswer, status: number, code: string): z.output<typeof problemJson> {
    const problem = this.#read(problemJson, answer);
    if (answer.status !== status || problem.code !== code) throw this.#http.unexpected(answer);
    return problem;
  }

  /** @param asked the lock that is meant where the answer names none */
  #busy(answer: HttpAnswer, asked: string): AcquireOutcome<never> {
    const { holder, retryAfter, lockName } = this.#problem(answer, 409, 'LOCK_BUSY');
    return {
      outcome: 'busy',
      holder: {
        lockName: lockName ?? asked,
        workerName: holder?.workerName ?? null,
        lockTime: dateOf(holder?.lockTime),
        expireTime: dateOf(holder?.expireTime),
        timeLeft: retryAfter ?? null,
      },
    };
  }

  #read<Schema extends z.ZodType>(schema: Schema, answer: HttpAnswer): z.output<Schema> {
    const result = schema.safeParse(answer.json);
    if (!result.success) throw this.#http.unexpected(answer);
    return result.data;
  }
}

function isGranted({ status }: HttpAnswer): boolean {
  return status === 200 || status === 201;
}

const TOO_OLD =
  'The lock server is too old for leases in shared mode: bring it up to date, or take the lock exclusively.';

const WRONG_MODE =
  'The lock server has granted a lease of another mode than was asked for, which was given back: it may be too old, or a proxy changes bodies.';

/** What a server answers to a route that it does not have. */
const NO_SUCH_ROUTE: ReadonlySet<number> = new Set([404, 405]);

type Issue = NonNullable<z.output<typeof problemJson>['issues']>[number];

const MODE_FIELDS: ReadonlySet<string> = new Set(Object.keys(modeFields));

/** Whether a server calls a field unknown that says in which mode a lock is wanted, also in a bulk or a set. */
const knowsNoModes = ({ field, rule }: Issue) =>
  rule === 'is not a known field' && MODE_FIELDS.has(field.slice(field.lastIndexOf('.') + 1));

/** Whether a server refuses one of a set because it is no name, but an object with a mode of its own. */
function takesNamesOnly({ field, rule }: Issue, locks: readonly unknown[]): boolean {
  const [, index] = /^lockNames\.(\d+)$/.exec(field) ?? [];
  const isObject = index !== undefined && typeof locks[Number(index)] === 'object';
  return isObject && rule.startsWith('must be a string');
}

const isAsked = (lease: LeaseConfirmation, share: Share | undefined) => modeOf(lease) === modeOf({ share });

const shareIn = ({
  permits,
  limit = null,
}: {
  permits?: number;
  limit?: number | null;
}): Share | undefined => (permits === undefined ? undefined : { permits, limit });

function confirmation(lease: z.output<typeof leaseJson>): LeaseConfirmation {
  const times = timesOf(lease);
  const timeLeft = times.expireTime.getTime() - new Date(lease.serverTime).getTime();
  const { fencingToken, metadata } = lease;
  const share = lease.mode === 'shared' ? { share: shareIn({ permits: 1, ...lease }) } : undefined;
  return { ...times, timeLeft, fencingToken, metadata, ...share };
}

function leasePath(lockName: string, grantId?: string): string {
  const path = `locks/${encodeURIComponent(lockName)}/lease`;
  return grantId === undefined ? path : `${path}/${grantId}`;
}

function timesOf({ lockTime, expireTime }: { lockTime: string; expireTime: string }) {
  return { lockTime: new Date(lockTime), expireTime: new Date(expireTime) };
}

function dateOf(time: string | null | undefined): Date | null {
  return time ? new Date(time) : null;
}
