import { afterEach, describe, expect, it, jest } from '@jest/globals';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkPlace } from './place.js';

describe('the place of a SQLite file', () => {
  afterEach(() => {
    jest.restoreAllMocks();
    syncBuiltinESMExports();
  });

  it('is a disk of this host', async () => {
    await expect(checkPlace(join(tmpdir(), 'locks.db'))).resolves.toBeUndefined();
  });

  it.each([':memory:', 'file::memory:?cache=shared', ''])('is not memory (%j)', async (file) => {
    await expect(checkPlace(file)).rejects.toThrow('MemoryLockStore');
  });

  // There is no other host here.
  it.each([
    [0x6969, 'NFS'],
    [0xff534d42, 'CIFS'],
    [0xfe534d42, 'SMB'],
  ])('is no file system of another host (%d)', async (type, name) => {
    jest.spyOn(fs, 'statfs').mockResolvedValue({ type } as Awaited<ReturnType<typeof fs.statfs>>);
    syncBuiltinESMExports();
    await expect(checkPlace('/mnt/shared/locks.db')).rejects.toThrow(
      `/mnt/shared/locks.db is on a network file system (${name})`,
    );
  });
});
