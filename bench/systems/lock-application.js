import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DbLockModule, LockClient } from 'nestjs-db-lock';

/**
 * Our LockClient in an application of its own, with the lock server in the same process unless the options say otherwise.
 *
 * @param {string | undefined} url - of the database, where there is one
 * @param {Partial<import('nestjs-db-lock').DbLockModuleOptions>} [options]
 * @returns {Promise<{ locks: LockClient, close(): Promise<void> }>}
 */
export async function openLockApplication(url, options) {
  const app = await NestFactory.createApplicationContext(
    {
      module: Object,
      imports: [
        ...(url === undefined
          ? []
          : [TypeOrmModule.forRoot({ type: 'postgres', url, poolSize: 1, autoLoadEntities: true })]),
        DbLockModule.forRoot({
          createTables: true,
          autoRegisterServices: false,
          autoRegisterAdmin: false,
          ...options,
        }),
      ],
    },
    { logger: ['error'] },
  );
  return { locks: app.get(LockClient), close: () => app.close() };
}
