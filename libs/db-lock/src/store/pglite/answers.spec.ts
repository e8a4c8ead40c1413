import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { copyPgliteTemplate } from '../../../../../test/support/pglite-template.js';
import type { PgliteClient } from './client.js';
import { pgliteDataSourceOptions } from './driver.js';

interface Answer {
  rows: unknown[];
  rowCount: number | null;
  command: string;
  fields: Array<{ name: string; dataTypeID: number }>;
}

/** The same statements go to PostgreSQL behind node-pg: who can't tell the answers apart can use both. */
describe('the answers of the embedded database', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'db-lock-answers-'));
  const dataSource = new DataSource(pgliteDataSourceOptions({ dataDir }));
  const server = new pg.Client({ connectionString: process.env.DB_LOCK_TEST_ADMIN_URL });
  let client: PgliteClient;
  let release: PgliteClient['release'];

  beforeAll(async () => {
    await copyPgliteTemplate(dataDir);
    await Promise.all([dataSource.initialize(), server.connect()]);
    [client, release] = (await (dataSource.driver as PostgresDriver).obtainMasterConnection()) as [
      PgliteClient,
      PgliteClient['release'],
    ];
    const setUp = `
      SET TIME ZONE 'UTC';
      CREATE TEMPORARY TABLE item (id int PRIMARY KEY, name text NOT NULL, data bytea)`;
    await Promise.all([client.query(setUp), server.query(setUp)]);
  });

  afterAll(async () => {
    release();
    await Promise.all([dataSource.destroy(), server.end()]);
    rmSync(dataDir, { recursive: true });
  });

  const shape = ({ rows, rowCount, command, fields }: Answer) => ({
    rows,
    rowCount,
    command,
    fields: fields.map(({ name, dataTypeID }) => ({ name, dataTypeID })),
  });
  const shapes = (answer: Answer | Answer[]) => (Array.isArray(answer) ? answer.map(shape) : shape(answer));
  const complaint = (error: unknown) => {
    const { code, severity, message, detail, constraint, table, position } = error as pg.DatabaseError;
    return { code, severity, message, detail, constraint, table, position };
  };

  const outcomeOf = (asking: unknown) => (asking as Promise<Answer>).then(shapes, complaint);

  async function expectTheSame(text: string, values?: unknown[]) {
    const [ours, theirs] = await Promise.all([
      outcomeOf(client.query(text, values)),
      outcomeOf(server.query(text, values)),
    ]);
    expect(ours).toEqual(theirs);
    return ours;
  }

  it.each([
    [`SELECT 9007199254740993::int8 AS a, 1.50::numeric AS b, 7::int4 AS c, 0.5::float8 AS d, 2::int2 AS e`],
    [`SELECT true AS a, NULL AS b, ''::text AS c, 'x'::char(3) AS d, 'é"\\'::varchar AS e`],
    [
      `SELECT '2026-11-05 10:20:30.123456+02'::timestamptz AS a, 'infinity'::timestamptz AS b, '2026-11-05'::date AS c`,
    ],
    [`SELECT '2026-11-05 10:20:30'::timestamp AS a, '10:20'::time AS b, interval '1 day 2 hours' AS c`],
    [`SELECT '{"a": [1, null, "x"]}'::jsonb AS a, '[1]'::json AS b, '"text"'::jsonb AS c`],
    [`SELECT '\\x00ff'::bytea AS a, '6f1c2b1e-0d6a-4c0c-9d3e-1f2a3b4c5d6e'::uuid AS b`],
    [
      `SELECT '{1,2}'::int8[] AS a, '{"a,b",NULL,"\\""}'::text[] AS b, '{{1,2},{3,4}}'::int[] AS c, '{}'::int[] AS d`,
    ],
    [`SELECT 1 AS twin, 2 AS twin`],
    [`SELECT n FROM generate_series(1, 3) AS n`],
    [`SELECT 1 AS n WHERE false`],
    [
      `INSERT INTO item VALUES (1, 'one'), (2, 'two'); UPDATE item SET name = 'x'; DELETE FROM item; SELECT 1 AS n`,
    ],
    [`BEGIN; INSERT INTO item VALUES (1, 'one') RETURNING id; ROLLBACK`],
    [``],
    [`-- nothing`],
  ])('are those of node-pg: %s', (text) => expectTheSame(text));

  it.each<[string, unknown]>([
    ['$1::text[]', ['a', 'b"\\,{}', null, '']],
    [
      '$1::int[]',
      [
        [1, 2],
        [3, null],
      ],
    ],
    ['$1::jsonb', { a: [1, { b: null }], c: 'é' }],
    ['$1::jsonb', JSON.stringify(['text'])],
    ['$1::jsonb[]', [{ a: 1 }, null]],
    ['$1::bytea', Buffer.from([0, 255, 39, 92])],
    ['$1::bytea', new Uint8Array([1, 2])],
    ['$1::bytea[]', [Buffer.from('x'), null]],
    ['$1::timestamptz', new Date('2026-11-05T10:20:30.123Z')],
    ['$1::timestamptz[]', [new Date(0)]],
    ['$1::bool', true],
    ['$1::bool', 0],
    ['$1::int', null],
    ['$1::int', undefined],
    ['$1::int8', 9007199254740993n],
    ['$1::float8', -0.1],
    ['$1::text', 12],
    ['$1::text', { toPostgres: () => 'custom' }],
    ['length($1::text)', 'x'.repeat(2_000_000)],
  ])('take parameters as node-pg sends them: %s', (expression, value) =>
    expectTheSame(`SELECT ${expression} AS value`, [value]),
  );

  it('count the rows that a statement has changed', async () => {
    await expectTheSame('INSERT INTO item VALUES ($1, $2, $3), (8, $2, NULL)', [
      7,
      'seven',
      Buffer.from('7'),
    ]);
    await expectTheSame('UPDATE item SET name = $1 WHERE id > $2', ['more', 0]);
    await expectTheSame('INSERT INTO item VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id', [7, 'again']);
    await expectTheSame('DELETE FROM item WHERE id = $1 RETURNING *', [7]);
    await expectTheSame('DELETE FROM item');
  });

  it.each<[string, unknown[]]>([
    ['SELEC 1', []],
    ['SELECT * FROM nowhere', []],
    ['SELECT $1::int', ['one']],
    ['SELECT 1/$1::int', [0]],
    ['INSERT INTO item VALUES ($1, NULL)', [1]],
    [`INSERT INTO item VALUES (1, 'one'), (1, 'two')`, []],
    ['SELECT 1; SELECT $1::int', [1]],
    ['SELECT $1::int, $2::int', [1]],
    [`INSERT INTO item VALUES (1, 'one'); SELECT 1/0`, []],
  ])('fail as node-pg fails: %s', async (text, values) => {
    expect(await expectTheSame(text, values)).toMatchObject({ code: expect.any(String) });
    await expectTheSame('SELECT count(*) FROM item');
  });
});
