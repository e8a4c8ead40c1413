import { describe, expect, it } from '@jest/globals';
import { binlogFault, risksOf, versionFault } from './server-check.js';

const server = (variables: Record<string, string>) => new Map(Object.entries(variables));

describe('what a server must be', () => {
  it.each([
    ['5.7.44-log', 'the server is MySQL 5.7.44-log; locks need MySQL 8.0.19 or later.'],
    ['8.0.18', 'the server is MySQL 8.0.18; locks need MySQL 8.0.19 or later.'],
    ['8.0.19', undefined],
    ['8.0.40-commercial', undefined],
    ['8.4.0', undefined],
    ['9.1.0', undefined],
    ['10.5.27-MariaDB', 'the server is MariaDB 10.5.27-MariaDB; locks need MariaDB 10.6.0 or later.'],
    ['10.6.0-MariaDB', undefined],
    ['10.11.19-MariaDB-0+deb12u1', undefined],
    ['11.4.2-MariaDB-log', undefined],
  ])('new enough: %s', (version, fault) => {
    expect(versionFault(server({ version }))).toBe(fault);
  });

  it('one that logs no statements, if it logs', () => {
    expect(binlogFault(server({ log_bin: 'OFF', binlog_format: 'STATEMENT' }))).toBeUndefined();
    expect(binlogFault(server({ log_bin: 'ON', binlog_format: 'MIXED' }))).toBeUndefined();
    expect(binlogFault(server({ log_bin: 'ON', binlog_format: 'STATEMENT' }))).toContain('binlog_format=ROW');
  });

  it('durable, or it is warned about', () => {
    const durable = { innodb_flush_log_at_trx_commit: '1', log_bin: 'ON', sync_binlog: '1' };
    expect(risksOf(server(durable))).toEqual([]);
    expect(risksOf(server({ ...durable, log_bin: 'OFF', sync_binlog: '0' }))).toEqual([]);
    expect(risksOf(server({ ...durable, innodb_flush_log_at_trx_commit: '2', sync_binlog: '0' }))).toEqual([
      'innodb_flush_log_at_trx_commit is 2, not 1',
      'sync_binlog is 0, not 1',
    ]);
  });
});
