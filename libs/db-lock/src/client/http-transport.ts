import type { z } from 'zod';
import { InvalidLockRequestError } from '../lease/errors.js';
import type { AcquireSetRequest, RenewRequest, WaitingAcquireRequest } from '../lease/requests.js';
import { inspectedLockJson, leaseJson, leaseSetJson, problemJson } from '../server/schemas.js';
import {
  HttpExchange,
  type HttpAnswer,
  type HttpExchangeOptions,
  type HttpRequest,
} from './http-exchange.js';
import {
  leastTimeLeft,
  type AcquireOutcome,
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

/** The way to a remote lock server, over its REST API. */
export class HttpTransport implements LockTransport {
  readonly repeatable = true;
  readonly #http: HttpExchange;

  constructor(options: HttpExchangeOptions) {
    this.#http = new HttpExchange(options);
  }

  async acquire(
    { lockName, ...body }: WaitingAcquireRequest,
    signal?: AbortSignal,
  ): Promise<AcquireOutcome<LeaseConfirmation>> {
    const answer = await this.#send({
      method: 'POST',
      path: leasePath(lockName),
      body,
      signal,
      wait: body.wait,
    });
    if (!isGranted(answer)) return this.#busy(answer);
    return { outcome: 'granted', lease: confirmation(this.#read(leaseJson, answer)) };
  }

  async acquireSet(body: AcquireSetRequest, signal?: AbortSignal): Promise<AcquireOutcome<SetConfirmation>> {
    const answer = await this.#send({ method: 'POST', path: 'lease-sets', body, signal, wait: body.wait });
    if (!isGranted(answer)) return this.#busy(answer);
    const leases = this.#read(leaseSetJson, answer).leases.map((lease) => ({
      lockName: lease.lockName,
      ...confirmation(lease),
    }));
    return { outcome: 'granted', lease: { leases, timeLeft: leastTimeLeft(leases) } };
  }

  async renew({ lockName, grantId, ttl }: RenewRequest): Promise<RenewOutcome> {
    const path = leasePath(lockName, grantId);
    const answer = await this.#send({
      method: 'PATCH',
      path,
      body: { ttl },
      timeout: Math.ceil(ttl * RENEWAL_PART),
    });
    if (answer.status === 200)
      return { outcome: 'renewed', lease: confirmation(this.#read(leaseJson, answer)) };
    this.#problem(answer, 410, 'LEASE_LOST');
    return { outcome: 'lost' };
  }

  async release({ lockName, grantId }: LeaseKey, minHold = 0): Promise<ReleaseOutcome> {
    const answer = await this.#send({
      method: 'DELETE',
      path: leasePath(lockName, grantId),
      query: minHold > 0 ? { minHold: String(minHold) } : undefined,
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
    const queue = lock.queue.map(({ workerName, since }) => ({ workerName, since: new Date(since) }));
    return { ...lock, ...timesOf(lock), serverTime: new Date(lock.serverTime), queue };
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  /** @throws InvalidLockRequestError when the server found a rule broken. */
  async #send(request: HttpRequest): Promise<HttpAnswer> {
    const answer = await this.#http.exchange(request);
    if (answer.status !== 400) return answer;
    throw new InvalidLockRequestError(this.#problem(answer, 400, 'INVALID_REQUEST').issues ?? []);
  }

  /** Only a problem document of ours with the expected code counts: a proxy's 409 or 410 is no answer to the question. */
  #problem(answer: HttpAnswer, status: number, code: string): z.output<typeof problemJson> {
    const problem = this.#read(problemJson, answer);
    if (answer.status !== status || problem.code !== code) throw this.#http.unexpected(answer);
    return problem;
  }

  #busy(answer: HttpAnswer): AcquireOutcome<never> {
    const { holder, retryAfter, lockName } = this.#problem(answer, 409, 'LOCK_BUSY');
    return {
      outcome: 'busy',
      lockName,
      holder: {
        workerName: holder?.workerName ?? null,
        lockTime: dateOf(holder?.lockTime),
        expireTime: dateOf(holder?.expireTime),
      },
      retryAfter: retryAfter ?? null,
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

function confirmation(lease: z.output<typeof leaseJson>): LeaseConfirmation {
  const times = timesOf(lease);
  const timeLeft = times.expireTime.getTime() - new Date(lease.serverTime).getTime();
  return { ...times, timeLeft, fencingToken: lease.fencingToken, metadata: lease.metadata };
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
