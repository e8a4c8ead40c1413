import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { MemoryLogger } from '../../../../test/support/memory-logger.js';
import { StoreUnavailableError } from '../lease/errors.js';
import type { LeaseRecord } from '../store/lock-store.js';
import { MemoryLockStore } from '../store/memory/memory-lock-store.js';
import { UnwantedLeases } from './unwanted-leases.js';

describe('a lease of a caller who had gone', () => {
  let logger: MemoryLogger;
  let tries: number;
  let leases: UnwantedLeases;
  let lease: LeaseRecord;

  /** How often the store does not answer. */
  let failures: number;

  beforeEach(async () => {
    const request = {
      lockName: 'job "1"',
      workerName: 'ann',
      grantId: randomUUID(),
      ttl: 60_000,
      metadata: null,
    };
    const [answer] = await new MemoryLockStore().acquire([request]);
    if (answer?.outcome !== 'granted') throw new Error('A new lock is free.');
    ({ lease } = answer);
    logger = new MemoryLogger();
    Logger.overrideLogger(logger);
    tries = 0;
    leases = new UnwantedLeases(async () => {
      tries++;
      if (tries <= failures) throw new StoreUnavailableError('down');
    });
  });
  afterEach(() => {
    Logger.overrideLogger(false);
  });

  it('is given back when the store answers again, and is on its way until then', async () => {
    failures = 2;
    const over = leases.giveBack(lease);
    expect(leases.isBusy).toBe(true);
    await over;
    expect(tries).toBe(3);
    expect(leases.isBusy).toBe(false);
    expect(logger.warnings).toEqual([]);
  });

  it('is left to its end, with a warning, when the store does not answer five times', async () => {
    failures = Infinity;
    await leases.giveBack(lease);
    expect(tries).toBe(5);
    expect(leases.isBusy).toBe(false);
    expect(logger.warnings).toEqual([
      'Lock "job \\"1\\"" was granted to a caller who had gone, and is held until its TTL: StoreUnavailableError: down',
    ]);
  });
});
