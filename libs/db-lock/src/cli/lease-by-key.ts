import { ExponentialBackoff, handleType, retry } from 'cockatiel';
import type { Duration } from '../lease/duration.js';
import { LeaseLostError, StoreUnavailableError } from '../lease/errors.js';
import { minHoldSchema } from '../lease/duration.js';
import { parseRequest, renewRequestSchema } from '../lease/requests.js';
import { UsageError } from './errors.js';
import { visible } from './output/visible.js';
import type { PlaceOptions } from './place.js';
import type { Session } from './session.js';
import { variable, type Surroundings } from './surroundings.js';

const GRANT_ID = 'DB_LOCK_GRANT_ID';

/** Asks again what got no answer: twice, with pauses. */
const persistently = retry(handleType(StoreUnavailableError), {
  maxAttempts: 2,
  backoff: new ExponentialBackoff({ initialDelay: 100, maxDelay: 1_000 }),
});

/** Gives the lease whose key the environment has a new TTL. */
export async function renewLease(
  session: Session,
  lockName: string,
  ttl: Duration,
  options: PlaceOptions,
): Promise<void> {
  const request = parseRequest(renewRequestSchema, { lockName, grantId: grantIdOf(session.around), ttl });
  await session.at(options, async ({ transport }) => {
    const answer = await persistently.execute(() => transport.renew(request));
    if (answer.outcome === 'lost') throw new LeaseLostError(lockName, 'refused');
    const { fencingToken, expireTime } = answer.lease;
    if (session.isJson) await session.out.json({ lockName, fencingToken, expireTime });
    else await session.out.print(`${visible(lockName)} is held until ${expireTime.toISOString()}.`);
  });
}

/** Ends the lease whose key the environment has. */
export async function releaseLease(
  session: Session,
  lockName: string,
  minHold: Duration | undefined,
  options: PlaceOptions,
): Promise<void> {
  const grantId = grantIdOf(session.around);
  // What a renewal takes: the rest of the request is the same.
  const key = parseRequest(renewRequestSchema, { lockName, grantId, ttl: 1 });
  const hold = minHold === undefined ? undefined : parseRequest(minHoldSchema, minHold, 'minHold');
  await session.at(options, async ({ transport }) => {
    let attempts = 0;
    const { outcome } = await persistently.execute(() => {
      attempts++;
      return transport.release({ ...key, workerName: '' }, hold);
    });
    // A lease that is gone now may have been ended by an attempt that got no answer.
    if (outcome === 'lost' && attempts === 1) throw new LeaseLostError(lockName, 'refused');
    if (session.isJson) await session.out.json({ lockName, outcome: 'released' });
    else await session.out.print(`${visible(lockName)} is released.`);
  });
}

/**
 * The key to a lease, as acquire has printed it. All users of a machine may see its command lines, so it comes by the environment.
 * @throws UsageError
 */
function grantIdOf(around: Surroundings): string {
  const grantId = variable(around, GRANT_ID);
  if (grantId !== undefined) return grantId;
  throw new UsageError(`${GRANT_ID} must be set to what db-lock acquire has printed.`);
}
