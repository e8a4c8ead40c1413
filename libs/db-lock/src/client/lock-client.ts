import { randomUUID } from 'node:crypto';
import { parseRequest } from '../lease/requests.js';
import { lockNameSchema } from '../lease/names.js';
import { acquireAllSchema, acquireSchema, type AcquireOptions } from './acquire-options.js';
import {
  BasicLockClient,
  definedOnly,
  nullWhenBusy,
  type Acquisition,
  type ClientSettings,
} from './basic-lock-client.js';
import { Lease, type RenewableLeaseObserver } from './lease.js';
import { LeaseSet } from './lease-set.js';
import type { LeaseConfirmation, LockInfo, LockTransport } from './lock-transport.js';
import { splitOptions, workUnder, type OptionalOptions, type Work } from './work.js';

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

  /**
   * Takes several locks at once, all or none: nobody holds one of them and waits for another, so no order of names
   * can deadlock. All leases have the same grantId.
   * @param lockNames 1 to 100 different names
   * @throws LockBusyError naming a lock that somebody else holds, when `wait` has run out; then none is held.
   * @throws StoreUnavailableError, LeaseLostError, InvalidLockRequestError as `acquire` does.
   */
  async acquireAll(lockNames: readonly string[], options?: AcquireOptions): Promise<LeaseSet> {
    return this.#acquireAll(lockNames, options, false);
  }

  /** Like `acquireAll`, but null when one of the locks is busy and `wait` has run out. */
  async tryAcquireAll(lockNames: readonly string[], options?: AcquireOptions): Promise<LeaseSet | null> {
    return nullWhenBusy(this.acquireAll(lockNames, options));
  }

  /**
   * Runs the work under several locks, taken at once, all or none, and releases them.
   * @throws as `acquireAll`; the work has not begun then.
   */
  withLocks<Result>(lockNames: readonly string[], work: Work<LeaseSet, Result>): Promise<Result>;
  withLocks<Result>(
    lockNames: readonly string[],
    options: AcquireOptions,
    work: Work<LeaseSet, Result>,
  ): Promise<Result>;
  async withLocks<Result>(
    lockNames: readonly string[],
    ...rest: OptionalOptions<AcquireOptions, Work<LeaseSet, Result>>
  ): Promise<Result> {
    const [options, work] = splitOptions(rest);
    return workUnder(await this.#acquireAll(lockNames, options, true), work);
  }

  async #acquireAll(
    lockNames: readonly string[],
    options: AcquireOptions | undefined,
    keepAlive: boolean,
  ): Promise<LeaseSet> {
    const {
      signal,
      keepAlive: renewed,
      minHold,
      ...request
    } = parseRequest(acquireAllSchema, { ...this.#withDefaults(options, keepAlive), lockNames }, 'options');
    const { ttl, wait, workerName, grantId } = request;
    const { confirmation, sentAt } = await this.confirm({
      keys: request.lockNames.map((lockName) => ({ lockName, workerName, grantId })),
      wait,
      signal,
      callersGrant: options?.grantId !== undefined,
      send: (patience, aborted) => this.transport.acquireSet({ ...request, wait: patience }, aborted),
    });
    return new LeaseSet(
      confirmation.leases.map(({ lockName, ...lease }) =>
        this.keep(
          new Lease({ lockName, workerName, grantId }, this.#observer, lease, sentAt, ttl, renewed, minHold),
        ),
      ),
    );
  }

  #withDefaults(options: AcquireOptions | undefined, keepAlive: boolean): object {
    const { ttl, workerName } = this.settings;
    const defaults = { ttl, workerName, keepAlive, wait: 0, minHold: 0, grantId: randomUUID() };
    return { ...defaults, ...definedOnly(options) };
  }

  protected prepare(lockName: string, options: AcquireOptions | undefined, keepAlive: boolean): Acquisition {
    const {
      signal,
      keepAlive: renewed,
      minHold,
      ...request
    } = parseRequest(acquireSchema, { ...this.#withDefaults(options, keepAlive), lockName }, 'options');
    return { request, signal, keepAlive: renewed, minHold, callersGrant: options?.grantId !== undefined };
  }

  protected lease(
    { request, keepAlive, minHold }: Acquisition,
    confirmation: LeaseConfirmation,
    sentAt: number,
  ): Lease {
    return new Lease(request, this.#observer, confirmation, sentAt, request.ttl, keepAlive, minHold);
  }
}
