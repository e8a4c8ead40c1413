import { isDeepStrictEqual } from 'node:util';
import type { LeaseRecord } from './lock-store.js';

/** What an operator has changed of a lease, as the history shows it. */
export function differences(
  before: LeaseRecord,
  after: LeaseRecord,
  changesTtl: boolean,
): Record<string, unknown> {
  const times = { from: before.expireTime.toISOString(), to: after.expireTime.toISOString() };
  const metadata = { from: before.metadata, to: after.metadata };
  return {
    ...(changesTtl && { expireTime: times }),
    ...(!isDeepStrictEqual(metadata.from, metadata.to) && { metadata }),
  };
}
