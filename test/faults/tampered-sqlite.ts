import libsql from 'libsql';
import { tamper, type Tampering } from './tampering.js';

/** A `driver` for TypeORM: libsql, which changes statements on their way to the file. */
export function tamperedSqlite(tamperings: readonly Tampering[]): unknown {
  return class extends libsql {
    override prepare = ((sql: string) =>
      libsql.prototype.prepare.call(this, tamper(sql, tamperings))) as libsql.Database['prepare'];
  };
}
