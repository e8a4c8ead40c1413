import { randomUUID } from 'node:crypto';
import pg from 'pg';

/** An empty database of the test's own. */
export interface TestDatabase {
  url: string;
  /** Removes the database, and ends the connections that are still open to it. */
  drop(): Promise<void>;
}

/** Makes a database on the server that jest's globalSetup provides. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await runOnServer(`CREATE DATABASE ${name} TEMPLATE template0`);
  const url = new URL(adminUrl());
  url.pathname = name;
  return { url: url.href, drop: () => runOnServer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

async function runOnServer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl() });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function adminUrl(): string {
  const url = process.env.DB_LOCK_TEST_ADMIN_URL;
  if (!url) throw new Error("DB_LOCK_TEST_ADMIN_URL is not set: did jest's globalSetup run?");
  return url;
}
