import { Logger, type Type } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { LockStore } from '../store/lock-store.js';
import type { FeatureSetUp } from './feature-set-up.js';
import type { CheckedOptions } from './options.js';
import { openStore } from './parts.js';

/** How often an application tries to reach its database, and the pause between, in milliseconds: as TypeOrmModule does. */
export const PATIENTLY = { attempts: 10, pause: 3_000 };

const ONCE: typeof PATIENTLY = { attempts: 1, pause: 0 };

/**
 * Opens the store of a feature in a database of which nobody else has a DataSource. That is needed only to look at the tables: the store
 * has connections of its own.
 * @throws DbLockConfigurationError, LockTableMissingError, or why the database can't be reached
 */
export async function openInDatabase(
  place: DataSourceOptions,
  setUp: FeatureSetUp,
  options: CheckedOptions,
  patience = ONCE,
): Promise<LockStore> {
  const entities = [place.entities ?? [], setUp.entities].flatMap((some) => Object.values(some) as Type[]);
  const { statementTimeout } = options;
  const patient = { connectTimeoutMS: statementTimeout, connectTimeout: statementTimeout }; // by either name
  const source = new DataSource({ ...patient, ...place, entities });
  await connect(source, patience);
  try {
    return await openStore(source, setUp, options);
  } finally {
    await source.destroy().catch(() => undefined); // whatever comes of it, the store has connections of its own
  }
}

async function connect(source: DataSource, { attempts, pause }: typeof PATIENTLY): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await source.initialize();
      return;
    } catch (error) {
      if (attempt === attempts) throw error;
      new Logger('DbLock').error(
        `The database can't be reached (${attempt} of ${attempts}): ${String(error)}`,
      );
      await sleep(pause);
    }
  }
}
