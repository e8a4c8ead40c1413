import { describe, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { invalidRequest } from '../lease/requests.js';
import { redisOptionsSchema, type RedisOptions } from './options.js';
import type { RedisClient } from './redis-client.js';

const url = 'redis://localhost:6379';

function broken(options: unknown): string {
  const result = redisOptionsSchema.safeParse(options);
  return result.success ? '' : invalidRequest(result.error.issues, 'redis').message;
}

describe('the option redis', () => {
  it('takes an address, and fills in the time limit', () => {
    expect(redisOptionsSchema.parse({ url })).toEqual({ url, timeout: 100 });
    const options: RedisOptions = {
      url: 'rediss://:secret@cache.example.com:6380/2',
      prefix: 'p:',
      timeout: '1s',
    };
    expect(redisOptionsSchema.parse(options)).toEqual({ ...options, timeout: 1_000 });
  });

  it('takes clients of ioredis, of a single node and of a Cluster, and keeps them as they are', () => {
    const clients: RedisClient[] = [
      new Redis({ lazyConnect: true }),
      new Cluster([url], { lazyConnect: true }),
    ];
    for (const client of clients) expect(redisOptionsSchema.parse({ client }).client).toBe(client);
  });

  it.each([
    ['neither a client nor a url', {}, 'redis must have either a client or a url'],
    ['both', { url, client: new Redis({ lazyConnect: true }) }, 'redis must have either a client or a url'],
    ['another protocol', { url: 'http://localhost' }, 'url must be a redis or rediss address'],
    ['no address', { url: 'localhost' }, 'url must be a redis or rediss address'],
    ['no client', { client: {} }, 'client must be an ioredis client'],
    ['an empty prefix', { url, prefix: '' }, 'prefix must be a string of 1 to 255 characters'],
    ['too long a prefix', { url, prefix: 'x'.repeat(256) }, 'prefix must be a string of 1 to 255 characters'],
    ['no time at all', { url, timeout: 0 }, 'timeout must be whole milliseconds from 1 to 5000'],
    ['too much time', { url, timeout: '6s' }, 'timeout must be whole milliseconds from 1 to 5000'],
    ['what it does not know', { url, ttl: 1 }, 'ttl is not a known field'],
  ])('refuses %s', (_, options, rule) => {
    expect(broken(options)).toContain(rule);
  });
});
