import { monotonicNow } from '../lease/clock.js';
import type {
  PassAnswer,
  PassRequest,
  QueuePlace,
  Waiter,
  WaitQueue,
  WakeUp,
  WakeUpListener,
} from '../store/wait-queue.js';
import type { News, RedisGate } from './redis-gate.js';

/** The queue of a gated store: what it passes on, the gate hears of. */
export class GatedWaitQueue implements WaitQueue {
  readonly freed?: WaitQueue['freed'];

  constructor(
    private readonly inner: WaitQueue,
    private readonly gate: RedisGate,
  ) {
    if (inner.freed) this.freed = (server, lockNames) => inner.freed!(server, lockNames);
  }

  join(server: string, waiters: readonly Waiter[]): Promise<number[]> {
    return this.inner.join(server, waiters);
  }

  leave(waiters: readonly QueuePlace[]): Promise<void> {
    return this.inner.leave(waiters);
  }

  stay(server: string): Promise<QueuePlace[]> {
    return this.inner.stay(server);
  }

  async pass(server: string, requests: readonly PassRequest[]): Promise<PassAnswer[]> {
    const sentAt = monotonicNow();
    const answers = await this.inner.pass(server, requests);
    const told = this.gate.tell(
      answers.flatMap((answer, index) => this.#news(requests[index]!, answer, sentAt)),
    );
    // Who has passed the lock on leaves it busy; who has freed it wants the next one to get through.
    if (answers.some(({ outcome }) => outcome === 'released')) await told;
    return answers;
  }

  wake(wakeUps: readonly WakeUp[]): Promise<void> {
    return this.inner.wake(wakeUps);
  }

  listen(listener: WakeUpListener): void {
    this.inner.listen(listener);
  }

  #news({ lockName, grantId }: PassRequest, answer: PassAnswer, sentAt: number): News[] {
    switch (answer.outcome) {
      case 'passed':
        return [this.gate.held(answer.lease, sentAt)];
      case 'released':
      case 'lost':
        return [this.gate.ended(lockName, grantId)];
      case 'error':
        return [];
    }
  }
}
