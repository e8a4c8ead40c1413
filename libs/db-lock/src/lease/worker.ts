import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { MAX_NAME_LENGTH } from './names.js';

/** This process's default worker name, `host:pid:instance`: one per client, so that two of them are told apart. */
export function defaultWorkerName(): string {
  const suffix = `:${process.pid}:${randomUUID().slice(0, 8)}`;
  return hostname().slice(0, MAX_NAME_LENGTH - suffix.length) + suffix;
}
