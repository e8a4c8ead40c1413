import 'reflect-metadata';
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Test } from '@nestjs/testing';
import * as first from 'nestjs-db-lock';
import { DbLockTestingModule } from 'nestjs-db-lock/testing';

/** The package's ES modules and its CommonJS modules, in one process: what one has made, the other one knows. */
const root = createRequire(import.meta.url);
const directory = dirname(root.resolve('nestjs-db-lock/package.json'));
const second = root(join(directory, 'dist/cjs/index.js')) as typeof first;
assert.notEqual(first.LockClient, second.LockClient);

class Orders {
  async ship(): Promise<number | undefined> {
    return first.currentLease()?.fencingToken;
  }
}
const ship = Object.getOwnPropertyDescriptor(Orders.prototype, 'ship')!;
second.UseLock('order')(Orders.prototype, 'ship', ship);
Object.defineProperty(Orders.prototype, 'ship', ship);

const module = await Test.createTestingModule({
  imports: [DbLockTestingModule.forRoot()],
  providers: [Orders],
}).compile();
await module.init();

const locks = module.get(second.LockClient, { strict: false });
assert.equal(locks, module.get(first.LockClient, { strict: false }));
assert.ok(locks instanceof first.LockClient && locks instanceof second.LockClient);
assert.equal(typeof (await module.get(Orders).ship()), 'number');

await locks.acquire('job');
const error: unknown = await locks.acquire('job').catch((refusal: unknown) => refusal);
assert.ok(error instanceof second.LockBusyError && error instanceof first.LockBusyError);
assert.ok(error instanceof second.DbLockError && !(error instanceof second.LeaseLostError));
assert.ok(!(new Error('busy') instanceof second.DbLockError));
await module.close();
