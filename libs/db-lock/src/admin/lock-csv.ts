import { stringify } from 'csv-stringify';
import { pipeline, Readable } from 'node:stream';
import { toLockJson } from '../server/schemas.js';
import type { LockRecord } from '../store/lock-store.js';

const COLUMNS = {
  lockName: 'lock_name',
  state: 'state',
  workerName: 'worker_name',
  fencingToken: 'fencing_token',
  lockTime: 'lock_time',
  expireTime: 'expire_time',
  waiting: 'waiting',
  metadata: 'metadata',
  mode: 'mode',
  holders: 'holders',
  permits: 'permits',
  limits: 'limits',
};

/**
 * Where csv-stringify leaves a formula that a spreadsheet may see: behind a line feed that begins the cell; and within it, where the
 * spreadsheet's separator is another one than ours, so that what follows it begins a cell there.
 */
const HIDDEN_FORMULA = /^(?=\n)|(?<=[;\t\r\n]"*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])/g;

/**
 * Locks as CSV (RFC 4180), each cell in quotes. What a spreadsheet would take for a formula gets an apostrophe in front.
 * @param chunks many locks, some at a time; read as fast as the reader of the CSV takes them
 * @throws what reading the first of them throws: until then, another answer can be given
 */
export async function lockCsv(chunks: AsyncIterable<readonly LockRecord[]>): Promise<Readable> {
  const csv = stringify({
    header: true,
    columns: COLUMNS,
    escape_formulas: true,
    cast: { string: (value) => value.replace(HIDDEN_FORMULA, "'") },
    quoted: true,
    record_delimiter: 'windows',
    bom: true,
  });
  // Errors reach the reader by the destroyed stream.
  return pipeline(Readable.from(rowsOf(await begun(chunks))), csv, () => undefined);
}

/** The same, when its first value is there. */
async function begun<Value>(values: AsyncIterable<Value>): Promise<AsyncIterable<Value>> {
  const rest = values[Symbol.asyncIterator]();
  const first = await rest.next();
  return (async function* () {
    try {
      if (first.done) return;
      yield first.value;
      yield* { [Symbol.asyncIterator]: () => rest };
    } finally {
      await rest.return?.(); // who stops reading after the first has not come to the others
    }
  })();
}

async function* rowsOf(chunks: AsyncIterable<readonly LockRecord[]>) {
  for await (const locks of chunks)
    for (const lock of locks) {
      const { mode, holderCount, permits, limits, ...json } = toLockJson(lock);
      yield {
        ...json,
        metadata: json.metadata && JSON.stringify(json.metadata),
        mode,
        holders: holderCount,
        permits,
        limits: limits?.join(' '),
      };
    }
}
