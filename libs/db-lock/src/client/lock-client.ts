import { randomUUID } from 'node:crypto';
import { parseRequest } from '../lease/requests.js';
import { lockNameSchema } from '../lease/names.js';
import { acquireSchema, type AcquireOptions } from './acquire-options.js';
import { BasicLockClient, definedOnly, type Acquisition, type ClientSettings } from './basic-lock-client.js';
import { Lease, type RenewableLeaseObserver } from './lease.js';
import type { LeaseConfirmation, LockInfo, LockTransport } from './lock-transport.js';

/**
 * Takes locks, in the same process or from a remote lock server. Inject it:
 *
 *     constructor(private readonly locks: LockClient) {}
 *
 *     await this.locks.withLock('invoice:42', async (lease) => { … });
 */
export class LockClient extends BasicLockClient<Lease, AcquireOptions, LeaseConfirmation> {
  constructor(
    settings: ClientSettings,
    private readonly transport: LockTransport,
  ) {
    super(settings, transport);
  }

  readonly #observer: RenewableLeaseObserver = {
    ...this.observer,
    renew: ({ lockName, grantId }, ttl) => this.transport.renew({ lockName, grantId, ttl }),
  };

  /**
   * Who holds the lock, since when and until when; null when the server knows no such name.
   * @throws StoreUnavailableError when the server does not answer.
   */
  async inspect(lockName: string): Promise<LockInfo | null> {
    return this.transport.inspect(parseRequest(lockNameSchema, lockName, 'lockName'));
  }

  protected prepare(lockName: string, options: AcquireOptions | undefined, keepAlive: boolean): Acquisition {
    const { ttl, workerName } = this.settings;
    const defaults = { ttl, workerName, keepAlive, grantId: randomUUID() };
    const {
      signal,
      keepAlive: renewed,
      ...request
    } = parseRequest(acquireSchema, { ...defaults, ...definedOnly(options), lockName }, 'options');
    return { request, signal, keepAlive: renewed, callersGrant: options?.grantId !== undefined };
  }

  protected lease(
    { request, keepAlive }: Acquisition,
    confirmation: LeaseConfirmation,
    sentAt: number,
  ): Lease {
    return new Lease(request, this.#observer, confirmation, sentAt, request.ttl, keepAlive);
  }
}
