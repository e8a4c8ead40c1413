/** What can be seen of locks in numbers. */
export interface Metric {
  /** As OpenTelemetry has it. */
  name: string;
  kind: 'counter' | 'gauge' | 'histogram';
  /** As UCUM writes it; none for what is 0 or 1. */
  unit: string;
  description: string;
  /** What its points are told apart by, beside the feature. */
  attributes: readonly Attribute[];
  /** Of a histogram. */
  boundaries?: readonly number[];
}

/** Names of attributes. */
export const FEATURE = 'db_lock.feature';
export const LOCK = 'db_lock.lock';
export const OUTCOME = 'db_lock.outcome';
export const MODE = 'db_lock.mode';
export const REASON = 'db_lock.reason';
export const KIND = 'db_lock.kind';

type Attribute = typeof LOCK | typeof OUTCOME | typeof MODE | typeof REASON | typeof KIND;

/** In seconds. A statement takes milliseconds; who waits may do so for a day. */
const SHORT = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const LONG = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200,
];

const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/** All metrics, by what the code calls them. */
export const METRICS = {
  clientAcquires: {
    name: 'db_lock.client.acquires',
    kind: 'counter',
    unit: '{acquire}',
    description: 'Acquires that lock clients have made, by what became of them',
    attributes: [LOCK, OUTCOME, MODE],
  },
  clientAcquireDuration: {
    name: 'db_lock.client.acquire.duration',
    kind: 'histogram',
    unit: 's',
    description: 'How long acquires took a lock client, with waiting and retries',
    attributes: [LOCK, OUTCOME, MODE],
    boundaries: LONG,
  },
  clientHoldDuration: {
    name: 'db_lock.client.hold.duration',
    kind: 'histogram',
    unit: 's',
    description: 'How long lock clients held leases, until these were released or lost',
    attributes: [LOCK, MODE],
    boundaries: LONG,
  },
  clientLeasesHeld: {
    name: 'db_lock.client.leases.held',
    kind: 'gauge',
    unit: '{lease}',
    description: 'Leases that the lock clients of this process hold now',
    attributes: [],
  },
  clientLeasesLost: {
    name: 'db_lock.client.leases.lost',
    kind: 'counter',
    unit: '{lease}',
    description: 'Leases that lock clients have lost: their work had to stop',
    attributes: [LOCK, REASON],
  },
  acquires: {
    name: 'db_lock.server.acquires',
    kind: 'counter',
    unit: '{acquire}',
    description: 'Acquires that lock servers have answered, by what became of them',
    attributes: [LOCK, OUTCOME, MODE],
  },
  acquireDuration: {
    name: 'db_lock.server.acquire.duration',
    kind: 'histogram',
    unit: 's',
    description: 'How long acquires took a lock server, with waiting',
    attributes: [LOCK, OUTCOME, MODE],
    boundaries: LONG,
  },
  waitDuration: {
    name: 'db_lock.server.wait.duration',
    kind: 'histogram',
    unit: 's',
    description: 'How long those who had to wait for a lock stood in line, whatever became of them',
    attributes: [LOCK, OUTCOME, MODE],
    boundaries: LONG,
  },
  holdDuration: {
    name: 'db_lock.server.hold.duration',
    kind: 'histogram',
    unit: 's',
    description: 'How long leases lasted that this lock server has granted and seen end',
    attributes: [LOCK],
    boundaries: LONG,
  },
  renewals: {
    name: 'db_lock.server.renewals',
    kind: 'counter',
    unit: '{renewal}',
    description: 'Renewals that lock servers have answered',
    attributes: [LOCK, OUTCOME],
  },
  leasesLost: {
    name: 'db_lock.server.leases.lost',
    kind: 'counter',
    unit: '{lease}',
    description: 'Leases that were over before their holders released them',
    attributes: [LOCK, REASON],
  },
  leasesForced: {
    name: 'db_lock.server.leases.forced',
    kind: 'counter',
    unit: '{lease}',
    description: 'Leases that operators have ended',
    attributes: [LOCK],
  },
  locksHeld: {
    name: 'db_lock.server.locks.held',
    kind: 'gauge',
    unit: '{lock}',
    description: 'Locks that are held now, by whatever server: the same number on all servers of a database',
    attributes: [],
  },
  waiters: {
    name: 'db_lock.server.waiters',
    kind: 'gauge',
    unit: '{waiter}',
    description: 'Acquires that wait on this server now',
    attributes: [],
  },
  waitOldest: {
    name: 'db_lock.server.wait.oldest',
    kind: 'gauge',
    unit: 's',
    description:
      'For how long the acquire has waited on this server that has for longest; 0 where none waits',
    attributes: [],
  },
  statementDuration: {
    name: 'db_lock.statement.duration',
    kind: 'histogram',
    unit: 's',
    description: 'How long the store took to answer one batch of requests, with the gate',
    attributes: [KIND, OUTCOME],
    boundaries: SHORT,
  },
  batchSize: {
    name: 'db_lock.statement.batch_size',
    kind: 'histogram',
    unit: '{request}',
    description: 'How many requests went to the store together',
    attributes: [KIND],
    boundaries: SIZES,
  },
  queueLength: {
    name: 'db_lock.queue.length',
    kind: 'gauge',
    unit: '{request}',
    description: 'Requests that queue for the store now',
    attributes: [KIND],
  },
  gateAnswers: {
    name: 'db_lock.gate.answers',
    kind: 'counter',
    unit: '{acquire}',
    description: 'What the Redis gate has said of acquires',
    attributes: [OUTCOME],
  },
  gateUp: {
    name: 'db_lock.gate.up',
    kind: 'gauge',
    unit: '',
    description: "1 while the gate's Redis answers, 0 while it does not; absent where there is no gate",
    attributes: [],
  },
  historyGaps: {
    name: 'db_lock.history.gaps',
    kind: 'counter',
    unit: '{gap}',
    description: 'How often what happened to locks could not be written down',
    attributes: [],
  },
} as const satisfies Record<string, Metric>;
