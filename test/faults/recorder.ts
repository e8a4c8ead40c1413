import { LockClient, type Lease } from 'nestjs-db-lock';
import type { LeaseConfirmation, LockTransport } from '../../libs/db-lock/src/client/lock-transport.js';
import { monotonicNow } from '../../libs/db-lock/src/lease/clock.js';
import { modeOf, type Share } from '../../libs/db-lock/src/lease/modes.js';
import type { AcquireRequest, SharedRequest } from '../../libs/db-lock/src/lease/requests.js';
import {
  emptyHistory,
  type DatabaseTime,
  type Grant,
  type History,
  type LocalTime,
  type Refusal,
  type Release,
  type Wait,
} from './history.js';
import { RecordingTransport } from './recording-transport.js';
import type { Resource } from './resource.js';
import type { Witness } from './witness.js';

/** Writes the history of what the clients see, and completes it with what the database has. */
export class Recorder {
  readonly history: History = emptyHistory();
  /** How many requests got no answer. */
  unknown = 0;
  readonly #recorded: Array<Promise<unknown>> = [];
  #lastTime: DatabaseTime = 0;

  private constructor(
    private readonly witness: Witness,
    private readonly resource: Resource,
  ) {}

  /** Begins to record. The table of the locks exists already. */
  static async open(witness: Witness, resource: Resource): Promise<Recorder> {
    const recorder = new Recorder(witness, resource);
    await recorder.witness.record();
    await recorder.resource.create();
    return recorder;
  }

  /**
   * A client whose dealings with its server are recorded.
   * @param mayBeLiedTo its server may be told that a lock is busy which is not
   */
  client(transport: LockTransport, mayBeLiedTo = false): LockClient {
    const settings = { ttl: 1_000, workerName: 'somebody', retries: 2 };
    return new LockClient(settings, new RecordingTransport(transport, this, mayBeLiedTo));
  }

  /** Waits for the answer to a request. */
  async answer<Answer>(request: Promise<Answer>): Promise<Answer> {
    try {
      return await request;
    } catch (error) {
      this.unknown++;
      throw error;
    }
  }

  granted({ lockName, workerName, grantId }: AcquireRequest, lease: LeaseConfirmation): void {
    this.history.grants.push({ lockName, workerName, grantId, ...toldOf(lease) });
    this.#passed(lease.lockTime.getTime());
  }

  /** Somebody is ready to wait for a lock. Returns what is to be called when it was granted. */
  waiting({ lockName }: { lockName: string }): () => void {
    const wait: Wait = { lockName, sentAt: monotonicNow(), until: Infinity };
    this.history.waits.push(wait);
    return () => {
      wait.until = monotonicNow();
    };
  }

  renewed({ lockName, grantId }: LeaseName, lease: LeaseConfirmation): void {
    const { lockTime: _, ...told } = toldOf(lease);
    this.history.renewals.push({ lockName, grantId, ...told });
  }

  downgraded({ lockName, grantId }: LeaseName, lease: LeaseConfirmation): void {
    this.history.downgrades.push({ lockName, grantId, ...toldOf(lease), share: lease.share! });
  }

  /** A release is asked for. Returns what is to be called when it was answered. */
  releasing({ lockName, grantId }: LeaseName, sentAt: LocalTime): () => void {
    const release: Release = { lockName, grantId, sentAt, answeredAt: Infinity };
    this.history.releases.push(release);
    return () => {
      release.answeredAt = monotonicNow();
    };
  }

  /** Left out when the database doesn't tell its time. */
  refused({ lockName, grantId }: LeaseName, asked: Refusal['asked'], sentAt: LocalTime): void {
    this.#whenTimeIsTold((at) => this.history.refusals.push({ lockName, grantId, asked, sentAt, at }));
  }

  /**
   * Left out when the database doesn't tell its time.
   * @param since what `lastTime` was before it was asked
   */
  busy({ lockName, grantId, share }: SharedRequest, sentAt: LocalTime, since: DatabaseTime): void {
    const answeredAt = monotonicNow();
    this.#whenTimeIsTold((at) =>
      this.history.busies.push({ lockName, grantId, share, since, at, sentAt, answeredAt }),
    );
  }

  /** What the database's clock has passed already. */
  get lastTime(): DatabaseTime {
    return this.#lastTime;
  }

  /**
   * Uses the guarded resource in the name of a lease, and records it if the lease is still trusted afterwards.
   * @param share of one who is ready to share the lock by now, whatever became of the downgrade
   */
  async use(lease: Lease, share = shareOf(lease)): Promise<void> {
    const { lockName, workerName, grantId, fencingToken: token } = lease;
    const began = monotonicNow();
    const answer = await this.resource.use(lockName, token, modeOf({ share })).catch(() => undefined);
    if (!answer) return;
    this.#passed(answer.at);
    const ended = monotonicNow();
    if (lease.timeLeft > 0)
      this.history.trustedUses.push({ lockName, workerName, grantId, token, share, began, ended, ...answer });
  }

  async look(): Promise<void> {
    this.history.looks.push(await this.witness.look());
  }

  /** The history, when nothing happens any more. */
  async complete(): Promise<History> {
    await Promise.all(this.#recorded);
    this.history.rows = await this.witness.rows();
    this.history.acceptedUses = await this.resource.acceptedUses();
    return this.history;
  }

  async close(): Promise<void> {
    await this.witness.close();
    await this.resource.close();
  }

  #whenTimeIsTold(record: (at: DatabaseTime) => void): void {
    this.#recorded.push(this.#record(record).catch(() => undefined));
  }

  async #record(record: (at: DatabaseTime) => void): Promise<void> {
    const at = await this.witness.now();
    this.#passed(at);
    record(at);
  }

  #passed(time: DatabaseTime): void {
    this.#lastTime = Math.max(this.#lastTime, time);
  }
}

/** What names a lease. */
type LeaseName = Pick<Grant, 'lockName' | 'grantId'>;

function toldOf({ fencingToken: token, lockTime, expireTime, share }: LeaseConfirmation) {
  return {
    token,
    lockTime: lockTime.getTime(),
    expireTime: expireTime.getTime(),
    answeredAt: monotonicNow(),
    share,
  };
}

const shareOf = ({ permits, limit }: Lease): Share | undefined =>
  permits === null ? undefined : { permits, limit };
