import { randomUUID } from 'node:crypto';
import { monotonicNow } from '../lease/clock.js';
import { trustedUntil } from '../lease/deadline.js';
import { MAX_TTL } from '../lease/duration.js';
import type { AcquireRequest } from '../lease/requests.js';
import type { HolderRecord, LeaseRecord } from '../store/lock-store.js';
import type { ServerTelemetry } from '../telemetry/telemetry.js';
import { Circuit } from './circuit.js';
import { readEntry, writeEntry, type Entry } from './entry.js';
import { RedisClock } from './redis-clock.js';
import type { Call, RedisConnection, Reply } from './redis-connection.js';

/** How long a claim keeps others away, in ms, at most: as long as a statement of the database takes by default. */
const CLAIM_LIFE = 5_000;

/** No lock has it. */
const PROBE_NAME = '';

/** What an entry of another grant says, and how many milliseconds it has left. */
export interface Rival {
  entry: Entry;
  timeLeft: number;
}

/** Says what became of a lock. */
export type News = Call;

/**
 * One key a lock: free, claimed by who is about to ask the database, or held. What is not there, can't be read or does
 * not answer in time is no rival. Nothing rejects.
 */
export class RedisGate {
  readonly #clock = new RedisClock();
  readonly #circuit: Circuit;

  readonly #stopWatching?: () => void;

  constructor(
    private readonly connection: RedisConnection,
    private readonly telemetry?: ServerTelemetry,
  ) {
    this.#stopWatching = telemetry?.watchGate(() => this.isAnswering);
    this.#circuit = new Circuit({
      get isReady() {
        return connection.isReady;
      },
      probe: () => this.#probe(),
    });
  }

  get isAnswering(): boolean {
    return !this.#circuit.isCut;
  }

  /** Asks Redis once for a sign of life; when there is none, goes on asking in the background. */
  check(): Promise<void> {
    return this.#circuit.check();
  }

  /** Claims each lock whose key is free. Answers who is in the way, at the request's index. */
  async claim(requests: readonly AcquireRequest[]): Promise<Array<Rival | undefined>> {
    const now = monotonicNow();
    const replies = await this.#send(
      requests.map(({ lockName, grantId, workerName, ttl }) => {
        const claim = { grantId, token: 0, workerName, lockTime: null, expireTime: null };
        return this.#claim(lockName, writeEntry(claim), now, Math.min(ttl, CLAIM_LIFE));
      }),
    );
    const rivals = requests.map(({ grantId }, index) => toRival(replies?.[index], grantId));
    if (this.telemetry) this.#tell(this.telemetry, rivals, replies !== undefined);
    return rivals;
  }

  /** Sends the news, in one go, before it returns. Resolves when they have arrived, or can't. */
  async tell(news: readonly News[]): Promise<void> {
    await this.#send(news);
  }

  /**
   * The lease holds the lock.
   * @param sentAt when the database was asked for it, on the monotonic clock
   */
  held(lease: LeaseRecord, sentAt: number): News {
    return this.#hold(confirmed(lease), lease, sentAt);
  }

  /** The lease has another end. A key that says nothing of it is left alone: the lease may be over by now. */
  renewed(lease: LeaseRecord, sentAt: number): News {
    return this.#hold(confirmed(lease), lease, sentAt, lease.grantId);
  }

  /** Somebody else holds the lock that was claimed. */
  refused({ lockName, grantId }: AcquireRequest, holder: HolderRecord, sentAt: number): News {
    return this.#hold({ ...holder, token: 0 }, { ...holder, lockName }, sentAt, grantId);
  }

  /** The claim has come to nothing. */
  withdrawn({ lockName, grantId }: AcquireRequest): News {
    return this.untrue(lockName, { grantId, token: 0 });
  }

  /** The lease is over. */
  ended(lockName: string, grantId: string): News {
    return { step: 'end', lockName, values: [grantId] };
  }

  /** The entry does not say what is. */
  untrue(lockName: string, { grantId, token }: Pick<Entry, 'grantId' | 'token'>): News {
    return { step: 'refute', lockName, values: [grantId, token] };
  }

  close(): void {
    this.#stopWatching?.();
    this.#circuit.end();
  }

  #tell(telemetry: ServerTelemetry, rivals: ReadonlyArray<Rival | undefined>, isAnswered: boolean): void {
    const busy = rivals.filter((rival) => rival !== undefined).length;
    telemetry.gated('busy', busy);
    telemetry.gated(isAnswered ? 'passed' : 'unanswered', rivals.length - busy);
  }

  #claim(lockName: string, value: string, now: number, life: number): Call {
    return { step: 'claim', lockName, values: [value, life, this.#clock.at(now + life)] };
  }

  /** @param instead the grantId of the only entry that it may replace */
  #hold(
    entry: Entry,
    { lockName, timeLeft }: { lockName: string; timeLeft: number },
    sentAt: number,
    instead = '',
  ): Call {
    const end = trustedUntil(sentAt, timeLeft);
    const life = Math.floor(end - monotonicNow());
    return {
      step: 'hold',
      lockName,
      values: [writeEntry(entry), entry.token, life, this.#clock.at(end), instead],
    };
  }

  /** Writes, because a Redis that is read-only or full is of no use. */
  #probe(): Promise<unknown> {
    return this.#deliver([this.#claim(PROBE_NAME, `probe ${randomUUID()}`, monotonicNow(), 500)]);
  }

  async #send(calls: readonly Call[]): Promise<Reply[] | undefined> {
    if (calls.length === 0) return [];
    return this.#circuit.run(() => this.#deliver(calls));
  }

  async #deliver(calls: readonly Call[]): Promise<Reply[]> {
    const replies = await this.connection.send(calls);
    this.#clock.learn(replies.at(-1)![0]);
    return replies;
  }
}

const confirmed = ({ grantId, fencingToken, workerName, lockTime, expireTime }: LeaseRecord): Entry => ({
  grantId,
  token: fencingToken,
  workerName,
  lockTime,
  expireTime,
});

/** Who is in the way of a grant, if somebody else is, for a time that a lease may have. */
function toRival(reply: Reply | undefined, grantId: string): Rival | undefined {
  const entry = readEntry(reply?.[1]);
  const timeLeft = Number(reply?.[2]);
  const lives = timeLeft > 0 && timeLeft <= MAX_TTL;
  return entry && lives && entry.grantId !== grantId ? { entry, timeLeft } : undefined;
}
