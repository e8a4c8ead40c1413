import type { ValueTransformer } from 'typeorm';
import { MAX_NAME_LENGTH } from '../../lease/names.js';
import type { Columns } from '../database.js';
import { toTime } from '../rows.js';

/** Collations that compare byte by byte, trailing spaces too, by the kind of server. No other of utf8mb4 does. */
export const COLLATIONS = { mysql: 'utf8mb4_0900_bin', mariadb: 'utf8mb4_nopad_bin' } as const;

export type ServerKind = keyof typeof COLLATIONS;

const ASCII = { charset: 'ascii', collation: 'ascii_bin' } as const;

/** Times are whole microseconds since 1970: no session's time zone can bend them. FindOperators pass unchanged. */
const time: ValueTransformer = {
  to: (value: unknown) => (value instanceof Date ? String(value.getTime() * 1000) : value),
  from: (value: unknown) => (value === null || value === undefined ? value : toTime(value as string)),
};

const json: ValueTransformer = {
  to: (value: unknown) => (value === null || value === undefined ? value : JSON.stringify(value)),
  from: (value: unknown) => (typeof value === 'string' ? (JSON.parse(value) as unknown) : value),
};

export function columnsOf(kind: ServerKind): Columns {
  const text = { charset: 'utf8mb4', collation: COLLATIONS[kind] };
  const name = { type: 'varchar', length: MAX_NAME_LENGTH, ...text } as const;
  return {
    lockName: name,
    person: name,
    event: { type: 'varchar', length: 16, ...ASCII },
    uuid: { type: 'char', length: 36, ...ASCII },
    number: { type: 'bigint' },
    id: { type: 'bigint', strategy: 'increment' },
    time: { type: 'bigint', transformer: time },
    json: { type: 'mediumtext', transformer: json, ...text },
    text: { type: 'text', ...text },
    version: { type: 'bigint' },
  };
}
