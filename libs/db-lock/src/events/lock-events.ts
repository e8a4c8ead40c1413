import { Subject, filter, type Observable } from 'rxjs';
import type { LockHolder, LostReason } from '../lease/errors.js';
import { guarded } from './guarded-observable.js';
import { modeDetails, type Share } from '../lease/modes.js';
import { sharedClasses } from '../lease/copies.js';

/** What all events of locks tell, where it is known. Never the grantId, which is the key to the lease. */
interface Told {
  lockName: string;
  /** Who asked, or whose lease it is or was. */
  workerName?: string;
  /** Of the lease; none where there is no lease, and where the server's contract knows none (django-db-lock). */
  fencingToken?: number;
  /** When the lease ends unless it is renewed, by the store's clock. */
  expireTime?: Date;
  /** Of a lease in shared mode, or of one who asks for such. */
  mode?: 'shared';
  /** How many permits it takes; in shared mode only. */
  permits?: number;
  /** The most permits that may be held together; in shared mode only, and absent where any number may. */
  limit?: number;
}

interface LockDetails {
  /** A lock was granted. `wait`: milliseconds that it was waited for; 0 when it wasn't. */
  acquired: { wait: number };
  /** An acquire was refused, or its wait ran out. */
  busy: { holder: LockHolder };
  /** An acquire has begun to wait. */
  waiting: { holder: LockHolder };
  /** A lease got a new TTL. */
  renewed: unknown;
  /** A holder has turned its exclusive lease into a shared one; `fencingToken` is the new one. */
  downgraded: unknown;
  /** A holder ended its lease. */
  released: unknown;
  /** A holder of this process must stop. Told here only, where the holder is. */
  lost: { reason: LostReason };
  /** A lease was found expired, never released, when somebody else got the lock; it is that lease which is told of. */
  expired: unknown;
  /** An operator ended a lease; it is that lease which is told of. */
  forced: { actor: string; reason: string };
}

/** What each event tells beside its type. */
type Details = { [Each in keyof LockDetails]: Told & LockDetails[Each] } & {
  /**
   * The database's clock jumped by at least so many milliseconds, to an earlier time when negative, which is more than the margin of the
   * shortest lease that was asked for: leases may have ended while their holders trusted them, or last longer than they say.
   */
  clockJumped: { lockName?: undefined; jump: number };
};

export type LockEventType = keyof Details;

/** Something that happened to a lock, or to the clock of all, as this process saw it. */
export type LockEvent<Type extends LockEventType = LockEventType> = {
  [Each in LockEventType]: {
    /** The feature whose lock it is. */
    feature: string;
    type: Each;
  } & Details[Each];
}[Type];

/** What is to be told: an event whose feature is yet to be filled in. Further fields may be there; they are not told. */
export type LockFact<Type extends LockEventType = LockEventType> = {
  [Each in LockEventType]: { type: Each; share?: Share } & Details[Each];
}[Type];

/** Where those who see something happen tell it. */
export interface LockEventSink {
  /** Whether anybody listens. */
  readonly observed: boolean;
  /** Never throws. */
  emit(fact: LockFact): void;
}

const TOLD = ['type', 'lockName', 'workerName', 'fencingToken', 'expireTime'] as const;

const DETAILS: Record<LockEventType, readonly string[]> = {
  acquired: ['wait'],
  busy: ['holder'],
  waiting: ['holder'],
  renewed: [],
  downgraded: [],
  released: [],
  lost: ['reason'],
  expired: [],
  forced: ['actor', 'reason'],
  clockJumped: ['jump'],
};

/**
 * What happens to the locks of one feature, as this process sees it. Inject it:
 *
 *     constructor(events: LockEvents) {
 *       events.of('lost', 'forced').subscribe(({ lockName, reason }) => …);
 *     }
 *
 * Where the application has @nestjs/event-emitter, each event is emitted there, too: `@OnEvent('db-lock.lost')`.
 *
 * Subscribers run at once, before the acquire or release returns: let them be short. One that throws is logged and
 * harms neither locks nor the other subscribers. With nobody subscribed, telling costs nothing.
 */
export class LockEvents implements LockEventSink {
  readonly #events = new Subject<LockEvent>();

  /** Everything that happens, in its order. Never ends. */
  readonly events$: Observable<LockEvent> = guarded(this.#events);

  /** @internal Made by the module. */
  constructor(readonly feature: string) {}

  /** Whether anybody listens. */
  get observed(): boolean {
    return this.#events.observed;
  }

  /** Only events of these types. */
  of<Type extends LockEventType>(...types: Type[]): Observable<LockEvent<Type>> {
    return this.events$.pipe(
      filter((event): event is LockEvent<Type> => (types as LockEventType[]).includes(event.type)),
    );
  }

  /** @internal */
  emit(fact: LockFact): void {
    if (!this.#events.observed) return;
    this.#events.next({
      ...only(fact, [...TOLD, ...DETAILS[fact.type]]),
      ...modeDetails(fact.share),
      feature: this.feature,
    } as LockEvent);
  }
}

/** The fields to tell, and no others: what is told must not hold a grantId. */
function only(fact: LockFact, fields: readonly string[]): object {
  const given = fact as unknown as Record<string, unknown>;
  return Object.fromEntries(
    fields
      .filter((field) => given[field] !== undefined)
      .map((field) => [field, field === 'holder' ? holderOf(given[field] as LockHolder) : given[field]]),
  );
}

function holderOf({ workerName, lockTime, expireTime }: LockHolder): LockHolder {
  return { workerName, lockTime, expireTime };
}

sharedClasses({ LockEvents });
