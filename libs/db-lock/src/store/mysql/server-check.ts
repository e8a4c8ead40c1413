import { Logger } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { DbLockConfigurationError } from '../../lease/errors.js';
import { CLOCK_GOES_ON, SERVER_VARIABLES } from './sessions.sql.js';

/** The oldest servers that have all that the statements need. */
const OLDEST = { MySQL: [8, 0, 19], MariaDB: [10, 6, 0] } as const;

type Variables = ReadonlyMap<string, string>;

/** The server's variables, by name, as far as it has them. */
export async function serverVariables(query: (sql: string) => Promise<unknown>): Promise<Variables> {
  const rows = (await query(SERVER_VARIABLES)) as Array<{ Variable_name: string; Value: string }>;
  return new Map(rows.map(({ Variable_name, Value }) => [Variable_name.toLowerCase(), Value]));
}

export const isMariadb = (variables: Variables) => /mariadb/i.test(variables.get('version') ?? '');

/**
 * Whether a server is fit for locks.
 * @throws DbLockConfigurationError
 */
export async function checkServer(dataSource: DataSource): Promise<void> {
  const variables = await serverVariables((sql) => dataSource.query(sql));
  const fault =
    versionFault(variables) ?? binlogFault(variables) ?? clockFault(await dataSource.query(CLOCK_GOES_ON));
  if (fault !== undefined) throw new DbLockConfigurationError('dataSource', fault);
  const risks = risksOf(variables);
  if (risks.length > 0)
    new Logger('DbLock').warn(
      `The server may lose grants when its machine crashes: ${risks.join(' and ')}. Then a lock may be granted twice.`,
    );
}

export function versionFault(variables: Variables): string | undefined {
  const version = variables.get('version') ?? '';
  const name = isMariadb(variables) ? 'MariaDB' : 'MySQL';
  const oldest = OLDEST[name];
  const parts = version.split('.', 3).map((part) => Number.parseInt(part, 10));
  const first = oldest.findIndex((part, index) => part !== parts[index]);
  const isOld = first >= 0 && !(parts[first]! > oldest[first]!);
  return isOld
    ? `the server is ${name} ${version}; locks need ${name} ${oldest.join('.')} or later.`
    : undefined;
}

/** At READ COMMITTED, InnoDB writes nothing that would be logged as statements. */
export const binlogFault = (variables: Variables) =>
  variables.get('log_bin') === 'ON' && variables.get('binlog_format') === 'STATEMENT'
    ? 'the server writes its binary log as statements; locks need binlog_format=ROW or MIXED.'
    : undefined;

const clockFault = ([row]: Array<{ goes_on: number | string }>) =>
  Number(row!.goes_on) === 1
    ? undefined
    : 'the server was started with --sysdate-is-now; locks need a clock that goes on within a statement.';

export function risksOf(variables: Variables): string[] {
  const flush = variables.get('innodb_flush_log_at_trx_commit');
  const sync = variables.get('sync_binlog');
  return [
    ...(flush === '1' ? [] : [`innodb_flush_log_at_trx_commit is ${flush}, not 1`]),
    ...(variables.get('log_bin') !== 'ON' || sync === '1' ? [] : [`sync_binlog is ${sync}, not 1`]),
  ];
}
