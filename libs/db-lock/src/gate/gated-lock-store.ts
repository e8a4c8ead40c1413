import { monotonicNow } from '../lease/clock.js';
import {
  SHARED_GRANT,
  type AcquireRequest,
  type ReleaseRequest,
  type RenewRequest,
} from '../lease/requests.js';
import type {
  AcquireAnswer,
  AcquireSetAnswer,
  HolderRecord,
  InspectedLock,
  LockStore,
  ReleaseAnswer,
  RenewAnswer,
} from '../store/lock-store.js';
import type { SharedLocks } from '../store/shared-locks.js';
import type { WaitQueue } from '../store/wait-queue.js';
import type { LockDesk } from '../store/lock-desk.js';
import type { HistoryStore } from '../store/history-store.js';
import { gatedDesk } from './gated-desk.js';
import { gatedSharedLocks } from './gated-shared-locks.js';
import { GatedWaitQueue } from './gated-wait-queue.js';
import type { News, RedisGate, Rival } from './redis-gate.js';
import { Suspects } from './suspects.js';

/**
 * A store with a gate before it. The gate may answer "busy" and saves the store the question then; whatever else it
 * says, or fails to say, the store is asked, and only the store grants. Each answer of the store keeps the gate true.
 */
export class GatedLockStore implements LockStore {
  readonly queue?: WaitQueue;
  readonly shared?: SharedLocks;
  readonly desk: LockDesk;
  readonly history: HistoryStore;
  readonly #suspects: Suspects;

  /** @param hangUp ends what the gate has opened for itself */
  constructor(
    private readonly inner: LockStore,
    private readonly gate: RedisGate,
    private readonly hangUp?: () => Promise<void>,
    /** The store is somebody else's to close. */
    private readonly isInnerKept = false,
  ) {
    this.queue = inner.queue && new GatedWaitQueue(inner.queue, gate);
    this.desk = gatedDesk(inner.desk, gate);
    this.history = inner.history;
    this.shared = inner.shared && gatedSharedLocks(inner.shared, gate);
    this.#suspects = new Suspects({
      inspect: (lockNames) => inner.inspect(lockNames),
      onUntrue: (suspects) => gate.tell(suspects.map(({ lockName, entry }) => gate.untrue(lockName, entry))),
    });
  }

  async acquire(requests: readonly AcquireRequest[]): Promise<AcquireAnswer[]> {
    const rivals = await this.#claim(requests);
    const admitted = requests.filter((request) => !rivals.has(request));
    const began = monotonicNow();
    const decided = admitted.length > 0 ? await this.#acquire(admitted) : [];
    const waited = monotonicNow() - began;
    const answers = new Map(admitted.map((request, index) => [request, decided[index]!]));
    return requests.map((request) => {
      const rival = rivals.get(request);
      return rival ? busy(request, rival, waited) : answers.get(request)!;
    });
  }

  async acquireSet(requests: readonly AcquireRequest[]): Promise<AcquireSetAnswer> {
    const sentAt = monotonicNow();
    const answer = await this.inner.acquireSet(requests);
    if (answer.outcome === 'granted')
      void this.gate.tell(
        answer.leases.filter(({ share }) => !share).map((lease) => this.gate.held(lease, sentAt)),
      );
    return answer;
  }

  async renew(requests: readonly RenewRequest[]): Promise<RenewAnswer[]> {
    const sentAt = monotonicNow();
    const answers = await this.inner.renew(requests);
    void this.gate.tell(
      answers.flatMap((answer, index) => {
        const { lockName, grantId } = requests[index]!;
        if (answer.outcome === 'renewed') return [this.gate.renewed(answer.lease, sentAt)];
        return answer.outcome === 'lost' ? [this.gate.ended(lockName, grantId)] : [];
      }),
    );
    return answers;
  }

  async release(requests: readonly ReleaseRequest[]): Promise<ReleaseAnswer[]> {
    const answers = await this.inner.release(requests);
    await this.gate.tell(
      answers.flatMap((answer, index) => {
        const request = requests[index]!;
        if (answer.outcome === 'released') return [this.gate.ended(request.lockName, answer.grantId)];
        return answer.outcome === 'lost' && 'grantId' in request
          ? [this.gate.ended(request.lockName, request.grantId)]
          : [];
      }),
    );
    return answers;
  }

  inspect(lockNames: readonly string[]): Promise<Array<InspectedLock | null>> {
    return this.inner.inspect(lockNames);
  }

  removeIdle(retention: number): Promise<number> {
    return this.inner.removeIdle(retention);
  }

  ping(): Promise<void> {
    return this.inner.ping();
  }

  get clockTolerance(): number | undefined {
    return this.inner.clockTolerance;
  }

  get degraded(): readonly string[] {
    const own = this.gate.isAnswering ? [] : ['the Redis gate does not answer'];
    return [...(this.inner.degraded ?? []), ...own];
  }

  async close(): Promise<void> {
    this.#suspects.close();
    try {
      if (!this.isInnerKept) await this.inner.close();
    } finally {
      this.gate.close();
      await this.hangUp?.();
    }
  }

  /** Who is in the way of each request; those who wait are let through: they are one a lock, however many wait. */
  async #claim(requests: readonly AcquireRequest[]): Promise<Map<AcquireRequest, Rival>> {
    const newcomers = requests.filter(isNewcomer);
    const rivals = await this.gate.claim(newcomers);
    return new Map(
      newcomers.flatMap((request, index) => {
        const rival = rivals[index];
        if (!rival) return [];
        this.#suspects.suspect(request.lockName, rival.entry);
        return [[request, rival] as const];
      }),
    );
  }

  /** Asks the store. The news is on its way before anybody hears of the answers, so before any release. */
  async #acquire(requests: readonly AcquireRequest[]): Promise<AcquireAnswer[]> {
    const sentAt = monotonicNow();
    try {
      const answers = await this.inner.acquire(requests);
      void this.gate.tell(requests.flatMap((request, index) => this.#news(request, answers[index]!, sentAt)));
      return answers;
    } catch (error) {
      void this.gate.tell(requests.filter(isNewcomer).map((request) => this.gate.withdrawn(request)));
      throw error;
    }
  }

  #news(request: AcquireRequest, answer: AcquireAnswer, sentAt: number): News[] {
    if (answer.outcome === 'granted') return [this.gate.held(answer.lease, sentAt)];
    if (!isNewcomer(request)) return [];
    if (answer.outcome === 'error' || !isExclusive(answer.holder)) return [this.gate.withdrawn(request)];
    return [this.gate.refused(request, answer.holder, sentAt)];
  }
}

/** @param since milliseconds since the gate said so */
function busy({ lockName }: AcquireRequest, { entry, timeLeft }: Rival, since: number): AcquireAnswer {
  const { grantId, workerName, lockTime, expireTime } = entry;
  const holder: HolderRecord = {
    lockName,
    workerName,
    grantId,
    lockTime,
    expireTime,
    timeLeft: Math.max(0, Math.floor(timeLeft - since)),
  };
  return { outcome: 'busy', holder };
}

/** Whether a lease keeps everybody out. What is told of one in shared mode would refuse others who want to share the lock. */
const isExclusive = ({ lockTime, grantId }: HolderRecord) => lockTime !== null && grantId !== SHARED_GRANT;

const isNewcomer = ({ ticket }: AcquireRequest) => ticket === undefined;
