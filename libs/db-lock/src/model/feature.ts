import { DbLockConfigurationError } from '../lease/errors.js';

/** The feature of a `forRoot()` that names none. */
export const DEFAULT_FEATURE = 'dblock';

const FEATURE_NAME = /^[a-z][a-z0-9_]{0,39}$/;

/**
 * A feature's name, from which its tables, routes and injection tokens are made.
 * @throws DbLockConfigurationError when it would make no good table name.
 */
export function checkFeature(feature: string): string {
  if (typeof feature === 'string' && FEATURE_NAME.test(feature)) return feature;
  throw new DbLockConfigurationError(
    'feature',
    `${JSON.stringify(feature)} must be 1 to 40 lower-case letters, digits or underscores, beginning with a letter.`,
  );
}

/** `billing` → `billing_lock`, the table of the feature's locks. */
export const lockTableName = (feature: string): string => `${feature}_lock`;

/** `billing` → `billing_history`, the table of what happened to them. */
export const historyTableName = (feature: string): string => `${feature}_history`;

/** `billing` → `billing_waiter`, the table of those who wait for them. */
export const waiterTableName = (feature: string): string => `${feature}_waiter`;

/** `billing` → `billing_holder`, the table of those who have them in shared mode. */
export const holderTableName = (feature: string): string => `${feature}_holder`;

/** `billing` → `billing_statistics`, the table of how often it happened. */
export const statisticsTableName = (feature: string): string => `${feature}_statistics`;
