import {
  getMetadataArgsStorage,
  type DataSource,
  type DataSourceOptions,
  type EntityMetadata,
} from 'typeorm';
import { DbLockConfigurationError } from '../lease/errors.js';
import { LockBase } from '../model/lock-base.js';
import { featureEntities, type FeatureEntities } from '../model/lock.entity.js';
import { migrationNames } from '../model/migrations.js';
import type { Database, TableColumn } from '../store/database.js';
import { databaseOf } from '../store/databases.js';
import type { TableNames } from '../store/table-names.js';
import { LockTableMissingError, missingColumns } from './table-columns.js';
import { createMissing } from './table-creation.js';

/**
 * The feature's tables, which exist and are fit for locks.
 * @throws DbLockConfigurationError when the DataSource does not know the entities.
 * @throws LockTableMissingError when a table is missing and `createTables` is off, or must be changed and is in use.
 */
export async function featureTables(
  dataSource: DataSource,
  feature: string,
  entities: FeatureEntities,
  createTables: boolean,
): Promise<TableNames> {
  const lock = metadataOf(dataSource, feature, entities.lock);
  const history = metadataOf(dataSource, feature, entities.history);
  const waiter = metadataOf(dataSource, feature, entities.waiter);
  const holder = metadataOf(dataSource, feature, entities.holder);
  const statistics = metadataOf(dataSource, feature, entities.statistics);
  const tables = {
    lock: lock.tablePath,
    history: history.tablePath,
    waiter: waiter.tablePath,
    holder: holder.tablePath,
    statistics: statistics.tablePath,
  };
  const custom = entities.lock !== featureEntities(feature).lock;
  const database = databaseOf(dataSource);
  await database.check(dataSource);
  for (const table of Object.values(tables)) checkName(table, database);
  if (createTables)
    await createMissing(dataSource, { lock, history, statistics, waiter, holder }, tables, custom);

  const { entityPrefix, schema } = dataSource.options as { entityPrefix?: string; schema?: string };
  const command = [
    `npx db-lock-sql --feature ${feature}`,
    ...(database === databaseOf(BY_DEFAULT) ? [] : [`--database ${database.types[0]}`]),
    ...(schema ? [`--schema ${schema}`] : []),
    ...(entityPrefix ? [`--entity-prefix ${entityPrefix}`] : []),
  ].join(' ');
  const migration = {
    feature,
    mend:
      `Run the migrations ${migrationNames(feature).join(', ')} (dbLockMigrations({ feature: '${feature}' })), ` +
      `or the SQL that "${command}" prints, or set createTables: true.`,
  };
  const ownMigration = {
    mend: `Run your migration for ${entities.lock.name} (typeorm migration:generate), or set createTables: true.`,
  };
  const lockColumns = await checkColumns(dataSource, lock, custom ? ownMigration : migration);
  await checkColumns(dataSource, history, migration);
  await checkColumns(dataSource, waiter, migration);
  await checkColumns(dataSource, holder, migration);
  await checkColumns(dataSource, statistics, migration);
  checkKey(tables.lock, lockColumns);
  return tables;
}

/** What db-lock-sql prints for when it is not told. */
const BY_DEFAULT = { options: { type: 'postgres' } as DataSourceOptions };

function checkName(table: string, { schema }: Database): void {
  const fault = schema.nameFault(table);
  if (fault !== undefined)
    throw new DbLockConfigurationError(
      'feature',
      `the table name "${table}" ${fault}: shorten the feature or the entityPrefix.`,
    );
}

function metadataOf(
  dataSource: DataSource,
  feature: string,
  entity: FeatureEntities[keyof FeatureEntities],
): EntityMetadata {
  if (dataSource.hasMetadata(entity)) return dataSource.getMetadata(entity);
  throw new DbLockConfigurationError(
    'dataSource',
    `the DataSource does not know the entity ${entity.name}: ` +
      `set autoLoadEntities: true, or add dbLockEntities('${feature}') to its entities.`,
  );
}

/** The columns of a table that exists and has all that its entity says. */
async function checkColumns(
  dataSource: DataSource,
  entity: EntityMetadata,
  mending: { mend: string; feature?: string },
): Promise<TableColumn[]> {
  const { tablePath: table } = entity;
  const { schema } = databaseOf(dataSource);
  const rows = await schema.columns(dataSource, table);
  if (rows.length === 0) throw new LockTableMissingError(`The table "${table}" does not exist.`, mending);
  const missing = missingColumns(entity, rows);
  if (missing.length > 0)
    throw new LockTableMissingError(`The table "${table}" lacks the columns ${missing.join(', ')}.`, mending);
  const fault = await schema.tableFault?.(dataSource, table);
  if (fault !== undefined) throw new LockTableMissingError(`The table "${table}" can't hold locks: ${fault}`);
  return rows;
}

/** What the statements rely on, and what only a look into the database can tell. */
function checkKey(table: string, columns: TableColumn[]): void {
  const lockName = columns.find(({ name }) => name === 'lock_name')!;
  if (!lockName.isUnique)
    throw new LockTableMissingError(`The table "${table}" has no primary key on lock_name alone.`);
  if (lockName.collationFault !== undefined)
    throw new LockTableMissingError(
      `The column lock_name of "${table}" must compare byte by byte: ${lockName.collationFault}.`,
    );
  const ours = new Set(
    getMetadataArgsStorage()
      .filterColumns(LockBase)
      .map(({ options }) => options.name),
  );
  const required = columns.find(({ name, isRequired }) => isRequired && !ours.has(name));
  if (required)
    throw new DbLockConfigurationError(
      'entity',
      `the column ${required.name} of "${table}" must be nullable or have a default: no grant fills it.`,
    );
}
