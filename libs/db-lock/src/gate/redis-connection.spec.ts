import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import {
  describeWithRedisServer,
  startRedis,
  type RedisServer,
} from '../../../../test/support/redis-server.js';
import type { RedisClient } from './redis-client.js';
import { RedisConnection, type Call } from './redis-connection.js';

const claims = (count: number): Call[] =>
  Array.from({ length: count }, (_, index) => ({
    step: 'claim',
    lockName: `lock ${index}`,
    values: ['entry', 1_000, Number.MAX_SAFE_INTEGER],
  }));

const open = (client: RedisClient, timeout = 5_000) =>
  new RedisConnection({ client, prefix: `${randomUUID()}:`, timeout });

describeWithRedisServer('a connection to Redis', () => {
  let server: RedisServer;
  let redis: Redis;

  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url, { retryStrategy: () => 20, maxRetriesPerRequest: 0 });
    redis.on('error', () => {});
    await redis.ping();
  });

  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  it('puts all commands into one pipeline', async () => {
    let pipelines = 0;
    const client: RedisClient = {
      status: 'ready',
      evalsha: () => Promise.reject(new Error('one by one')),
      eval: () => Promise.reject(new Error('one by one')),
      pipeline: () => {
        pipelines++;
        return redis.pipeline();
      },
    };
    const connection = open(client);
    await connection.send(claims(1));
    pipelines = 0;
    const replies = await connection.send(claims(100));
    expect(replies).toHaveLength(100);
    expect(pipelines).toBe(1);
  });

  it('sends to a Cluster one by one, all at once and never in a pipeline', async () => {
    const sent: string[] = [];
    const cluster: RedisClient = {
      status: 'ready',
      isCluster: true,
      evalsha: (sha, count, ...rest) => {
        sent.push(String(rest[0]));
        return redis.evalsha(sha, count, ...rest);
      },
      eval: (script, count, ...rest) => redis.eval(script, count, ...rest),
      pipeline: () => {
        throw new Error('All the keys in a pipeline command should belong to the same slot');
      },
    };
    const answered = open(cluster).send(claims(3));
    expect(sent).toHaveLength(3);
    expect((await answered).map(([now]) => typeof now)).toEqual(['number', 'number', 'number']);
  });

  it.each(['a single node', 'a Cluster'])(
    'brings its scripts along when %s has forgotten them',
    async (kind) => {
      const client: RedisClient =
        kind === 'a Cluster'
          ? {
              status: 'ready',
              isCluster: true,
              evalsha: (sha, count, ...rest) => redis.evalsha(sha, count, ...rest),
              eval: (script, count, ...rest) => redis.eval(script, count, ...rest),
            }
          : redis;
      const connection = open(client);
      await connection.send(claims(2));
      await server.flush();
      const replies = await connection.send([...claims(2), ...claims(1)]);
      expect(replies.map(([, value]) => value)).toEqual([undefined, undefined, 'entry']);
    },
  );

  it('understands a client that reads numbers as strings', async () => {
    const client = new Redis(server.url, { stringNumbers: true });
    await client.ping();
    const [first, second] = await open(client).send([...claims(1), ...claims(1)]);
    expect(Math.abs(first![0] - Date.now())).toBeLessThan(60_000);
    expect(second!.slice(1)).toEqual(['entry', expect.any(String)]);
    client.disconnect();
  });

  it('gives up when the time is over', async () => {
    await server.pause();
    try {
      await expect(open(redis, 50).send(claims(1))).rejects.toThrow('no answer within 50 ms');
    } finally {
      server.resume();
    }
    await open(redis).send(claims(1));
  });

  it('rejects when Redis refuses, as a replica or a full one does', async () => {
    await redis.config('SET', 'maxmemory', '1');
    try {
      await expect(open(redis).send(claims(1))).rejects.toThrow('OOM');
    } finally {
      await redis.config('SET', 'maxmemory', '0');
    }
  });
});

describe('a connection to what is no Redis', () => {
  const client = (changes: Partial<RedisClient>): RedisClient => ({
    status: 'ready',
    evalsha: async () => [1],
    eval: async () => [1],
    ...changes,
  });

  it('sends nothing while the client is not connected, so as not to fill its queue', async () => {
    let sent = 0;
    const connection = open(
      client({
        status: 'reconnecting',
        evalsha: async () => {
          sent++;
        },
      }),
    );
    await expect(connection.send(claims(1))).rejects.toThrow('its connection is "reconnecting"');
    expect(connection.isReady).toBe(false);
    expect(sent).toBe(0);
  });

  it('reads what has arrived before it gives up, however busy the process was', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [
      [Socket],
      [],
    ];
    const evalsha = async () => {
      const arrived = once(near, 'data');
      far.write('It lies there from now on, unread.');
      await arrived;
      return [1];
    };
    const answered = open(client({ evalsha }), 20).send(claims(1));
    const end = performance.now() + 100;
    while (performance.now() < end);
    try {
      expect(await answered).toEqual([[1]]);
    } finally {
      near.destroy();
      far.destroy();
      server.close();
    }
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['a text', 'OK'],
    ['an empty list', []],
    ['a list without a time', ['soon']],
  ])('rejects when it answers %s', async (_, reply) => {
    await expect(open(client({ evalsha: async () => reply })).send(claims(1))).rejects.toThrow(
      'it answers as no Redis does',
    );
  });

  it('rejects when it answers too little', async () => {
    const pipeline = { evalsha: () => {}, eval: () => {}, exec: async () => null };
    await expect(open(client({ pipeline: () => pipeline })).send(claims(1))).rejects.toThrow(
      'it answers as no Redis does',
    );
  });
});
