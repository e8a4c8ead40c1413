import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { until } from '#support/patience';

/** Milliseconds for connections that were ended just now to go. */
const FAREWELL = 500;

/** An empty database of the test's own. */
export interface TestDatabase {
  url: string;
  /**
   * Ends its use. Emptied, it serves another test of this process, which takes a tenth of the time to make one. Where somebody is still
   * connected it is removed instead.
   */
  drop(): Promise<void>;
  /** Removes it from under whoever is connected. */
  remove(): Promise<void>;
}

/** The names of those that are empty again. */
const spare: string[] = [];

/** A database on the server that jest's globalSetup provides. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = spare.pop() ?? (await create());
  const url = urlOf(name);
  let isOurs = true;
  const end = (how: (name: string) => Promise<void>) => async () => {
    if (!isOurs) return;
    isOurs = false;
    await how(name);
  };
  return { url, drop: end(empty), remove: end(remove) };
}

/** What the processes of this run have made. Call it when they have ended. */
export async function removeTestDatabases(): Promise<void> {
  const sql = 'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)';
  const { rows } = await on(adminUrl(), (session) => session.query<{ name: string }>(sql, [prefix()]));
  for (const { name } of rows) await remove(name);
}

/** The rows of one statement, on a session of its own. */
export const queryDatabase = <Row extends object>(url: string, sql: string): Promise<Row[]> =>
  on(url, async (session) => (await session.query<Row>(sql)).rows);

async function create(): Promise<string> {
  const name = prefix() + randomUUID().replaceAll('-', '').slice(0, 12);
  await on(adminUrl(), (session) => session.query(`CREATE DATABASE ${name} TEMPLATE template0`));
  return name;
}

async function remove(name: string): Promise<void> {
  await on(adminUrl(), (session) => session.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
}

async function empty(name: string): Promise<void> {
  if (await on(urlOf(name), emptyWhenAlone)) spare.push(name);
  else await remove(name);
}

/** Tells whether it is empty now: it is left as it is while others are connected. */
async function emptyWhenAlone(session: pg.Client): Promise<boolean> {
  const isAlone = async () => (await session.query(OTHERS)).rowCount === 0;
  try {
    await until('the others go', FAREWELL, isAlone);
  } catch {
    return false;
  }
  await session.query(EMPTY);
  return true;
}

const OTHERS = 'SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()';

/** As CREATE DATABASE leaves it. */
const EMPTY = `DO $$
  DECLARE name text;
  BEGIN
    FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
      EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
    CREATE SCHEMA public AUTHORIZATION pg_database_owner;
    GRANT USAGE ON SCHEMA public TO PUBLIC;
    EXECUTE format('ALTER DATABASE %I RESET ALL', current_database());
    PERFORM pg_stat_reset();
  END $$`;

async function on<Result>(url: string, act: (session: pg.Client) => Promise<Result>): Promise<Result> {
  const session = new pg.Client({ connectionString: url });
  await session.connect();
  try {
    return await act(session);
  } finally {
    await session.end();
  }
}

function urlOf(name: string): string {
  const url = new URL(adminUrl());
  url.pathname = name;
  return url.href;
}

/** What the names of this run's databases begin with. */
const prefix = (): string => `test_${process.env.DB_LOCK_TEST_RUN ?? 'other'}_`;

function adminUrl(): string {
  const url = process.env.DB_LOCK_TEST_ADMIN_URL;
  if (!url) throw new Error("DB_LOCK_TEST_ADMIN_URL is not set: did jest's globalSetup run?");
  return url;
}
