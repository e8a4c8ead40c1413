import { monotonicNow } from '../lease/clock.js';
import { trustedUntil } from '../lease/deadline.js';
import { ttlSchema, type Duration } from '../lease/duration.js';
import type { LockMetadata } from '../lease/metadata.js';
import { shareSchema, type LockMode, type ModeOptions, type Share } from '../lease/modes.js';
import { parseRequest, type HeldLease } from '../lease/requests.js';
import { BasicLease, type LeaseObserver } from './basic-lease.js';
import { KeepAlive } from './keep-alive.js';
import type { DowngradeOutcome, LeaseConfirmation, LeaseKey, RenewOutcome } from './lock-transport.js';
import { sharedClasses } from '../lease/copies.js';

export interface RenewableLeaseObserver extends LeaseObserver {
  /** Turns it into a shared one, with retries. */
  downgrade(key: LeaseKey, share: Share): Promise<DowngradeOutcome>;
  /** Sends one renewal, once. */
  renew(key: LeaseKey, ttl: number, held: HeldLease): Promise<RenewOutcome>;
}

/** One grant of a lock by our own lock server: it can be renewed, and it carries a fencing token. */
export class Lease extends BasicLease {
  #fencingToken: number;
  #share?: Share;
  /** Times in milliseconds since 1970: a Date takes ten times the room, and most leases are asked for none. */
  readonly #lockTime: number;
  #expireTime!: number;
  #metadata!: LockMetadata | null;
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
    this.#fencingToken = confirmation.fencingToken;
    this.#lockTime = confirmation.lockTime.getTime();
    if (confirmation.share) this.#share = confirmation.share;
    this.#confirmedBy(confirmation);
    if (keepAlive) this.#keepAlive = new KeepAlive(ttl, () => this.#renewOnce(ttl), this.scope);
  }

  /** The UUID of this acquisition: the key to the lease. Keep it to yourself. */
  get grantId(): string {
    return this.key.grantId;
  }

  /** Grows with every grant of the lock; hand it to the protected resource, which refuses an older one. Below 2^53. */
  get fencingToken(): number {
    return this.#fencingToken;
  }

  /** Start of the lease, by the store's clock. */
  get lockTime(): Date {
    return new Date(this.#lockTime);
  }

  /** End of the lease unless it is renewed, by the store's clock. For people: `signal` and `timeLeft` decide. */
  get expireTime(): Date {
    return new Date(this.#expireTime);
  }

  get metadata(): LockMetadata | null {
    return this.#metadata;
  }

  /** In which mode it has the lock. */
  get mode(): LockMode {
    return this.#share ? 'shared' : 'exclusive';
  }

  /** How much of the lock it takes; null when it is exclusive. */
  get permits(): number | null {
    return this.#share?.permits ?? null;
  }

  /** The most permits that might be held together when it was granted; null where any number might, and when it is exclusive. */
  get limit(): number | null {
    return this.#share?.limit ?? null;
  }

  override toJSON(): object {
    const { fencingToken, lockTime, expireTime, mode } = this;
    const shared = this.#share && { mode, ...this.#share };
    return { ...super.toJSON(), fencingToken, lockTime, expireTime, ...shared };
  }

  /**
   * Turns an exclusive lease into a shared one, in one step: nobody else has the lock in between, and those who wait for it in shared mode get
   * it, too. The lease keeps its end, and gets a new fencing token. Without effect on a shared lease. There is no way back: two who tried it
   * would wait for each other for ever.
   * @throws LeaseLostError when the lease is lost.
   * @throws StoreUnavailableError when the server does not answer: the lease is held until its deadline, and may be downgraded again.
   * @throws InvalidLockRequestError when an option breaks a rule.
   */
  async downgrade(options: Pick<ModeOptions, 'limit' | 'permits'> = {}): Promise<void> {
    const share = parseRequest(shareSchema, options, 'options');
    this.assertHeld();
    if (this.#share) return;
    const answer = await this.#observer.downgrade(this.key, share);
    if (answer.outcome === 'lost') this.lose('refused');
    this.assertHeld();
    if (answer.outcome === 'lost') return;
    this.#fencingToken = answer.lease.fencingToken;
    this.#share = answer.lease.share;
  }

  protected override get key(): LeaseKey {
    return this.#share ? { ...super.key, share: this.#share } : super.key;
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

  /** Takes over what a renewal, or an operator, may have changed. */
  #confirmedBy({ expireTime, metadata }: LeaseConfirmation): void {
    this.#expireTime = expireTime.getTime();
    this.#metadata = metadata;
  }

  async #renewOnce(ttl: number): Promise<void> {
    this.assertHeld();
    const sentAt = monotonicNow();
    const answer = await this.#observer.renew(this.key, ttl, this);
    if (answer.outcome === 'lost') this.lose('refused');
    this.assertHeld();
    if (answer.outcome === 'renewed') {
      this.#confirmedBy(answer.lease);
      this.trustUntil(trustedUntil(sentAt, answer.lease.timeLeft));
    }
  }
}

sharedClasses({ Lease });
