import type { DataSource, QueryRunner } from 'typeorm';

/** The DataSource of a query runner: TypeORM 0.3 calls it `connection`. */
export const dataSourceOf = (queryRunner: QueryRunner): DataSource =>
  'dataSource' in queryRunner
    ? queryRunner.dataSource
    : (queryRunner as unknown as { connection: DataSource }).connection;
