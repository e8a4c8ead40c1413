import type { AcquireRequest, HeldLease, ReleaseRequest, RenewRequest } from '../../lease/requests.js';
import { numberArray, textArray } from './array-literal.js';
import type { LockFilter } from '../lock-desk.js';
import type { PassRequest } from '../wait-queue.js';

/** A release that names one lease. */
export type ReleaseByGrant = Extract<ReleaseRequest, { grantId: string }>;

/** A release that names a worker, whatever lease it has. */
export type ReleaseByWorker = Exclude<ReleaseRequest, { grantId: string }>;

export const isByGrant = (request: ReleaseRequest): request is ReleaseByGrant => 'grantId' in request;

export const isByWorker = (request: ReleaseRequest): request is ReleaseByWorker => !isByGrant(request);

/** The parameters of the statement `acquire`. */
export function acquireValues(batch: readonly AcquireRequest[]): unknown[] {
  return [
    textArray(batch, ({ lockName }) => lockName),
    textArray(batch, ({ workerName }) => workerName),
    textArray(batch, ({ grantId }) => grantId),
    numberArray(batch, ({ ttl }) => ttl),
    textArray(batch, ({ metadata }) => metadata && JSON.stringify(metadata)),
  ];
}

/** Whether all of a batch differ in their names and grantIds only. */
export function areAlike(batch: readonly AcquireRequest[]): boolean {
  const { workerName, ttl, metadata } = batch[0]!;
  return batch.every(
    (request) => request.workerName === workerName && request.ttl === ttl && request.metadata === metadata,
  );
}

/** The parameters of `acquireReleased`, for requests that are alike. */
export function likeAcquireValues(batch: readonly AcquireRequest[]): unknown[] {
  const { workerName, ttl, metadata } = batch[0]!;
  return [...keyValues(batch), workerName, ttl, metadata && JSON.stringify(metadata)];
}

/** Names and grantIds. */
function keyValues(batch: ReadonlyArray<{ lockName: string; grantId: string }>): unknown[] {
  return [textArray(batch, ({ lockName }) => lockName), textArray(batch, ({ grantId }) => grantId)];
}

/** The parameters of `acquireQueued` and `acquireSet`. */
export function queuedAcquireValues(batch: readonly AcquireRequest[]): unknown[] {
  return [...acquireValues(batch), numberArray(batch, ({ ticket }) => ticket)];
}

/** The parameters of `renew`. */
export function renewValues(batch: readonly RenewRequest[]): unknown[] {
  return [...heldValues(batch), numberArray(batch, ({ ttl }) => ttl)];
}

/** Names, grantIds, and the tokens that are known. */
function heldValues(batch: readonly RenewRequest[]): unknown[] {
  return [...keyValues(batch), numberArray(batch, ({ held }) => held?.fencingToken)];
}

/** A renewal by one who knows the lease. */
export type HeldRenewRequest = RenewRequest & { held: HeldLease };

/** Whether all of a batch know their leases, and ask for the same TTL. */
export function areHeldAlike(batch: readonly RenewRequest[]): batch is readonly HeldRenewRequest[] {
  const { ttl } = batch[0]!;
  return batch.every((request) => request.held !== undefined && request.ttl === ttl);
}

/** The parameters of `renewHeld`. */
export function renewHeldValues(batch: readonly HeldRenewRequest[]): unknown[] {
  return [...heldValues(batch), batch[0]!.ttl];
}

/** Whether a release ends its lease whatever its version is, and frees the lock at once. */
export const isPlain = ({ minHold, version }: ReleaseByGrant) => !minHold && version === undefined;

/** The parameters of `release`, for plain ones. */
export function releaseValues(batch: readonly ReleaseByGrant[], server: string): unknown[] {
  return [...keyValues(batch), server];
}

/** The parameters of `releaseMixed`. */
export function mixedReleaseValues(batch: readonly ReleaseByGrant[], server: string): unknown[] {
  return [
    ...keyValues(batch),
    numberArray(batch, ({ minHold }) => minHold ?? 0),
    textArray(batch, ({ version }) => version),
    server,
  ];
}

/** The parameters of `releaseByWorker`. */
export function releaseByWorkerValues(batch: readonly ReleaseByWorker[], server: string): unknown[] {
  return [
    textArray(batch, ({ lockName }) => lockName),
    textArray(batch, ({ workerName }) => workerName),
    server,
  ];
}

/** The parameters of `pass`. */
export function passValues(server: string, batch: readonly PassRequest[]): unknown[] {
  const [lockNames, workerNames, grantIds, ttls, metadata, tickets] = queuedAcquireValues(
    batch.map(({ successor }) => successor),
  );
  const ended = textArray(batch, ({ grantId }) => grantId);
  return [lockNames, ended, workerNames, grantIds, ttls, metadata, tickets, server];
}

/** The first parameters of the statements that list locks. */
export function filterValues({ search, state, prefix }: LockFilter): unknown[] {
  return [search ? containing(search) : null, state ?? null, prefix ?? null];
}

/** An ILIKE pattern that finds the text anywhere. */
function containing(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`;
}
