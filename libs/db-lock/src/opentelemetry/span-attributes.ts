import type { Attributes } from '@opentelemetry/api';
import type { AcquireTraced, LockTraced } from '../telemetry/traces.js';
import { FEATURE, MODE } from './metrics.js';

/** Names of what only spans tell: it has too many values for metrics. */
export const LOCK_NAME = 'db_lock.lock_name';
export const WORKER_NAME = 'db_lock.worker_name';
export const FENCING_TOKEN = 'db_lock.fencing_token';
export const WAIT = 'db_lock.wait';

/** The most names that a span lists. */
const MOST_NAMES = 20;

export const ofAcquire = (
  feature: string,
  { lockNames, workerName, mode, wait }: AcquireTraced,
): Attributes => ({
  [FEATURE]: feature,
  [LOCK_NAME]: lockNames.length === 1 ? lockNames[0] : lockNames.slice(0, MOST_NAMES),
  [WORKER_NAME]: workerName,
  [MODE]: mode,
  [WAIT]: wait / 1000,
});

export const ofLock = (
  feature: string,
  { lockName, workerName, mode, fencingToken }: LockTraced,
): Attributes => ({
  [FEATURE]: feature,
  [LOCK_NAME]: lockName,
  [WORKER_NAME]: workerName,
  [MODE]: mode,
  [FENCING_TOKEN]: fencingToken,
});
