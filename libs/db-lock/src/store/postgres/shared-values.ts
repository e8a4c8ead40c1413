import type { DowngradeRequest, ReleaseByGrant, RenewRequest, SharedRequest } from '../../lease/requests.js';
import { numberArray, textArray } from './array-literal.js';
import type { Microseconds } from '../rows.js';

/** The parameters of the statement `look`: each name once, with the grantIds that ask for it. */
export function lookValues(batch: readonly SharedRequest[]): unknown[] {
  const asking = new Map<string, string[]>();
  for (const { lockName, grantId } of batch) {
    const grantIds = asking.get(lockName);
    if (grantIds) grantIds.push(grantId);
    else asking.set(lockName, [grantId]);
  }
  const names = [...asking];
  return [textArray(names, ([lockName]) => lockName), textArray(names, ([, ids]) => `{${ids.join()}}`)];
}

/** A request that was granted, or is a repeat of one that was, by a lock's row of a version. */
export interface GrantedRequest {
  request: SharedRequest;
  version: string;
  isNew: boolean;
}

/** The parameters of `grant`. @param clock by which it was decided */
export function grantValues(granted: readonly GrantedRequest[], clock: Microseconds): unknown[] {
  return [
    textArray(granted, ({ request }) => request.lockName),
    textArray(granted, ({ version }) => version),
    textArray(granted, ({ request }) => request.grantId),
    textArray(granted, ({ request }) => request.workerName),
    numberArray(granted, ({ request }) => request.ttl),
    textArray(granted, ({ request }) => request.metadata && JSON.stringify(request.metadata)),
    numberArray(granted, ({ request }) => request.share.permits),
    numberArray(granted, ({ request }) => request.share.limit),
    textArray(granted, ({ isNew }) => String(isNew)),
    clock,
  ];
}

/** The parameters of the grants of one lock, in the order in which they are decided. */
export function oneGrantValues(requests: readonly SharedRequest[]): unknown[] {
  return [
    requests[0]!.lockName,
    ...idValues(requests),
    textArray(requests, ({ workerName }) => workerName),
    numberArray(requests, ({ ttl }) => ttl),
    textArray(requests, ({ metadata }) => metadata && JSON.stringify(metadata)),
    numberArray(requests, ({ share }) => share.permits),
    numberArray(requests, ({ share }) => share.limit),
    numberArray(roomsOf(requests), (room) => room),
  ];
}

/** Those of `grantQueued`. */
export function oneQueuedGrantValues(requests: readonly SharedRequest[]): unknown[] {
  return [
    ...oneGrantValues(requests),
    textArray(requests, ({ ticket }) => String(ticket ?? NO_TICKET)),
    requests.reduce((sum, { share }) => sum + share.permits, 0),
  ];
}

/** After all that there may be: the greatest bigint. */
const NO_TICKET = '9223372036854775807';

/** How many permits may be taken already, so that each fits, and all before it; null for any number. */
function roomsOf(requests: readonly SharedRequest[]): Array<number | null> {
  let room = Infinity;
  let wanted = 0;
  return requests.map(({ share: { permits, limit } }) => {
    wanted += permits;
    if (limit !== null) room = Math.min(room, limit - wanted);
    return room === Infinity ? null : room;
  });
}

/** The parameters of the release of one lock's leases. */
export const oneReleaseValues = (requests: readonly ReleaseByGrant[]): unknown[] => [
  requests[0]!.lockName,
  ...idValues(requests),
];

const idValues = (requests: ReadonlyArray<{ grantId: string }>) => [
  textArray(requests, ({ grantId }) => grantId),
];

/** Names and grantIds. */
function keyValues(batch: ReadonlyArray<{ lockName: string; grantId: string }>): unknown[] {
  return [textArray(batch, ({ lockName }) => lockName), ...idValues(batch)];
}

/** The parameters of `renew`. */
export function sharedRenewValues(batch: readonly RenewRequest[]): unknown[] {
  return [
    ...keyValues(batch),
    numberArray(batch, ({ held }) => held?.fencingToken),
    numberArray(batch, ({ ttl }) => ttl),
  ];
}

/** The parameters of `release`. */
export function sharedReleaseValues(batch: readonly ReleaseByGrant[]): unknown[] {
  return [
    ...keyValues(batch),
    numberArray(batch, ({ minHold }) => minHold ?? 0),
    textArray(batch, ({ version }) => version),
  ];
}

/** The parameters of `downgrade`. */
export function downgradeValues(batch: readonly DowngradeRequest[]): unknown[] {
  return [
    ...keyValues(batch),
    numberArray(batch, ({ share }) => share.permits),
    numberArray(batch, ({ share }) => share.limit),
  ];
}

/** The parameters of `take` and `lock`: each name once. */
export const nameValues = (batch: ReadonlyArray<{ lockName: string }>): unknown[] => [
  textArray([...new Set(batch.map(({ lockName }) => lockName))], (lockName) => lockName),
];
