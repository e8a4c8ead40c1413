import type { SortKey } from '../api/contract';
import type { MessageKey } from '../language/catalogue';

export interface Column {
  id: string;
  label: MessageKey;
  sort?: SortKey;
  /** Numbers stand below each other by their last digit. */
  numeric?: boolean;
}

export const COLUMNS: readonly Column[] = [
  { id: 'lockName', label: 'field.lock', sort: 'lockName' },
  { id: 'state', label: 'field.state' },
  { id: 'workerName', label: 'field.worker', sort: 'workerName' },
  { id: 'lockTime', label: 'field.lockTime', sort: 'lockTime' },
  { id: 'expireTime', label: 'field.expireTime', sort: 'expireTime' },
  { id: 'remaining', label: 'field.remaining', sort: 'expireTime' },
  { id: 'waiting', label: 'field.waiting', sort: 'waiting', numeric: true },
  { id: 'fencingToken', label: 'field.token', sort: 'fencingToken', numeric: true },
];
