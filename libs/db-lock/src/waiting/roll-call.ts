import type { QueuePlace, Waiter } from '../store/wait-queue.js';
import type { QueuedAcquire } from './queued-acquire.js';

/** Somebody who waits here, and for which lock. */
export type Standing = readonly [lockName: string, waiter: QueuedAcquire];

/**
 * Compares where those who wait here stand in their locks' queues with what the queues say. Who has not heard of its place yet, and
 * perhaps never will, is told it.
 * @returns who stands in no queue, and the places in which nobody stands
 */
export function rollCall(
  places: readonly QueuePlace[],
  standing: Iterable<Standing>,
): { missing: Standing[]; leftBehind: QueuePlace[] } {
  const unclaimed = new Map(places.map((place) => [keyOf(place), place]));
  const absent = [...standing].filter(([lockName, { options, ticket }]) => {
    return !unclaimed.delete(keyOf({ lockName, grantId: options.grantId, ticket }));
  });
  const leftBehind = new Map<string, QueuePlace[]>();
  for (const place of unclaimed.values()) {
    const others = leftBehind.get(ownerOf(place));
    if (others) others.push(place);
    else leftBehind.set(ownerOf(place), [place]);
  }
  const missing = absent.filter(([lockName, waiter]) => {
    if (waiter.ticket !== null) return true;
    const place = leftBehind.get(ownerOf({ lockName, grantId: waiter.options.grantId }))?.shift();
    if (place) waiter.ticket = place.ticket;
    return !place;
  });
  return { missing, leftBehind: [...leftBehind.values()].flat() };
}

/** Of one place: a request that is repeated while it waits stands in the queue more than once. */
function keyOf({ lockName, grantId, ticket }: Pick<Waiter, 'lockName' | 'grantId' | 'ticket'>): string {
  return `${ticket} ${grantId} ${lockName}`;
}

/** Of all places of one request. */
function ownerOf({ lockName, grantId }: Pick<Waiter, 'lockName' | 'grantId'>): string {
  return `${grantId} ${lockName}`;
}
