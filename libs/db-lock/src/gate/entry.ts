import { workerNameSchema } from '../lease/names.js';

/** What a key of the gate says: who has the lock. */
export interface Entry {
  grantId: string;
  /**
   * The fencing token of a grant; 0 for a claim, which is no grant yet, and for hearsay: what a refusal said of the
   * holder, without telling its token.
   */
  token: number;
  workerName: string;
  /** By the store's clock; null while the lock is only claimed. */
  lockTime: Date | null;
  /** By the store's clock; null while the lock is only claimed. */
  expireTime: Date | null;
}

/** How every value begins. The scripts read as far as the grantId. */
export const VERSION = 'db-lock/1';

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const PATTERN = new RegExp(`^${VERSION} (\\d{1,16}) (${UUID}) (\\d{1,16}|-) (\\d{1,16}|-) (.+)$`, 's');

/** The value of a key: version, token, grantId, lock time, expire time and worker name, with a space between. */
export function writeEntry({ token, grantId, lockTime, expireTime, workerName }: Entry): string {
  return [VERSION, token, grantId, lockTime?.getTime() ?? '-', expireTime?.getTime() ?? '-', workerName].join(
    ' ',
  );
}

/** Undefined for whatever is not exactly an entry. */
export function readEntry(value: unknown): Entry | undefined {
  const parts = typeof value === 'string' ? PATTERN.exec(value) : null;
  if (!parts) return undefined;
  const [, token, grantId, lockTime, expireTime, workerName] = parts;
  const entry: Entry = {
    grantId: grantId!,
    token: Number(token),
    workerName: workerName!,
    lockTime: readTime(lockTime!),
    expireTime: readTime(expireTime!),
  };
  return isSound(entry) ? entry : undefined;
}

const readTime = (text: string) => (text === '-' ? null : new Date(Number(text)));

const isTime = (time: Date | null) => !Number.isNaN(time?.getTime());

const isSound = ({ token, lockTime, expireTime, workerName }: Entry) =>
  Number.isSafeInteger(token) &&
  isTime(lockTime) &&
  isTime(expireTime) &&
  workerNameSchema.safeParse(workerName).success;
