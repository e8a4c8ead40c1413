import { AsyncLocalStorage } from 'node:async_hooks';
import { DataSource, getMetadataArgsStorage, type ColumnOptions } from 'typeorm';
import type { ColumnKind, Columns, FittedOptions } from '../store/database.js';
import { columnsOf, isServed } from '../store/databases.js';

/**
 * The DataSource that learns of its entities just now. TypeORM asks decorators for a column's type before it has told them for which database,
 * and our entities are the same classes for all of them.
 */
const building = new AsyncLocalStorage<DataSource>();

/** What of TypeORM we stand around; it is not for applications to call. */
const { prototype } = DataSource as unknown as { prototype: { buildMetadatas: () => Promise<void> } };
const buildMetadatas = Reflect.get(prototype, 'buildMetadatas');

let underWay = 0;

prototype.buildMetadatas = async function (this: DataSource) {
  underWay++;
  try {
    await building.run(this, () => Reflect.apply(buildMetadatas, this, []));
  } finally {
    // Node.js 20 follows each promise of the process for as long as such a storage is in use.
    if (--underWay === 0) building.disable();
  }
};

const FITTED: ReadonlyArray<keyof FittedOptions> = [
  'type',
  'length',
  'charset',
  'collation',
  'transformer',
  'generatedIdentity',
];

/** A column whose type is that of its kind on the database at hand; none where the database has no such kind. */
export function FittedColumn(kind: ColumnKind, options: ColumnOptions & { name: string }): PropertyDecorator {
  const fitted = Object.defineProperties(options, fittedTo(kind, FITTED));
  return (prototype, propertyKey) => {
    const { constructor: target } = prototype;
    const propertyName = propertyKey as string;
    const storage = getMetadataArgsStorage();
    storage.columns.push({
      // TypeORM finds the columns of an entity by their target. It asks ours, too, for the entities of any other DataSource.
      get target() {
        const source = building.getStore();
        return !source || !isServed(source) || columns()[kind] ? target : NO_ENTITY;
      },
      propertyName,
      mode: 'regular',
      options: fitted,
    });
    if (kind === 'id')
      storage.generations.push({
        target,
        propertyName,
        get strategy() {
          return columns().id.strategy as 'increment'; // or whatever its database has
        },
      });
  };
}

const NO_ENTITY = '';

const fittedTo = (kind: ColumnKind, options: typeof FITTED): PropertyDescriptorMap =>
  Object.fromEntries(
    options.map((option) => [option, { enumerable: true, get: () => fittedOptions(kind)[option] }]),
  );

/** TypeORM wants a type of a column that belongs to no entity, too. */
const fittedOptions = (kind: ColumnKind): FittedOptions => columns()[kind] ?? columns().number;

const columns = (): Columns => columnsOf(building.getStore());
