/**
 * What the gate uses of an ioredis client: `Redis` (also with Sentinel) and `Cluster`, of version 5.10 or later, fit
 * as they are.
 */
export interface RedisClient {
  /** `ready` when commands get through; `wait` before a lazy client has connected. */
  readonly status: string;
  /** Whether its keys lie on several nodes, which no pipeline may cross. */
  readonly isCluster?: boolean;
  evalsha(sha: string, keyCount: number, ...keysAndValues: Array<string | number>): Promise<unknown>;
  eval(script: string, keyCount: number, ...keysAndValues: Array<string | number>): Promise<unknown>;
  /** Commands that leave in one write; not used in a Cluster. */
  pipeline?(): RedisPipeline;
}

/** What the gate uses of a pipeline. */
export interface RedisPipeline {
  evalsha(sha: string, keyCount: number, ...keysAndValues: Array<string | number>): unknown;
  eval(script: string, keyCount: number, ...keysAndValues: Array<string | number>): unknown;
  exec(): Promise<Array<[error: Error | null, reply: unknown]> | null>;
}

export function isRedisClient(value: unknown): value is RedisClient {
  if (typeof value !== 'object' || value === null) return false;
  const { status, evalsha, eval: evaluate } = value as Partial<RedisClient>;
  return typeof status === 'string' && typeof evalsha === 'function' && typeof evaluate === 'function';
}
