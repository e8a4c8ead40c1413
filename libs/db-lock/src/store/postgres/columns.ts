import { MAX_NAME_LENGTH } from '../../lease/names.js';
import type { Columns } from '../database.js';

export const columns: Columns = {
  lockName: { type: 'varchar', length: MAX_NAME_LENGTH, collation: 'C' },
  person: { type: 'varchar', length: MAX_NAME_LENGTH },
  event: { type: 'varchar', length: 16 },
  uuid: { type: 'uuid' },
  number: { type: 'bigint' },
  id: { type: 'bigint', strategy: 'identity', generatedIdentity: 'ALWAYS' },
  time: { type: 'timestamptz' },
  json: { type: 'jsonb' },
  text: { type: 'text' },
};
