import { removeTestDatabases } from '#support/test-database';

export default async function tearDown(): Promise<void> {
  await (globalThis.sharedPostgres?.stop() ?? removeTestDatabases());
}
