import { randomUUID } from 'node:crypto';
import type { LockStore } from '../../libs/db-lock/src/store/lock-store.js';
import { acquisition, fresh } from './requests.js';

/**
 * The same store, where no acquire and no release comes alone: another one, of a lock that nobody else knows and that stands last in the order of names,
 * goes with it. What comes alone may have a statement of its own.
 */
export function withCompany<Store extends LockStore>(store: Store): Store {
  const lockName = fresh('~');
  const acquire: LockStore['acquire'] = async (requests) => {
    const companion = acquisition(lockName);
    const answers = await store.acquire([...requests, companion]);
    await store.release([{ lockName, grantId: companion.grantId }]); // so that the next one is as quick
    return answers.slice(0, -1);
  };
  const release: LockStore['release'] = async (requests) =>
    (await store.release([...requests, { lockName, grantId: randomUUID() }])).slice(0, -1);
  return new Proxy(store, {
    get(target, key) {
      if (key === 'acquire') return acquire;
      if (key === 'release') return release;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** Whether what is asked of a store is asked alone, or goes with others: by other statements. */
export const COMPANY = [
  { company: 'alone', within: <Store extends LockStore>(store: Store) => store },
  { company: 'beside others', within: withCompany },
];
