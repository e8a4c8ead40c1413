import { z } from 'zod';
import { durationSchema, type Duration } from '../lease/duration.js';
import { isRedisClient, type RedisClient } from './redis-client.js';

/** The Redis that is asked before the database: a client of the application's, or the address of one. */
export type RedisOptions = RedisSource & {
  /**
   * How the name of every key begins: 1 to 255 characters. All keys that begin so belong to the gate; applications with
   * different databases need different prefixes in one Redis. Default `db-lock:<feature>:`.
   */
  prefix?: string;
  /** How long Redis may take for an answer before locks go on without it: 1 ms to 5 s. Default 100 ms. */
  timeout?: Duration;
};

type RedisSource =
  /**
   * An ioredis client, `Redis` or `Cluster`, of a Redis 5 or later. It stays the application's: the gate never changes
   * or closes it, and does without it while it is not connected.
   */
  | { client: RedisClient; url?: undefined }
  /** The `redis://` or `rediss://` address of a Redis 5 or later. Needs the package ioredis. */
  | { url: string; client?: undefined };

const PREFIX = 'must be a string of 1 to 255 characters';

/** The option `redis`. */
export const redisOptionsSchema = z
  .strictObject({
    client: z.custom<RedisClient>(isRedisClient, { error: 'must be an ioredis client' }).optional(),
    url: z
      .url({
        protocol: /^rediss?$/,
        error: 'must be a redis or rediss address such as redis://localhost:6379',
      })
      .optional(),
    prefix: z.string({ error: PREFIX }).min(1, { error: PREFIX }).max(255, { error: PREFIX }).optional(),
    timeout: durationSchema(1, 5_000).default(100),
  })
  .refine(({ client, url }) => (client === undefined) !== (url === undefined), {
    error: 'must have either a client or a url',
  });

/** The option `redis`, checked; the time in milliseconds. */
export type RedisSettings = z.output<typeof redisOptionsSchema>;
