import { DbLockConfigurationError } from '../lease/errors.js';
import type { FeatureSetUp } from './feature-set-up.js';
import type { CheckedOptions, DbLockOptions } from './options.js';

const REMOTE_ONLY = [
  'apiServer',
  'apiToken',
  'requestTimeout',
  'acquireLockPath',
  'releaseLockPath',
] as const;

const LOCAL_ONLY = [
  'createTables',
  'retention',
  'history',
  'statementTimeout',
  'clockTolerance',
  'redis',
  'knownBusy',
  'maxQueued',
  'pooler',
] as const;

const TABLES_ONLY = ['createTables', 'clockTolerance', 'pooler'] as const;

const DJANGO_ONLY = ['acquireLockPath', 'releaseLockPath'] as const;

/**
 * The options, when they fit together: locks live either in this application's database or on a remote server.
 * @throws DbLockConfigurationError naming the option that contradicts `autoRegisterModel`.
 */
export function checkRemote(
  { local, store, protocol }: FeatureSetUp,
  raw: DbLockOptions,
  checked: CheckedOptions,
): CheckedOptions {
  const given = (options: readonly (keyof DbLockOptions)[]) =>
    options.find((option) => raw[option] !== undefined);

  const stray = given(local ? REMOTE_ONLY : LOCAL_ONLY);
  if (stray)
    throw new DbLockConfigurationError(
      stray,
      local
        ? `is about a remote lock server, but ${store ? 'store keeps locks here' : 'locks are kept in this database'}: drop one of the two.`
        : 'is about locks in this database, but they are on a remote server: drop one of the two.',
    );
  const tablesOption = store && given(TABLES_ONLY);
  if (tablesOption)
    throw new DbLockConfigurationError(
      tablesOption,
      'is about tables, but store keeps the locks: drop one of the two.',
    );
  if (!local && checked.apiServer === undefined)
    throw new DbLockConfigurationError(
      'apiServer',
      'is needed when autoRegisterModel is false: where are the locks?',
    );
  const djangoOption = given(DJANGO_ONLY);
  if (djangoOption && protocol !== 'django-db-lock')
    throw new DbLockConfigurationError(
      djangoOption,
      "needs protocol: 'django-db-lock'; our REST API has fixed paths.",
    );
  return checked;
}
