import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { StoreUnavailableError } from '../lease/errors.js';
import { LockClient } from './lock-client.js';
import type { LockTransport } from './lock-transport.js';

Logger.overrideLogger(false);

const unavailable = () => Promise.reject(new StoreUnavailableError('no'));

/** A client whose server answers as told. */
function clientOf(
  acquire: LockTransport['acquire'],
  retries: number,
  release: LockTransport['release'] = unavailable,
  cancels = false,
): LockClient {
  const transport: LockTransport = {
    repeatable: true,
    cancels,
    acquire,
    acquireSet: unavailable,
    renew: unavailable,
    downgrade: unavailable,
    release,
    inspect: unavailable,
    close: () => Promise.resolve(),
  };
  return new LockClient({ ttl: 1_000, workerName: 'ann', retries }, transport);
}

describe('an acquire whose outcome is unknown', () => {
  it('is repeated with the same grantId as often as it may be', async () => {
    const grantIds: string[] = [];
    const client = clientOf(({ grantId }) => {
      grantIds.push(grantId);
      return unavailable();
    }, 2);
    await expect(client.acquire('job')).rejects.toThrow(StoreUnavailableError);
    expect(grantIds).toHaveLength(3);
    expect(new Set(grantIds).size).toBe(1);
  });

  it('is not repeated after another error', async () => {
    let attempts = 0;
    const error = new TypeError('a fault of ours');
    const client = clientOf(() => {
      attempts++;
      return Promise.reject(error);
    }, 2);
    await expect(client.acquire('job')).rejects.toBe(error);
    expect(attempts).toBe(1);
  });
});

describe('an acquire that is given up', () => {
  const granted = () => {
    const now = new Date();
    const lease = { fencingToken: 1, lockTime: now, expireTime: now, metadata: null, timeLeft: 1_000 };
    return Promise.resolve({ outcome: 'granted' as const, lease });
  };

  it.each([
    ['an error', new TypeError('enough')],
    ['a text', 'enough'],
  ])('rejects with the reason as it is: %s', async (_, reason) => {
    const meanwhile = [
      unavailable,
      granted,
      () => Promise.reject(reason as Error), // as the way over HTTP does
    ];
    for (const answer of meanwhile) {
      const giveUp = new AbortController();
      const client = clientOf(() => {
        giveUp.abort(reason);
        return answer();
      }, 2);
      await expect(client.acquire('job', { signal: giveUp.signal })).rejects.toBe(reason);
    }

    const giveUp = new AbortController();
    const client = clientOf(() => {
      setTimeout(() => giveUp.abort(reason));
      return unavailable();
    }, 2);
    await expect(client.acquire('job', { signal: giveUp.signal })).rejects.toBe(reason);
  });

  it('rejects at once, however long the server takes, and releases what it grants afterwards', async () => {
    const giveUp = new AbortController();
    const released: string[] = [];
    let answer = () => {};
    const client = clientOf(
      async () => {
        await new Promise<void>((resolve) => (answer = resolve));
        return granted();
      },
      2,
      ({ grantId }) => {
        released.push(grantId);
        return Promise.resolve({ outcome: 'lost' });
      },
    );
    const acquiring = client.acquire('job', { signal: giveUp.signal });
    giveUp.abort();
    await expect(acquiring).rejects.toBe(giveUp.signal.reason);
    expect(released).toHaveLength(1); // whatever the attempt may have acquired by now
    answer();
    await new Promise(setImmediate);
    expect(released).toEqual([released[0], released[0]]); // and what it did acquire then
  });

  it('releases what it was granted meanwhile', async () => {
    const giveUp = new AbortController();
    const released: string[] = [];
    const client = clientOf(
      () => {
        giveUp.abort();
        return granted();
      },
      2,
      ({ lockName }) => {
        released.push(lockName);
        return Promise.resolve({ outcome: 'released' });
      },
    );
    await expect(client.acquire('job', { signal: giveUp.signal })).rejects.toBe(giveUp.signal.reason);
    expect(new Set(released)).toEqual(new Set(['job'])); // at once, and again when the answer is there
  });

  it.each([
    ['was refused', []],
    ['was granted just before', ['job']],
  ])('leaves it to a server that cancels: an acquire that %s', async (what, expected) => {
    const giveUp = new AbortController();
    const released: string[] = [];
    const holder = { lockName: 'job', workerName: 'bob', lockTime: null, expireTime: null, timeLeft: 1000 };
    const client = clientOf(
      () => {
        giveUp.abort();
        return what === 'was refused' ? Promise.resolve({ outcome: 'busy', holder }) : granted();
      },
      2,
      ({ lockName }) => {
        released.push(lockName);
        return Promise.resolve({ outcome: 'released' });
      },
      true,
    );
    await expect(client.acquire('job', { signal: giveUp.signal })).rejects.toBe(giveUp.signal.reason);
    await new Promise(setImmediate);
    expect(released).toEqual(expected);
  });
});

describe('a client that is closed', () => {
  it('is closed before anybody hears of it, and once', async () => {
    const now = new Date();
    const lease = { fencingToken: 1, lockTime: now, expireTime: now, metadata: null, timeLeft: 60_000 };
    let closed = 0;
    const transport: LockTransport = {
      repeatable: true,
      cancels: true,
      acquire: () => Promise.resolve({ outcome: 'granted', lease }),
      acquireSet: unavailable,
      renew: unavailable,
      downgrade: unavailable,
      release: () => Promise.resolve({ outcome: 'released' }),
      inspect: unavailable,
      close: async () => void closed++,
    };
    const client = new LockClient({ ttl: 1_000, workerName: 'ann', retries: 0 }, transport);
    const held = await client.acquire('job');
    const told = new Promise((resolve) => {
      held.signal.addEventListener('abort', () => {
        void client.close();
        resolve(client.acquire('job').catch((error: Error) => error.constructor.name));
      });
    });
    await client.close();
    await expect(told).resolves.toBe('ClientClosedError');
    expect(closed).toBe(1);
  });
});
