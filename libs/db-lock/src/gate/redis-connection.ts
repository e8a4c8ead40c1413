import type { RedisClient } from './redis-client.js';
import { SCRIPT, SCRIPT_SHA, type Step } from './scripts.js';

/** A step to do with the key of one lock. */
export interface Call {
  step: Step;
  lockName: string;
  values: ReadonlyArray<string | number>;
}

/** What a step returned: Redis's clock in milliseconds, then what else there is to say. */
export type Reply = readonly [now: number, ...rest: unknown[]];

type Outcome = readonly [error: Error | null, reply?: unknown];

const NO_REDIS = 'it answers as no Redis does';

/** `wait`: a lazy client connects with its first command. */
const READY = new Set(['ready', 'wait']);

export interface RedisConnectionOptions {
  client: RedisClient;
  /** Why the client is not connected, where that is known. */
  trouble?: () => string | undefined;
  /** How the name of every key begins. */
  prefix: string;
  /** Milliseconds that an answer may take. */
  timeout: number;
}

/** Does steps with the keys of locks, many in one write, each write within a time limit. */
export class RedisConnection {
  constructor(private readonly options: RedisConnectionOptions) {}

  /** Whether commands would be sent at once, instead of being put into the client's queue. */
  get isReady(): boolean {
    return READY.has(this.options.client.status);
  }

  /**
   * Sends the calls before it returns, in their order, and resolves to their replies. Rejects when one of them fails
   * or the time is over; what was sent may be carried out all the same, at any time.
   */
  async send(calls: readonly Call[]): Promise<Reply[]> {
    const { client, timeout, trouble } = this.options;
    if (!this.isReady) throw new Error(trouble?.() ?? `its connection is ${JSON.stringify(client.status)}`);
    return withinTime(timeout, this.#run(calls));
  }

  async #run(calls: readonly Call[]): Promise<Reply[]> {
    const outcomes = [...(await this.#issue('evalsha', calls))];
    const unknown = calls.flatMap((_, index) => (isUnknownScript(outcomes[index]!) ? [index] : []));
    if (unknown.length > 0) {
      const again = await this.#issue(
        'eval',
        unknown.map((index) => calls[index]!),
      );
      unknown.forEach((index, position) => (outcomes[index] = again[position]!));
    }
    return outcomes.map(toReply);
  }

  /** A Cluster's keys lie on several nodes, each with a connection of its own. */
  async #issue(command: 'evalsha' | 'eval', calls: readonly Call[]): Promise<Outcome[]> {
    const { client, prefix } = this.options;
    const script = command === 'eval' ? SCRIPT : SCRIPT_SHA;
    const pipeline = client.isCluster ? undefined : client.pipeline?.();
    if (!pipeline)
      return Promise.all(
        calls.map(({ step, lockName, values }) =>
          client[command](script, 1, prefix + lockName, step, ...values).then(
            (reply): Outcome => [null, reply],
            (error: Error): Outcome => [error],
          ),
        ),
      );
    for (const { step, lockName, values } of calls)
      pipeline[command](script, 1, prefix + lockName, step, ...values);
    const outcomes = await pipeline.exec();
    if (outcomes?.length !== calls.length) throw new Error(NO_REDIS);
    return outcomes;
  }
}

/** Redis forgets scripts when it restarts, fails over or is told to. */
const isUnknownScript = ([error]: Outcome) => error?.message.startsWith('NOSCRIPT') ?? false;

function toReply(outcome: Outcome): Reply {
  const [error, reply] = outcome;
  if (error) throw error;
  const [now, ...rest] = Array.isArray(reply) ? (reply as unknown[]) : [];
  if (!Number.isFinite(Number(now ?? NaN))) throw new Error(NO_REDIS);
  return [Number(now), ...rest];
}

async function withinTime<Result>(milliseconds: number, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    const giveUp = () => reject(new Error(`no answer within ${milliseconds} ms`));
    // After a busy while, timers run before what has arrived is read: read it first.
    timer = setTimeout(() => setImmediate(giveUp), milliseconds);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
