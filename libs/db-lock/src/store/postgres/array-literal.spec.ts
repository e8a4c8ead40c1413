import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../../../../../test/support/test-database.js';
import { numberArray, textArray } from './array-literal.js';

let database: TestDatabase;
let session: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  session = new pg.Client({ connectionString: database.url });
  await session.connect();
});

afterAll(async () => {
  await session.end();
  await database.drop();
});

/** What PostgreSQL makes of an array literal. */
async function read<Item>(literal: string, type: string): Promise<Item[]> {
  const statement = { name: type, text: `SELECT to_json($1::${type}[]) AS items`, values: [literal] };
  return (await session.query<{ items: Item[] }>(statement)).rows[0]!.items;
}

const texts = fc.array(
  fc.option(
    fc.oneof(
      fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '0')), // PostgreSQL has no such text
      fc.string({ unit: fc.constantFrom('"', '\\', '{', '}', ',', ' ', "'", '\n', 'N', 'a', '宕', '🔒') }),
      fc.constantFrom('', ' ', 'NULL', 'null', '"NULL"', '{}', '\\', '"', '\\"', 'undefined'),
    ),
  ),
);

/** Without -0, which no number of ours is. */
const numbers = fc.array(
  fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0)),
);

describe('an array literal', () => {
  it('is read by PostgreSQL as the texts that it was made of', () =>
    fc.assert(
      fc.asyncProperty(texts, async (items) => {
        expect(
          await read(
            textArray(items, (item) => item),
            'text',
          ),
        ).toEqual(items);
      }),
    ));

  it('is read by PostgreSQL as the numbers that it was made of', () =>
    fc.assert(
      fc.asyncProperty(numbers, async (items) => {
        expect(
          await read(
            numberArray(items, (item) => item),
            'float8',
          ),
        ).toEqual(items);
      }),
    ));

  it('keeps whole numbers whole', async () => {
    const items = [0, 1, -1, Number.MAX_SAFE_INTEGER, null];
    expect(
      await read(
        numberArray(items, (item) => item),
        'bigint',
      ),
    ).toEqual(items);
  });
});
