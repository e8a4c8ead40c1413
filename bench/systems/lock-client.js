import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DbLockModule, LockClient } from 'nestjs-db-lock';

/**
 * Our LockClient, with its server in the same process.
 *
 * @param {string} url
 * @returns {Promise<import('../measurement.js').System>}
 */
export async function openLockClient(url) {
  const app = await NestFactory.createApplicationContext(
    {
      module: Object,
      imports: [
        TypeOrmModule.forRoot({ type: 'postgres', url, poolSize: 1, autoLoadEntities: true }),
        DbLockModule.forRoot({ createTables: true, autoRegisterServices: false, autoRegisterAdmin: false }),
      ],
    },
    { logger: ['error', 'warn'] },
  );
  const locks = app.get(LockClient);
  return {
    name: 'LockClient in process',
    async cycle(lockName) {
      const lease = await locks.acquire(lockName);
      await lease.release();
    },
    close: () => app.close(),
  };
}
