import { randomUUID } from 'node:crypto';
import { toMilliseconds } from '../lease/duration.js';
import { isPlainLockName } from '../lease/names.js';
import { parseLockName, parseRequest, type AcquireSetRequest } from '../lease/requests.js';
import {
  acquireAllSchema,
  acquireSchema,
  arePlainOptions,
  splitReentrant,
  type AcquireOptions,
  type LockOfSet,
  type LockWorkOptions,
} from './acquire-options.js';
import { BasicLockClient, definedOnly, type Acquisition, type ClientSettings } from './basic-lock-client.js';
import { Lease, type RenewableLeaseObserver } from './lease.js';
import { Hold, holdHere } from './lease-context.js';
import { LeaseSet } from './lease-set.js';
import type { LeaseConfirmation, LockInfo, LockTransport, SetConfirmation } from './lock-transport.js';
import { promised } from './promised.js';
import { orNull, orThrow, type Refusal } from './refusal.js';
import { splitOptions, workUnder, type OptionalOptions, type Work } from './work.js';
import { sharedClasses } from '../lease/copies.js';

/** One acquisition of several locks. */
interface SetAcquisition extends Omit<Acquisition, 'request'> {
  request: AcquireSetRequest;
}

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
    downgrade: async (key, share) => {
      const answer = await this.persistently(() =>
        this.transport.downgrade({ lockName: key.lockName, grantId: key.grantId, share }),
      );
      if (answer.outcome === 'downgraded') this.teller?.emit({ type: 'downgraded', ...key, ...answer.lease });
      return answer;
    },
    renew: ({ lockName, workerName, grantId, share }, ttl, held) => {
      const renewing = this.transport.renew(
        share ? { lockName, grantId, ttl, held, isShared: true } : { lockName, grantId, ttl, held },
      );
      const { teller } = this;
      if (!teller) return renewing;
      return renewing.then((answer) => {
        if (answer.outcome === 'renewed')
          teller.emit({ type: 'renewed', ...answer.lease, lockName, workerName });
        return answer;
      });
    },
  };

  /**
   * Who holds the lock, since when and until when; null when the server knows no such name.
   * @throws StoreUnavailableError when the server does not answer.
   */
  async inspect(lockName: string): Promise<LockInfo | null> {
    return this.transport.inspect(parseLockName(lockName));
  }

  /**
   * Takes several locks at once, all or none: nobody holds one of them and waits for another, so no order of names
   * can deadlock. All leases have the same grantId.
   * @param lockNames 1 to 100 different names; in an object with it, one that is wanted in a mode of its own
   * @throws LockBusyError naming a lock that somebody else holds, when `wait` has run out; then none is held.
   * @throws StoreUnavailableError, LeaseLostError, InvalidLockRequestError as `acquire` does.
   */
  acquireAll(lockNames: readonly LockOfSet[], options?: AcquireOptions): Promise<LeaseSet> {
    return promised(() => this.#acquireAll(this.#prepareAll(lockNames, options, false), orThrow));
  }

  /** Like `acquireAll`, but null when one of the locks is busy and `wait` has run out. */
  tryAcquireAll(lockNames: readonly LockOfSet[], options?: AcquireOptions): Promise<LeaseSet | null> {
    return promised(() => this.#acquireAll(this.#prepareAll(lockNames, options, false), orNull));
  }

  /**
   * Runs the work under several locks, taken at once, all or none, and releases them. With `reentrant`, the work runs under the
   * leases that there are already, and takes the other locks at once; who does so for locks of which others have some and wait
   * for these, waits in vain until `wait` has run out.
   * @throws as `acquireAll`; the work has not begun then.
   */
  withLocks<Result>(lockNames: readonly LockOfSet[], work: Work<LeaseSet, Result>): Promise<Result>;
  withLocks<Result>(
    lockNames: readonly LockOfSet[],
    options: LockWorkOptions,
    work: Work<LeaseSet, Result>,
  ): Promise<Result>;
  async withLocks<Result>(
    lockNames: readonly LockOfSet[],
    ...rest: OptionalOptions<LockWorkOptions, Work<LeaseSet, Result>>
  ): Promise<Result> {
    const [options, work] = splitOptions(rest);
    const [acquireOptions, reentrant] = splitReentrant<AcquireOptions>(options);
    const asked = this.#prepareAll(lockNames, acquireOptions, true);
    asked.signal?.throwIfAborted();
    const joined = new Map<string, Hold>();
    for (const lockName of asked.request.lockNames) {
      const hold = holdHere(this, lockName, asked.request.shares.get(lockName));
      if (hold && reentrant) joined.set(lockName, hold);
    }
    return workUnder([...joined.values()], async () => {
      const holds = await this.#holdAll(asked, joined);
      return workUnder(holds, () => work(new LeaseSet(holds.map(({ lease }) => lease as Lease))));
    });
  }

  /** One hold for each lock, in the order of their names: those that there are, and those of the locks to be acquired. */
  async #holdAll(asked: SetAcquisition, joined: ReadonlyMap<string, Hold>): Promise<Hold[]> {
    const { lockNames } = asked.request;
    const missing = lockNames.filter((lockName) => !joined.has(lockName));
    const acquired =
      missing.length > 0
        ? await this.#acquireAll({ ...asked, request: { ...asked.request, lockNames: missing } }, orThrow)
        : undefined;
    return lockNames.map((lockName) => joined.get(lockName) ?? new Hold(this, acquired!.get(lockName)!));
  }

  #prepareAll(
    lockNames: readonly LockOfSet[],
    options: AcquireOptions | undefined,
    keepAlive: boolean,
  ): SetAcquisition {
    const {
      signal,
      keepAlive: renewed,
      minHold,
      ...request
    } = parseRequest(acquireAllSchema, { ...this.#withDefaults(options, keepAlive), lockNames }, 'options');
    return { request, signal, keepAlive: renewed, minHold, callersGrant: options?.grantId !== undefined };
  }

  #acquireAll<Refused>(
    { request, signal, keepAlive, minHold, callersGrant }: SetAcquisition,
    refuse: (refusal: Refusal) => Refused,
  ): Promise<LeaseSet | Refused> {
    const { ttl, wait, workerName, grantId } = request;
    return this.confirm<SetConfirmation, LeaseSet | Refused>({
      keys: request.lockNames.map((lockName) => ({
        lockName,
        workerName,
        grantId,
        share: request.shares.get(lockName),
      })),
      wait,
      signal,
      callersGrant,
      send: (patience, aborted) => this.transport.acquireSet({ ...request, wait: patience }, aborted),
      hold: ({ leases }, sentAt, waited) =>
        new LeaseSet(
          leases.map(({ lockName, ...confirmed }) => {
            const key = { lockName, workerName, grantId };
            const lease = new Lease(key, this.#observer, confirmed, sentAt, ttl, keepAlive, minHold);
            return this.keep(lease, waited);
          }),
        ),
      refuse,
    });
  }

  #withDefaults(options: AcquireOptions | undefined, keepAlive: boolean): object {
    const { ttl, workerName } = this.settings;
    const defaults = { ttl, workerName, keepAlive, wait: 0, minHold: 0, grantId: randomUUID() };
    return { ...defaults, ...definedOnly(options) };
  }

  protected prepare(lockName: string, options: AcquireOptions = {}, keepAlive: boolean): Acquisition {
    return (
      this.#prepareAtOnce(lockName, options, keepAlive) ?? this.#prepareBySchema(lockName, options, keepAlive)
    );
  }

  /** What the schema would make of options that are plain; undefined when it must be asked. */
  #prepareAtOnce(lockName: string, options: object, keepAlive: boolean): Acquisition | undefined {
    if (!isPlainLockName(lockName) || !arePlainOptions(options)) return undefined;
    const { workerName = this.settings.workerName, grantId, signal } = options;
    const ttl = toMilliseconds(options.ttl ?? this.settings.ttl);
    const wait = toMilliseconds(options.wait ?? 0);
    const minHold = toMilliseconds(options.minHold ?? 0);
    if (minHold > ttl) return undefined;
    return {
      request: { lockName, workerName, grantId: grantId ?? randomUUID(), ttl, metadata: null, wait },
      signal,
      keepAlive: options.keepAlive ?? keepAlive,
      minHold,
      callersGrant: grantId !== undefined,
    };
  }

  #prepareBySchema(lockName: string, options: AcquireOptions, keepAlive: boolean): Acquisition {
    const {
      signal,
      keepAlive: renewed,
      minHold,
      ...request
    } = parseRequest(acquireSchema, { ...this.#withDefaults(options, keepAlive), lockName }, 'options');
    return { request, signal, keepAlive: renewed, minHold, callersGrant: options.grantId !== undefined };
  }

  protected another({ request, ...rest }: Acquisition, lockName: string): Acquisition {
    return {
      ...rest,
      request: { ...request, lockName: parseLockName(lockName), grantId: randomUUID() },
    };
  }

  protected lease(
    { request, keepAlive, minHold }: Acquisition,
    confirmation: LeaseConfirmation,
    sentAt: number,
  ): Lease {
    return new Lease(request, this.#observer, confirmation, sentAt, request.ttl, keepAlive, minHold);
  }
}

sharedClasses({ LockClient });
