import type { DataSource } from 'typeorm';

/** The statements by which TypeORM would make the tables as the entities say. */
export async function differences(dataSource: DataSource): Promise<string[]> {
  const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
  return upQueries.map(({ query }) => query);
}
