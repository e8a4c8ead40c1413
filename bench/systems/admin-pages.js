import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DbLockModule } from 'nestjs-db-lock';

export const name = 'Admin pages';
export const settings =
  "nestjs-db-lock's admin in a process of its own: each page has the list open and watches the changes, as in a browser";

/** By which the server knows its sessions. */
export const APPLICATION = 'admin-pages';

/** The application with the admin, and where it is. @type {import('../systems.js').SystemModule['open']} */
export async function open({ databaseUrl, feature }) {
  const app = await NestFactory.create(
    {
      module: class Application {},
      imports: [
        TypeOrmModule.forRoot({
          type: 'postgres',
          url: databaseUrl,
          poolSize: 1,
          autoLoadEntities: true,
          applicationName: APPLICATION,
        }),
        DbLockModule.forRoot({ feature, createTables: true, public: true }),
      ],
    },
    { logger: ['error'] },
  );
  await app.listen(0, '127.0.0.1');
  return { origin: `${await app.getUrl()}/${feature}/admin/api`, close: () => app.close() };
}
