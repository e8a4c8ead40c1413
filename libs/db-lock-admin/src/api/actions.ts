import { get, send, lockPath } from './client';
import type {
  CreateLock,
  Deleted,
  EditLock,
  ForceRelease,
  ForceReleaseAnswer,
  Lock,
  LockTarget,
  LockWithQueue,
} from './contract';

export const createLock = (lock: CreateLock) => send<Lock>('POST', 'locks', lock);

export const editLock = (lockName: string, change: EditLock) =>
  send<Lock>('PATCH', lockPath(lockName), change);

export const forceRelease = ({ lockName, ...meant }: LockTarget, reason: string) =>
  send<ForceRelease>('POST', `${lockPath(lockName)}/force-release`, { reason, ...meant });

/** The lock as it is now. */
export const readLock = (lockName: string) =>
  get<LockWithQueue>(lockPath(lockName), {}, AbortSignal.timeout(5000));

export const forceReleaseAll = (locks: LockTarget[], reason: string) =>
  send<{ answers: ForceReleaseAnswer[] }>('POST', 'force-release', { reason, locks });

export const deleteReleased = (lockNames: string[]) =>
  send<Deleted>('POST', 'delete-released', { lockNames });

export const clearExpired = () => send<{ cleared: number }>('POST', 'clear-expired');
