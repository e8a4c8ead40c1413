import type { DataSourceOptions } from 'typeorm';

/** How to reach the same database, without what else the application does there. */
export const bareOptions = <Options extends DataSourceOptions>(options: Options) => ({
  ...options,
  entities: [],
  migrations: [],
  subscribers: [],
  synchronize: false,
  migrationsRun: false,
  dropSchema: false,
  installExtensions: false,
  cache: false,
  logging: false,
});
