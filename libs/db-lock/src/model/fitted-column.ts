import { AsyncLocalStorage } from 'node:async_hooks';
import { Column, DataSource, getMetadataArgsStorage, type ColumnOptions } from 'typeorm';
import type { ColumnMetadataArgs } from 'typeorm/metadata-args/ColumnMetadataArgs.js';
import type { ColumnKind, Columns, FittedOptions } from '../store/database.js';
import { columnsOf } from '../store/databases.js';

/**
 * The DataSource that learns of its entities just now. TypeORM asks decorators for a column's type before it has told them for which database,
 * and our entities are the same classes for all of them.
 */
const building = new AsyncLocalStorage<DataSource>();

/** What of TypeORM we stand around; it is not for applications to call. */
const { prototype } = DataSource as unknown as { prototype: { buildMetadatas: () => Promise<void> } };
const buildMetadatas = Reflect.get(prototype, 'buildMetadatas');

prototype.buildMetadatas = function (this: DataSource) {
  return building.run(this, () => Reflect.apply(buildMetadatas, this, []));
};

const FITTED: ReadonlyArray<keyof FittedOptions> = [
  'type',
  'length',
  'charset',
  'collation',
  'transformer',
  'generatedIdentity',
];

/** A column whose type is that of its kind on the database at hand. */
export function FittedColumn(kind: ColumnKind, options: ColumnOptions & { name: string }): PropertyDecorator {
  const fitted = Object.defineProperties(options, fittedTo(kind, FITTED));
  return (target, propertyName) => {
    Column(fitted)(target, propertyName);
    if (kind === 'packet') onlyWhereThereIsOne(kind, getMetadataArgsStorage().columns.at(-1)!);
    if (kind === 'id')
      getMetadataArgsStorage().generations.push({
        target: target.constructor,
        propertyName: propertyName as string,
        get strategy() {
          return columns().id.strategy as 'increment'; // or whatever its database has
        },
      });
  };
}

/** TypeORM finds the columns of an entity by their target: elsewhere, this one belongs to none. */
function onlyWhereThereIsOne(kind: ColumnKind, column: ColumnMetadataArgs): void {
  const { target } = column;
  Object.defineProperty(column, 'target', {
    enumerable: true,
    get: () => (columns()[kind] ? target : undefined),
  });
}

const fittedTo = (kind: ColumnKind, options: typeof FITTED): PropertyDescriptorMap =>
  Object.fromEntries(
    options.map((option) => [option, { enumerable: true, get: () => fittedOptions(kind)[option] }]),
  );

/** TypeORM wants a type of a column that belongs to no entity, too. */
const fittedOptions = (kind: ColumnKind): FittedOptions => columns()[kind] ?? columns().number;

const columns = (): Columns => columnsOf(building.getStore());
