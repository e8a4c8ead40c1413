import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { MemoryLogger } from '../../../../test/support/memory-logger.js';
import { StoreUnavailableError } from '../lease/errors.js';
import { UnwantedLeases } from './unwanted-leases.js';

const LEASE = {
  lockName: 'job "1"',
  workerName: 'ann',
  grantId: 'c1e5dd4b-0a2c-4c9c-8f0e-0c6f0bb8a3a1',
  fencingToken: 1,
  lockTime: new Date(0),
  expireTime: new Date(60_000),
  serverTime: new Date(0),
  timeLeft: 60_000,
  metadata: null,
};

describe('a lease of a caller who had gone', () => {
  let logger: MemoryLogger;
  let tries: number;
  let leases: UnwantedLeases;

  /** How often the store does not answer. */
  let failures: number;

  beforeEach(() => {
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
    const over = leases.giveBack(LEASE);
    expect(leases.isBusy).toBe(true);
    await over;
    expect(tries).toBe(3);
    expect(leases.isBusy).toBe(false);
    expect(logger.warnings).toEqual([]);
  });

  it('is left to its end, with a warning, when the store does not answer five times', async () => {
    failures = Infinity;
    await leases.giveBack(LEASE);
    expect(tries).toBe(5);
    expect(leases.isBusy).toBe(false);
    expect(logger.warnings).toEqual([
      'Lock "job \\"1\\"" was granted to a caller who had gone, and is held until its TTL: StoreUnavailableError: down',
    ]);
  });
});
