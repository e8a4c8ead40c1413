import type { Attributes } from '@opentelemetry/api';
import { monotonicNow } from '../lease/clock.js';
import { modeOf, type LockMode } from '../lease/modes.js';
import type {
  AcquireOutcome,
  GateAnswer,
  LockAsked,
  ServerLostReason,
  ServerState,
  ServerTelemetry,
  StatementKind,
  StatementOutcome,
} from '../telemetry/telemetry.js';
import type { ServerTraces } from '../telemetry/traces.js';
import { acquiresByOutcome, type AcquiresByOutcome } from './acquires.js';
import type { Count, Instruments, Series } from './instruments.js';
import { Labelled, type LockLabel } from './labelled.js';
import { FEATURE, KIND, MODE, OUTCOME, REASON } from './metrics.js';
import { Rationed } from './rationed.js';

export interface ServerMetricsOptions {
  feature: string;
  labelOf?: LockLabel | undefined;
  /** Ask the store how many locks are held, whenever somebody collects. */
  countLocks: boolean;
  traces?: ServerTraces | undefined;
}

/** What is told of locks with one label. */
interface LockMetrics {
  acquires: Record<LockMode, AcquiresByOutcome>;
  waits: Record<LockMode, Record<AcquireOutcome, Series>>;
  holds: Series;
  renewals: Record<'renewed' | 'lost', Count>;
  lost: Record<ServerLostReason, Count>;
  forced: Count;
}

/** What is told of one kind of statement. */
interface StatementMetrics {
  durations: Record<StatementOutcome, Series>;
  sizes: Series;
}

/** What a feature's lock servers tell, as metrics. */
export class ServerMetrics implements ServerTelemetry {
  readonly #instruments: Instruments;
  readonly #own: Attributes;
  readonly #locks: Labelled<LockMetrics>;
  readonly #statements = new Map<StatementKind, StatementMetrics>();
  readonly #historyGaps: Count;
  #gateAnswers?: Record<GateAnswer, Count>;
  readonly #states = new Set<ServerState>();
  readonly #gates = new Set<() => boolean>();
  readonly traces?: ServerTraces;

  constructor(instruments: Instruments, { feature, labelOf, countLocks, traces }: ServerMetricsOptions) {
    this.#instruments = instruments;
    this.#own = { [FEATURE]: feature };
    this.#locks = new Labelled(labelOf, (label) => lockMetrics(instruments, { ...this.#own, ...label }));
    this.#historyGaps = instruments.count('historyGaps', this.#own);
    if (traces) this.traces = traces;
    this.#look(countLocks);
  }

  acquired(lock: LockAsked, outcome: AcquireOutcome, began: number, waited: number): void {
    const now = monotonicNow();
    const mode = modeOf(lock);
    const { acquires, waits } = this.#locks.of(lock.lockName);
    acquires[mode][outcome].add(began, now);
    if (waited === 0) return;
    const durations = waits[mode][outcome];
    if (durations.picks(now)) durations.record(waited / 1000);
  }

  held(lockName: string, began: number, at: number): void {
    const { holds } = this.#locks.of(lockName);
    if (holds.picks(at)) holds.lasted(began, at);
  }

  renewed(lockName: string, outcome: 'renewed' | 'lost'): void {
    this.#locks.of(lockName).renewals[outcome].value++;
  }

  lost(lockName: string, reason: ServerLostReason): void {
    this.#locks.of(lockName).lost[reason].value++;
  }

  forced(lockName: string): void {
    this.#locks.of(lockName).forced.value++;
  }

  answered(kind: StatementKind, size: number, outcome: StatementOutcome, sentAt: number, at: number): void {
    const { durations, sizes } = this.#statements.get(kind) ?? this.#newStatement(kind);
    if (durations[outcome].picks(at)) durations[outcome].lasted(sentAt, at);
    if (sizes.picks(at)) sizes.record(size);
  }

  gated(answer: GateAnswer, count: number): void {
    this.#gateAnswers![answer].value += count;
  }

  historyGap(): void {
    this.#historyGaps.value++;
  }

  watch(state: ServerState): () => void {
    this.#states.add(state);
    return () => this.#states.delete(state);
  }

  watchGate(isAnswering: () => boolean): () => void {
    this.#gateAnswers ??= {
      busy: this.#gateAnswer('busy'),
      passed: this.#gateAnswer('passed'),
      unanswered: this.#gateAnswer('unanswered'),
    };
    this.#gates.add(isAnswering);
    return () => this.#gates.delete(isAnswering);
  }

  #gateAnswer(answer: GateAnswer): Count {
    return this.#instruments.count('gateAnswers', { ...this.#own, [OUTCOME]: answer });
  }

  #newStatement(kind: StatementKind): StatementMetrics {
    const attributes = { ...this.#own, [KIND]: kind };
    const durations = (outcome: StatementOutcome) =>
      this.#instruments.series('statementDuration', { ...attributes, [OUTCOME]: outcome });
    const metrics = {
      durations: { answered: durations('answered'), failed: durations('failed') },
      sizes: this.#instruments.series('batchSize', attributes),
    };
    this.#statements.set(kind, metrics);
    return metrics;
  }

  /** Sets up what is looked at when somebody collects. */
  #look(countLocks: boolean): void {
    const waiters = () => [...this.#states].map((state) => state.waiters());
    const number = (value: number) => [[value, this.#own] as const];
    this.#instruments.gauge('waiters', () => number(waiters().reduce((sum, { count }) => sum + count, 0)));
    this.#instruments.gauge('waitOldest', () =>
      number(Math.max(0, ...waiters().map(({ oldest }) => oldest)) / 1000),
    );
    this.#instruments.gauge('queueLength', () => {
      const lengths = new Map<StatementKind, number>();
      for (const state of this.#states)
        for (const [kind, length] of state.queued()) lengths.set(kind, (lengths.get(kind) ?? 0) + length);
      return [...lengths].map(([kind, length]) => [length, { ...this.#own, [KIND]: kind }] as const);
    });
    this.#instruments.gauge('gateUp', () =>
      this.#gates.size > 0 ? number([...this.#gates].every((isAnswering) => isAnswering()) ? 1 : 0) : [],
    );
    if (!countLocks) return;
    const held = new Rationed();
    this.#instruments.gauge('locksHeld', async () => {
      const [state] = this.#states; // all servers of a feature have the same locks
      return state ? number(await held.number(() => state.locksHeld())) : [];
    });
  }
}

function lockMetrics(instruments: Instruments, attributes: Attributes): LockMetrics {
  const acquires = (mode: LockMode) =>
    acquiresByOutcome(instruments, 'acquires', 'acquireDuration', { ...attributes, [MODE]: mode });
  const waits = (mode: LockMode) => {
    const series = (outcome: AcquireOutcome) =>
      instruments.series('waitDuration', { ...attributes, [MODE]: mode, [OUTCOME]: outcome });
    return {
      granted: series('granted'),
      busy: series('busy'),
      abandoned: series('abandoned'),
      error: series('error'),
    };
  };
  const renewals = (outcome: 'renewed' | 'lost') =>
    instruments.count('renewals', { ...attributes, [OUTCOME]: outcome });
  const lost = (reason: ServerLostReason) =>
    instruments.count('leasesLost', { ...attributes, [REASON]: reason });
  return {
    acquires: { exclusive: acquires('exclusive'), shared: acquires('shared') },
    waits: { exclusive: waits('exclusive'), shared: waits('shared') },
    holds: instruments.series('holdDuration', attributes),
    renewals: { renewed: renewals('renewed'), lost: renewals('lost') },
    lost: { expired: lost('expired'), late: lost('late') },
    forced: instruments.count('leasesForced', attributes),
  };
}
