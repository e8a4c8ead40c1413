import type { Type } from '@nestjs/common';
import { Entity } from 'typeorm';
import {
  checkFeature,
  DEFAULT_FEATURE,
  historyTableName,
  holderTableName,
  lockTableName,
  statisticsTableName,
  waiterTableName,
} from './feature.js';
import { sharedValue } from '../lease/copies.js';
import { LockBase } from './lock-base.js';
import { LockHolderBase } from './lock-holder-base.js';
import { LockHistoryBase } from './lock-history-base.js';
import { LockStatisticsBase } from './lock-statistics-base.js';
import { LockWaiterBase } from './lock-waiter-base.js';

/** The locks of the default feature: table `dblock_lock`. */
@Entity({ name: lockTableName(DEFAULT_FEATURE) })
export class Lock extends LockBase {}

/** What happened to the locks of the default feature: table `dblock_history`. */
@Entity({ name: historyTableName(DEFAULT_FEATURE) })
export class LockHistory extends LockHistoryBase {}

/** Who waits for the locks of the default feature: table `dblock_waiter`. */
@Entity({ name: waiterTableName(DEFAULT_FEATURE) })
export class LockWaiter extends LockWaiterBase {}

/** Who has locks of the default feature in shared mode: table `dblock_holder`. */
@Entity({ name: holderTableName(DEFAULT_FEATURE) })
export class LockHolding extends LockHolderBase {}

/** How often it happened: table `dblock_statistics`. */
@Entity({ name: statisticsTableName(DEFAULT_FEATURE) })
export class LockStatistics extends LockStatisticsBase {}

/** A feature's entity classes. */
export interface FeatureEntities {
  lock: Type<LockBase>;
  history: Type<LockHistoryBase>;
  waiter: Type<LockWaiterBase>;
  holder: Type<LockHolderBase>;
  statistics: Type<LockStatisticsBase>;
}

const entitiesByFeature = sharedValue(
  'entities',
  () =>
    new Map<string, FeatureEntities>([
      [
        DEFAULT_FEATURE,
        {
          lock: Lock,
          history: LockHistory,
          waiter: LockWaiter,
          holder: LockHolding,
          statistics: LockStatistics,
        },
      ],
    ]),
);

/** A feature's entity classes, the same ones for every caller: TypeORM knows an entity by its class. */
export function featureEntities(feature: string = DEFAULT_FEATURE): FeatureEntities {
  const known = entitiesByFeature.get(checkFeature(feature));
  if (known) return known;
  const entities = {
    lock: lockEntityOf(feature),
    history: historyEntityOf(feature),
    waiter: waiterEntityOf(feature),
    holder: holderEntityOf(feature),
    statistics: statisticsEntityOf(feature),
  };
  entitiesByFeature.set(feature, entities);
  return entities;
}

function lockEntityOf(feature: string): Type<LockBase> {
  @Entity({ name: lockTableName(feature) })
  class FeatureLock extends LockBase {}
  return named(FeatureLock, `${feature}_Lock`);
}

function historyEntityOf(feature: string): Type<LockHistoryBase> {
  @Entity({ name: historyTableName(feature) })
  class FeatureLockHistory extends LockHistoryBase {}
  return named(FeatureLockHistory, `${feature}_LockHistory`);
}

function waiterEntityOf(feature: string): Type<LockWaiterBase> {
  @Entity({ name: waiterTableName(feature) })
  class FeatureLockWaiter extends LockWaiterBase {}
  return named(FeatureLockWaiter, `${feature}_LockWaiter`);
}

function holderEntityOf(feature: string): Type<LockHolderBase> {
  @Entity({ name: holderTableName(feature) })
  class FeatureLockHolding extends LockHolderBase {}
  return named(FeatureLockHolding, `${feature}_LockHolding`);
}

function statisticsEntityOf(feature: string): Type<LockStatisticsBase> {
  @Entity({ name: statisticsTableName(feature) })
  class FeatureLockStatistics extends LockStatisticsBase {}
  return named(FeatureLockStatistics, `${feature}_LockStatistics`);
}

function named<Class extends object>(target: Class, name: string): Class {
  return Object.defineProperty(target, 'name', { value: name });
}

/** What a DataSource must know of a feature: `new DataSource({ entities: [...dbLockEntities('billing')] })`. */
export function dbLockEntities(
  feature: string = DEFAULT_FEATURE,
): Array<FeatureEntities[keyof FeatureEntities]> {
  const { lock, history, waiter, holder, statistics } = featureEntities(feature);
  return [lock, history, waiter, holder, statistics];
}
