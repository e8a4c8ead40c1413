import { Test } from '@nestjs/testing';
import { LeaseLostError } from 'nestjs-db-lock';
import { DbLockTestingModule, TestLocks, underTestLocks } from 'nestjs-db-lock/testing';
import { describe, expect, it } from 'vitest';
import { Imports } from '../src/imports.js';

describe('a class that the test makes by itself', () => {
  it('runs under its lock', async () => {
    const imports = new Imports(underTestLocks().client);
    const locks = underTestLocks(imports);
    await imports.run('prices.csv');
    expect(locks.history).toMatchObject([
      { type: 'acquired', lockName: 'import:prices.csv' },
      { type: 'released' },
    ]);
  });

  it('skips what another worker does', async () => {
    const imports = new Imports(underTestLocks().client);
    const locks = underTestLocks(imports);
    await locks.elsewhere.acquire('import:prices.csv');
    await imports.run('prices.csv');
    expect(imports.done).toEqual([]);
  });
});

describe('a class that Nest makes', () => {
  it('loses a reservation after its time', async () => {
    const module = await Test.createTestingModule({
      imports: [DbLockTestingModule.forRoot()],
      providers: [Imports],
    }).compile();
    const lease = await module.get(Imports).reserve('prices.csv');
    await module.get(TestLocks).advance('31s');
    await expect(lease!.release()).rejects.toThrow(LeaseLostError);
    await module.close();
  });
});
