import { DbLockConfigurationError } from '../lease/errors.js';
import { checkVersions, MANIFEST } from '../lease/versions.js';
import { inTime } from '../lease/in-time.js';
import type { LockStore } from '../store/lock-store.js';
import type { ServerTelemetry } from '../telemetry/telemetry.js';
import { GatedLockStore } from './gated-lock-store.js';
import type { RedisSettings } from './options.js';
import type { RedisClient } from './redis-client.js';
import { RedisConnection } from './redis-connection.js';
import { RedisGate } from './redis-gate.js';

/** Milliseconds in which a connection of ours must come about. */
const CONNECT_TIMEOUT = 2_000;

/** Milliseconds of silence after which a connection of ours is given up: a dead one may look alive for a quarter of an hour. */
const SOCKET_TIMEOUT = 5_000;

/** A client, and what goes with one that is ours. */
interface Line {
  client: RedisClient;
  /** Why it is not connected. */
  trouble?: () => string | undefined;
  /** Parts with it. */
  hangUp?: () => Promise<void>;
}

/**
 * Puts a gate before the store. It opens with or without a Redis that answers.
 *
 * @param isInnerKept the store is somebody else's to close; default false
 * @throws DbLockConfigurationError when there is a url, but no ioredis, or when that is too old
 */
export async function openGate(
  inner: LockStore,
  { client, url, prefix, timeout }: RedisSettings,
  feature: string,
  isInnerKept = false,
  telemetry?: ServerTelemetry,
): Promise<LockStore> {
  checkVersions(MANIFEST, 'ioredis');
  const { hangUp, ...line }: Line = client ? { client } : await connect(url!, timeout);
  const connection = new RedisConnection({ ...line, prefix: prefix ?? `db-lock:${feature}:`, timeout });
  const gate = new RedisGate(connection, telemetry);
  await gate.check();
  return new GatedLockStore(inner, gate, hangUp, isInnerKept);
}

/**
 * A client of our own, which gives Redis a moment to accept it. Nothing waits in it for better times: no queue while it
 * is not connected, and no command sent again.
 */
async function connect(url: string, timeout: number): Promise<Line> {
  const { Redis } = await loadRedis();
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT,
    disconnectTimeout: timeout,
    socketTimeout: SOCKET_TIMEOUT,
    retryStrategy: (attempts) => Math.min(attempts * 100, 1_000),
    // A primary that has become a replica: its name may lead to the new one.
    reconnectOnError: ({ message }) => message.includes('READONLY'),
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  });
  let trouble: string | undefined;
  client.on('error', (error: NodeJS.ErrnoException) => (trouble = error.message || error.code));
  client.on('ready', () => (trouble = undefined));
  await atMost(timeout, client.connect());
  return {
    client,
    trouble: () => trouble,
    hangUp: async () => {
      const quit = client.quit().then(() => true);
      if (!(await atMost(timeout, quit))) client.disconnect();
    },
  };
}

async function loadRedis() {
  try {
    return await import('ioredis');
  } catch (error) {
    // CommonJS calls it MODULE_NOT_FOUND.
    if (!(error as NodeJS.ErrnoException).code?.endsWith('MODULE_NOT_FOUND')) throw error;
    throw new DbLockConfigurationError('redis', 'needs the package ioredis: npm install ioredis.');
  }
}

/** What the work comes to; undefined when it fails or takes longer. */
const atMost = <Result>(milliseconds: number, work: Promise<Result>): Promise<Result | undefined> =>
  inTime(milliseconds, work).catch(() => undefined);
