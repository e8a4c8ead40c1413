import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource, EntitySchema, type MigrationInterface, type QueryRunner } from 'typeorm';
import type { PgliteClient } from './client.js';
import { pgliteDataSourceOptions } from './driver.js';
import type { PglitePool } from './pool.js';

interface Note {
  id?: string;
  text: string;
  size: string;
  tags: string[];
  details: object | null;
  done: boolean;
  writtenAt?: Date;
}

const Note = new EntitySchema<Note>({
  name: 'note',
  columns: {
    id: { type: 'uuid', primary: true, generated: 'uuid' },
    text: { type: String, unique: true },
    size: { type: 'bigint' },
    tags: { type: 'text', array: true },
    details: { type: 'jsonb', nullable: true },
    done: { type: Boolean, default: false },
    writtenAt: { type: 'timestamptz', createDate: true },
  },
});

class AddColour1700000000000 implements MigrationInterface {
  up = (runner: QueryRunner) =>
    runner.query(`ALTER TABLE note ADD colour text; UPDATE note SET colour = 'red'`);
  down = (runner: QueryRunner) => runner.query('ALTER TABLE note DROP colour');
}

/** In memory, for all tests of this file: PGlite takes seconds for its first start. */
let dataSource: DataSource;
const options = pgliteDataSourceOptions();

beforeAll(async () => {
  dataSource = await new DataSource({
    ...options,
    entities: [Note],
    migrations: [AddColour1700000000000],
    synchronize: true,
  }).initialize();
  await dataSource.query('CREATE TABLE tally (n int PRIMARY KEY)');
});

afterAll(() => dataSource.destroy());

interface Answer {
  rows: unknown[];
  rowCount: number | null;
  command: string;
}

/** A pool of its own, next to the DataSource's, and promises instead of TypeORM's callbacks. */
function openPool(connectionTimeoutMillis?: number) {
  const pool = new options.driver.Pool({ connectionTimeoutMillis }) as PglitePool;
  return {
    connect: () =>
      new Promise<PgliteClient>((resolve, reject) =>
        pool.connect((error, client) => (error ? reject(error) : resolve(client!))),
      ),
    end: () =>
      new Promise<void>((resolve, reject) => pool.end((error) => (error ? reject(error) : resolve()))),
  };
}

const ask = (client: PgliteClient, ...question: [object | string, unknown[]?]) =>
  client.query(...question) as Promise<Answer>;

const tally = async () =>
  (await dataSource.query<Array<{ n: number }>>('SELECT n FROM tally ORDER BY n')).map(({ n }) => n);

describe('TypeORM on the embedded database', () => {
  it('creates the schema, and finds nothing to change in it', async () => {
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    expect(upQueries).toEqual([]);
  });

  it('saves, finds and deletes entities', async () => {
    const notes = dataSource.getRepository(Note);
    const { id } = await notes.save({
      text: 'milk',
      size: '9007199254740993',
      tags: ['a,b', '"'],
      details: { shop: [1, null] },
      done: true,
    });
    expect(await notes.findOneBy({ text: 'milk' })).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      text: 'milk',
      size: '9007199254740993',
      tags: ['a,b', '"'],
      details: { shop: [1, null] },
      done: true,
      writtenAt: expect.any(Date),
    });
    await expect(notes.save({ text: 'milk', size: '1', tags: [], details: null })).rejects.toMatchObject({
      name: 'QueryFailedError',
      driverError: {
        code: '23505',
        detail: 'Key (text)=(milk) already exists.',
        table: 'note',
        severity: 'ERROR',
      },
    });
    expect(await notes.delete({ id })).toMatchObject({ affected: 1 });
  });

  it('runs migrations, several statements in one text, and reverts them', async () => {
    await dataSource.runMigrations({ transaction: 'each' });
    expect(await dataSource.query('SELECT colour FROM note')).toEqual([]);
    await dataSource.undoLastMigration();
    await expect(dataSource.query('SELECT colour FROM note')).rejects.toMatchObject({
      driverError: { code: '42703' },
    });
  });

  it('keeps what others write when a transaction is rolled back meanwhile', async () => {
    const rolledBack = dataSource.createQueryRunner();
    await rolledBack.startTransaction();
    await rolledBack.query('INSERT INTO tally VALUES (1)');
    const others = [
      dataSource.query('INSERT INTO tally VALUES (2)'),
      dataSource.transaction((manager) => manager.query('INSERT INTO tally VALUES (3)')),
    ];
    await sleep(50);
    await rolledBack.rollbackTransaction();
    await rolledBack.release();
    await Promise.all(others);
    expect(await tally()).toEqual([2, 3]);
    await dataSource.query('DELETE FROM tally');
  });

  it('lets a second DataSource with the same options share the database, and outlive it', async () => {
    const second = await new DataSource({ ...dataSource.options, synchronize: false }).initialize();
    expect((second.options as typeof options).driver).toBe(options.driver);
    expect(await second.query('INSERT INTO tally VALUES (1) RETURNING n')).toEqual([{ n: 1 }]);
    await second.destroy();
    expect(await dataSource.query('DELETE FROM tally')).toEqual([[], 1]);
  });
});

describe('the pool of the embedded database', () => {
  it('lends its one session to one client at a time, first come first served', async () => {
    const { connect, end } = openPool();
    const order: string[] = [];
    const visit = async (name: string) => {
      const client = await connect();
      order.push(`${name} in`);
      await ask(client, 'SELECT 1');
      await sleep(5);
      order.push(`${name} out`);
      client.release();
    };
    await Promise.all([visit('first'), visit('second'), visit('third')]);
    await end();
    expect(order).toEqual(['first in', 'first out', 'second in', 'second out', 'third in', 'third out']);
  });

  it.each([
    ['open', ['BEGIN', 'INSERT INTO tally VALUES (1)']],
    ['failed', ['BEGIN', 'INSERT INTO tally VALUES (1)', 'SELECT 1/0']],
    ['nested', ['BEGIN', 'SAVEPOINT inner_one', 'INSERT INTO tally VALUES (1)']],
  ])('rolls back the %s transaction of a released client', async (_, statements) => {
    const { connect, end } = openPool();
    const client = await connect();
    for (const statement of statements) await ask(client, statement).catch(() => undefined);
    client.release();
    expect(await tally()).toEqual([]);
    await dataSource.query('INSERT INTO tally VALUES (2)');
    expect(await tally()).toEqual([2]);
    await dataSource.query('DELETE FROM tally');
    await end();
  });

  it('waits for the statements of a released client that still run, before it rolls back', async () => {
    const { connect, end } = openPool();
    const client = await connect();
    const begun = ask(client, 'BEGIN');
    const inserted = ask(client, 'INSERT INTO tally VALUES ($1)', [1]);
    client.release();
    expect(await tally()).toEqual([]);
    expect((await begun).command).toBe('BEGIN');
    expect((await inserted).rowCount).toBe(1);
    await end();
  });

  it('refuses statements of a released client, and does not mind a second release', async () => {
    const { connect, end } = openPool();
    const client = await connect();
    client.release();
    client.release();
    const next = await connect();
    client.release();
    let another = false;
    const waiting = connect().then((third) => ((another = true), third));
    await expect(ask(client, 'SELECT 1')).rejects.toThrow('released');
    await expect(new Promise((_, reject) => client.query('SELECT 1', [], reject))).rejects.toThrow(
      'released',
    );
    await sleep(20);
    expect(another).toBe(false);
    next.release();
    (await waiting).release();
    await end();
  });

  it('gives up waiting for the session after a while, and stands in nobody’s way then', async () => {
    const { connect, end } = openPool(50);
    const client = await connect();
    await expect(connect()).rejects.toThrow('Waited 50 ms in vain for the embedded database');
    client.release();
    (await connect()).release();
    await end();
  });

  it('refuses who still waits when the pool ends', async () => {
    const { connect, end } = openPool();
    const client = await connect();
    const waiting = connect();
    const ended = end();
    client.release();
    await expect(waiting).rejects.toThrow('The pool has ended.');
    await ended;
    await expect(connect()).rejects.toThrow('The pool has ended.');
  });

  it('ends at once while others have the database open, whoever has the session', async () => {
    const { connect, end } = openPool();
    (await connect()).release();
    const busy = openPool();
    const client = await busy.connect();
    await end();
    client.release();
    await busy.end();
  });

  it('keeps the prepared statements of two pools apart', async () => {
    const pools = [openPool(), openPool()];
    for (const round of [1, 2])
      for (const [index, { connect }] of pools.entries()) {
        const client = await connect();
        const { rows } = await ask(client, {
          name: 'answer',
          text: `SELECT $1::int + ${index} AS answer`,
          values: [round],
          query_timeout: 5000,
        });
        expect(rows).toEqual([{ answer: round + index }]);
        client.release();
      }
    await Promise.all(pools.map(({ end }) => end()));
  });

  it('leaves time for timers between statements', async () => {
    const start = performance.now();
    let fired = false;
    setTimeout(() => (fired = true), 1);
    while (!fired && performance.now() - start < 1000) await dataSource.query('SELECT 1');
    expect(fired).toBe(true);
  });

  it('passes on notices and notifications', async () => {
    const { connect, end } = openPool();
    const client = await connect();
    const heard: unknown[] = [];
    const listener = (message: unknown) => heard.push((message as { message: string }).message);
    client.on('notice', listener);
    await ask(client, `DO $$ BEGIN RAISE NOTICE 'one'; END $$`);
    client.removeListener('notice', listener);
    await ask(client, `DO $$ BEGIN RAISE NOTICE 'two'; END $$`);
    client.once('notification', (message) => heard.push((message as { payload: string }).payload));
    for (const statement of ['LISTEN news', `NOTIFY news, 'three'`, `NOTIFY news, 'four'`, 'UNLISTEN news'])
      await ask(client, statement);
    client.release();
    await end();
    expect(heard).toEqual(['one', 'three']);
  });
});

/** The last test of the file: it breaks the database. */
describe('a crash of the embedded database in memory', () => {
  it('is final: an empty database in its place would be a lie', async () => {
    await expect(dataSource.query('COPY tally FROM STDIN')).rejects.toThrow(
      'The embedded database has stopped: ',
    );
    await expect(dataSource.query('SELECT 1')).rejects.toThrow('not queryable');
  });
});
