import { Option, type Command } from 'commander';
import type { AcquireOptions } from '../client/acquire-options.js';
import type { LockMetadata } from '../lease/metadata.js';
import { UsageError } from './errors.js';
import { durationOf, numberOf } from './flags.js';

/** How a lock is asked for, as the options have it. */
export interface LeaseOptions {
  ttl?: string;
  wait?: string;
  mode?: 'exclusive' | 'shared';
  limit?: string;
  permits?: string;
  worker?: string;
  metadata?: string;
}

/** What every command takes that acquires a lock, but for the TTL. */
export function withLeaseOptions(command: Command): Command {
  return command
    .option('--wait <duration>', 'how long to wait for a busy lock: 5s, 10m (default: not at all)')
    .addOption(
      new Option('--mode <mode>', 'exclusive, or shared with others').choices(['exclusive', 'shared']),
    )
    .option('--limit <number>', 'the most permits that may be held together: a semaphore')
    .option('--permits <number>', 'how many of them to take (default: 1)')
    .option('--worker <name>', 'who holds the lock, for people (default: host:pid:…)')
    .option('--metadata <json>', 'a JSON object for people to see');
}

/** The same as the client takes it. @throws UsageError */
export function acquireOptions({
  ttl,
  wait,
  mode,
  limit,
  permits,
  worker,
  metadata,
}: LeaseOptions): AcquireOptions {
  return {
    ttl: ttl === undefined ? undefined : durationOf(ttl),
    wait: wait === undefined ? undefined : durationOf(wait),
    mode,
    limit: limit === undefined ? undefined : numberOf(limit),
    permits: permits === undefined ? undefined : numberOf(permits),
    workerName: worker,
    metadata: metadata === undefined ? undefined : metadataOf(metadata),
  };
}

function metadataOf(text: string): LockMetadata {
  try {
    return JSON.parse(text) as LockMetadata;
  } catch {
    throw new UsageError('--metadata must be a JSON object.');
  }
}
