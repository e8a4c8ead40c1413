import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DbLockModule, LockClient } from 'nestjs-db-lock';

/**
 * Our LockClient in an application of its own, with the lock server in the same process.
 *
 * @param {string} url
 * @param {Partial<import('nestjs-db-lock').DbLockModuleOptions>} [options]
 * @returns {Promise<{ locks: LockClient, close(): Promise<void> }>}
 */
export async function openLockApplication(url, options) {
  const app = await NestFactory.createApplicationContext(
    {
      module: Object,
      imports: [
        TypeOrmModule.forRoot({ type: 'postgres', url, poolSize: 1, autoLoadEntities: true }),
        DbLockModule.forRoot({
          createTables: true,
          autoRegisterServices: false,
          autoRegisterAdmin: false,
          ...options,
        }),
      ],
    },
    { logger: ['error', 'warn'] },
  );
  return { locks: app.get(LockClient), close: () => app.close() };
}
