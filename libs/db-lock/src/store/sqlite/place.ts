import { realpath, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { DbLockConfigurationError } from '../../lease/errors.js';

/** File systems that other hosts share, by the numbers that statfs(2) of Linux has for them. */
const NETWORKS = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x5346414f, 'AFS'],
  [0x7461636f, 'OCFS2'],
  [0x01161970, 'GFS2'],
]);

/**
 * Refuses what no two connections, or no two hosts, can share as SQLite's locks need it.
 * @throws DbLockConfigurationError
 */
export async function checkPlace(file: string): Promise<void> {
  const refuse = (why: string) => new DbLockConfigurationError('dataSource', why);
  if (/:memory:|mode=memory/.test(file) || file === '')
    throw refuse(
      'a database in memory is one connection\'s alone, and locks need one of their own: name a file, or use "store: new MemoryLockStore()".',
    );
  const { type } = await statfs(dirname(await whereItIs(resolve(file))));
  const network = NETWORKS.get(type);
  if (network !== undefined)
    throw refuse(
      `${file} is on a network file system (${network}), where SQLite's locks don't hold: keep it on a disk of this host, or use another database.`,
    );
}

/** SQLite follows links. A file that is not there yet is where its path says. */
const whereItIs = (path: string): Promise<string> => realpath(path).catch(() => path);
