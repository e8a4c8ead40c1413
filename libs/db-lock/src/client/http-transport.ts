import type { z } from 'zod';
import { InvalidLockRequestError } from '../lease/errors.js';
import type { AcquireRequest, RenewRequest } from '../lease/requests.js';
import { leaseJson, lockJson, problemJson } from '../server/schemas.js';
import {
  HttpExchange,
  type HttpAnswer,
  type HttpExchangeOptions,
  type HttpRequest,
} from './http-exchange.js';
import type {
  AcquireOutcome,
  LeaseConfirmation,
  LeaseKey,
  LockInfo,
  LockTransport,
  ReleaseOutcome,
  RenewOutcome,
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

  async acquire(request: AcquireRequest, signal?: AbortSignal): Promise<AcquireOutcome<LeaseConfirmation>> {
    const { lockName, ...body } = request;
    const answer = await this.#send({ method: 'POST', path: leasePath(lockName), body, signal });
    if (answer.status === 200 || answer.status === 201)
      return { outcome: 'granted', lease: this.#confirmation(answer) };
    const problem = this.#problem(answer, 409, 'LOCK_BUSY');
    const { workerName, lockTime, expireTime } = problem.holder ?? {};
    return {
      outcome: 'busy',
      holder: { workerName: workerName ?? null, lockTime: dateOf(lockTime), expireTime: dateOf(expireTime) },
      retryAfter: problem.retryAfter ?? null,
    };
  }

  async renew({ lockName, grantId, ttl }: RenewRequest): Promise<RenewOutcome> {
    const path = leasePath(lockName, grantId);
    const answer = await this.#send({
      method: 'PATCH',
      path,
      body: { ttl },
      timeout: Math.ceil(ttl * RENEWAL_PART),
    });
    if (answer.status === 200) return { outcome: 'renewed', lease: this.#confirmation(answer) };
    this.#problem(answer, 410, 'LEASE_LOST');
    return { outcome: 'lost' };
  }

  async release({ lockName, grantId }: LeaseKey): Promise<ReleaseOutcome> {
    const answer = await this.#send({ method: 'DELETE', path: leasePath(lockName, grantId) });
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
    const lock = this.#read(lockJson, answer);
    return { ...lock, ...timesOf(lock), serverTime: new Date(lock.serverTime) };
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

  #confirmation(answer: HttpAnswer): LeaseConfirmation {
    const lease = this.#read(leaseJson, answer);
    const times = timesOf(lease);
    const timeLeft = times.expireTime.getTime() - new Date(lease.serverTime).getTime();
    return { ...times, timeLeft, fencingToken: lease.fencingToken, metadata: lease.metadata };
  }

  #read<Schema extends z.ZodType>(schema: Schema, answer: HttpAnswer): z.output<Schema> {
    const result = schema.safeParse(answer.json);
    if (!result.success) throw this.#http.unexpected(answer);
    return result.data;
  }
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
