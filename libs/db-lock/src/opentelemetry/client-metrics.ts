import type { Attributes } from '@opentelemetry/api';
import { monotonicNow } from '../lease/clock.js';
import type { LostReason } from '../lease/errors.js';
import { modeOf, type LockMode } from '../lease/modes.js';
import type {
  AcquireOutcome,
  ClientState,
  ClientTelemetry,
  LeaseHeld,
  LockAsked,
} from '../telemetry/telemetry.js';
import type { ClientTraces } from '../telemetry/traces.js';
import { acquiresByOutcome, type AcquiresByOutcome } from './acquires.js';
import type { Count, Instruments, Series } from './instruments.js';
import { Labelled, type LockLabel } from './labelled.js';
import { FEATURE, MODE, REASON } from './metrics.js';

/** What is told of locks with one label. */
interface LockMetrics {
  acquires: Record<LockMode, AcquiresByOutcome>;
  holds: Record<LockMode, Series>;
  lost: Record<LostReason, Count>;
}

/** What a feature's clients tell, as metrics. */
export class ClientMetrics implements ClientTelemetry {
  readonly #locks: Labelled<LockMetrics>;
  readonly #states = new Set<ClientState>();
  /** When leases began whose durations will be recorded. */
  readonly #holds = new Map<LeaseHeld, { began: number; durations: Series }>();

  constructor(
    instruments: Instruments,
    feature: string,
    labelOf: LockLabel | undefined,
    readonly traces?: ClientTraces,
  ) {
    const own = { [FEATURE]: feature };
    this.#locks = new Labelled(labelOf, (label) => lockMetrics(instruments, { ...own, ...label }));
    instruments.gauge('clientLeasesHeld', () => {
      const held = [...this.#states].reduce((sum, state) => sum + state.leases(), 0);
      return [[held, own]];
    });
  }

  acquired(lock: LockAsked, outcome: AcquireOutcome, began: number, at: number): void {
    this.#locks.of(lock.lockName).acquires[modeOf(lock)][outcome].add(began, at);
  }

  began(lease: LeaseHeld): void {
    const durations = this.#locks.of(lease.lockName).holds[lease.mode ?? 'exclusive'];
    const began = monotonicNow();
    if (durations.picks(began)) this.#holds.set(lease, { began, durations });
  }

  ended(lease: LeaseHeld): void {
    const hold = this.#holds.get(lease);
    if (!hold) return;
    this.#holds.delete(lease);
    hold.durations.lasted(hold.began, monotonicNow());
  }

  lost(lockName: string, reason: LostReason): void {
    this.#locks.of(lockName).lost[reason].value++;
  }

  watch(state: ClientState): () => void {
    this.#states.add(state);
    return () => this.#states.delete(state);
  }
}

function lockMetrics(instruments: Instruments, attributes: Attributes): LockMetrics {
  const acquires = (mode: LockMode) =>
    acquiresByOutcome(instruments, 'clientAcquires', 'clientAcquireDuration', {
      ...attributes,
      [MODE]: mode,
    });
  const holds = (mode: LockMode) => instruments.series('clientHoldDuration', { ...attributes, [MODE]: mode });
  const lost = (reason: LostReason) =>
    instruments.count('clientLeasesLost', { ...attributes, [REASON]: reason });
  return {
    acquires: { exclusive: acquires('exclusive'), shared: acquires('shared') },
    holds: { exclusive: holds('exclusive'), shared: holds('shared') },
    lost: { refused: lost('refused'), deadline: lost('deadline'), shutdown: lost('shutdown') },
  };
}
