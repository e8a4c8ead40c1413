import { LockClient, type Lease } from 'nestjs-db-lock';
import type { LeaseConfirmation, LockTransport } from '../../libs/db-lock/src/client/lock-transport.js';
import { monotonicNow } from '../../libs/db-lock/src/lease/clock.js';
import type { AcquireRequest } from '../../libs/db-lock/src/lease/requests.js';
import { emptyHistory, type History, type LocalTime, type Refusal } from './history.js';
import { RecordingTransport } from './recording-transport.js';
import type { Resource } from './resource.js';
import type { Witness } from './witness.js';

/** Writes the history of what the clients see, and completes it with what the database has. */
export class Recorder {
  readonly history: History = emptyHistory();
  /** How many requests got no answer. */
  unknown = 0;
  readonly #refusals: Array<Promise<unknown>> = [];

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

  /** A client whose dealings with its server are recorded. */
  client(transport: LockTransport): LockClient {
    const settings = { ttl: 1_000, workerName: 'somebody', retries: 2 };
    return new LockClient(settings, new RecordingTransport(transport, this));
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
    const { fencingToken: token, lockTime, expireTime } = lease;
    this.history.grants.push({
      lockName,
      workerName,
      grantId,
      token,
      lockTime: lockTime.getTime(),
      expireTime: expireTime.getTime(),
      answeredAt: monotonicNow(),
    });
  }

  renewed({ lockName, grantId }: { lockName: string; grantId: string }, lease: LeaseConfirmation): void {
    const { fencingToken: token, expireTime } = lease;
    this.history.renewals.push({
      lockName,
      grantId,
      token,
      expireTime: expireTime.getTime(),
      answeredAt: monotonicNow(),
    });
  }

  releasing({ lockName, grantId }: { lockName: string; grantId: string }, sentAt: LocalTime): void {
    this.history.releases.push({ lockName, grantId, sentAt });
  }

  /** Left out when the database doesn't tell its time. */
  refused(
    { lockName, grantId }: { lockName: string; grantId: string },
    asked: Refusal['asked'],
    sentAt: LocalTime,
  ): void {
    const recorded = this.witness.now().then(
      (at) => this.history.refusals.push({ lockName, grantId, asked, sentAt, at }),
      () => undefined,
    );
    this.#refusals.push(recorded);
  }

  /** Writes to the guarded resource in the name of a lease, and records it if the lease is still trusted afterwards. */
  async write(lease: Lease): Promise<void> {
    const { lockName, workerName, grantId, fencingToken: token } = lease;
    const answer = await this.resource.write(lockName, token).catch(() => undefined);
    if (answer && lease.timeLeft > 0)
      this.history.trustedWrites.push({ lockName, workerName, grantId, token, ...answer });
  }

  async look(): Promise<void> {
    this.history.looks.push(await this.witness.look());
  }

  /** The history, when nothing happens any more. */
  async complete(): Promise<History> {
    await Promise.all(this.#refusals);
    this.history.rows = await this.witness.rows();
    this.history.acceptedWrites = await this.resource.acceptedWrites();
    return this.history;
  }

  async close(): Promise<void> {
    await this.witness.close();
    await this.resource.close();
  }
}
