import { monotonicNow } from '../lease/clock.js';
import { trustedUntil } from '../lease/deadline.js';
import { ttlSchema, type Duration } from '../lease/duration.js';
import type { LockMetadata } from '../lease/metadata.js';
import { parseRequest } from '../lease/requests.js';
import { BasicLease, type LeaseObserver } from './basic-lease.js';
import { KeepAlive } from './keep-alive.js';
import type { LeaseConfirmation, LeaseKey, RenewOutcome } from './lock-transport.js';

export interface RenewableLeaseObserver extends LeaseObserver {
  /** Sends one renewal, once. */
  renew(key: LeaseKey, ttl: number): Promise<RenewOutcome>;
}

/** One grant of a lock by our own lock server: it can be renewed, and it carries a fencing token. */
export class Lease extends BasicLease {
  #confirmation: LeaseConfirmation;
  readonly #observer: RenewableLeaseObserver;
  readonly #ttl: number;
  readonly #keepAlive?: KeepAlive;

  /** @internal Leases are made by the client. */
  constructor(
    key: LeaseKey,
    observer: RenewableLeaseObserver,
    confirmation: LeaseConfirmation,
    sentAt: number,
    ttl: number,
    keepAlive: boolean,
    minHold: number,
  ) {
    super(key, observer, trustedUntil(sentAt, confirmation.timeLeft), minHold);
    this.#observer = observer;
    this.#ttl = ttl;
    this.#confirmation = confirmation;
    if (keepAlive) this.#keepAlive = new KeepAlive(ttl, () => this.#renewOnce(ttl));
  }

  /** The UUID of this acquisition: the key to the lease. Keep it to yourself. */
  get grantId(): string {
    return this.key.grantId;
  }

  /** Grows with every grant of the lock; hand it to the protected resource, which refuses an older one. Below 2^53. */
  get fencingToken(): number {
    return this.#confirmation.fencingToken;
  }

  /** Start of the lease, by the store's clock. */
  get lockTime(): Date {
    return this.#confirmation.lockTime;
  }

  /** End of the lease unless it is renewed, by the store's clock. For people: `signal` and `timeLeft` decide. */
  get expireTime(): Date {
    return this.#confirmation.expireTime;
  }

  get metadata(): LockMetadata | null {
    return this.#confirmation.metadata;
  }

  override toJSON(): object {
    const { fencingToken, lockTime, expireTime } = this;
    return { ...super.toJSON(), fencingToken, lockTime, expireTime };
  }

  /**
   * Gives the lease a new TTL from now (default: the one it was acquired with). Never shortens it.
   * @throws LeaseLostError when the lease is lost, also when the answer came after the local deadline.
   * @throws StoreUnavailableError when the server does not answer: the lease is held until its deadline, and may be renewed again.
   */
  async renew(ttl: Duration = this.#ttl): Promise<void> {
    await this.#renewOnce(parseRequest(ttlSchema, ttl, 'ttl'));
  }

  protected override stop(): void {
    super.stop();
    this.#keepAlive?.stop();
  }

  async #renewOnce(ttl: number): Promise<void> {
    this.assertHeld();
    const sentAt = monotonicNow();
    const answer = await this.#observer.renew(this.key, ttl);
    if (answer.outcome === 'lost') this.lose('refused');
    this.assertHeld();
    if (answer.outcome === 'renewed') {
      this.#confirmation = answer.lease;
      this.trustUntil(trustedUntil(sentAt, answer.lease.timeLeft));
    }
  }
}
