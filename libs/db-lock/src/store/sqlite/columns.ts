import type { ValueTransformer } from 'typeorm';
import type { Columns } from '../database.js';

/** Whole numbers are numbers here, and strings in entities, as they are everywhere. */
const asText: ValueTransformer = {
  from: (value: number | null) => (value === null ? null : String(value)),
  to: (value: unknown) => (typeof value === 'string' ? Number(value) : value),
};

/** Whole microseconds since 1970 here, and a Date in entities. */
const asDate: ValueTransformer = {
  from: (value: number | null) => (value === null ? null : new Date(Math.floor(value / 1000))),
  to: (value: unknown) => (value instanceof Date ? value.getTime() * 1000 : value),
};

export const columns: Columns = {
  lockName: { type: 'text' },
  person: { type: 'text' },
  event: { type: 'text' },
  uuid: { type: 'text' },
  number: { type: 'integer', transformer: asText },
  id: { type: 'integer', transformer: asText, strategy: 'increment' },
  time: { type: 'integer', transformer: asDate },
  json: { type: 'simple-json' },
  text: { type: 'text' },
  version: { type: 'integer', transformer: asText },
};
