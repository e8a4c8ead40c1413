import { randomUUID } from 'node:crypto';
import { trustedUntil } from '../lease/deadline.js';
import { parseLockName, parseRequest } from '../lease/requests.js';
import { basicAcquireSchema, type BasicAcquireOptions } from './acquire-options.js';
import { BasicLease } from './basic-lease.js';
import { BasicLockClient, definedOnly, type Acquisition } from './basic-lock-client.js';
import type { BasicConfirmation } from './lock-transport.js';
import { sharedClasses } from '../lease/copies.js';

/**
 * Takes locks from any server that speaks django-db-lock's contract (`protocol: 'django-db-lock'`). That contract knows
 * neither renewals nor fencing tokens nor inspection, so neither do the leases of this client: a lease ends at its TTL,
 * and work that may take longer must choose a longer one. TTLs are rounded up to whole seconds for the server.
 *
 * Two leases of one worker name can't be told apart there. So each acquisition gets a worker name of its own, unless it names one.
 */
export class DjangoDbLockClient extends BasicLockClient<BasicLease, BasicAcquireOptions> {
  protected prepare(lockName: string, options: BasicAcquireOptions | undefined): Acquisition {
    const grantId = randomUUID();
    const { ttl } = this.settings;
    const workerName = this.#ownWorkerName(grantId);
    const { signal, ...request } = parseRequest(
      basicAcquireSchema,
      { ttl, workerName, wait: 0, ...definedOnly(options), lockName },
      'options',
    );
    // A worker name that others may share must not release what an attempt without an answer may have acquired.
    const callersGrant = options?.workerName !== undefined;
    return {
      request: { ...request, grantId, metadata: null },
      signal,
      keepAlive: false,
      minHold: 0,
      callersGrant,
    };
  }

  protected another({ request, ...rest }: Acquisition, lockName: string): Acquisition {
    const grantId = randomUUID();
    const workerName = rest.callersGrant ? request.workerName : this.#ownWorkerName(grantId);
    return { ...rest, request: { ...request, lockName: parseLockName(lockName), grantId, workerName } };
  }

  #ownWorkerName(grantId: string): string {
    return `${this.settings.workerName.slice(0, 200)}:${grantId.slice(0, 8)}`;
  }

  protected lease({ request }: Acquisition, { timeLeft }: BasicConfirmation, sentAt: number): BasicLease {
    return new BasicLease(request, this.observer, trustedUntil(sentAt, timeLeft));
  }
}

sharedClasses({ DjangoDbLockClient });
