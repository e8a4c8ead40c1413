import 'reflect-metadata';
import assert from 'node:assert/strict';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DbLockModule } from 'nestjs-db-lock';
import { InvoicesService } from './invoices.service.js';

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'better-sqlite3', database: 'locks.db', autoLoadEntities: true }),
    DbLockModule.forRoot({ createTables: true, public: true }),
  ],
  providers: [InvoicesService],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['error'], abortOnError: false });
  await app.listen(0, '127.0.0.1');

  const { token, seen, alone } = await app.get(InvoicesService).send(42);
  assert.equal(alone, true);
  assert.equal(seen?.state, 'held');
  assert.equal(seen.workerName, 'sender');
  assert.equal(seen.fencingToken, token);

  const response = await fetch(`${await app.getUrl()}/dblock/locks/invoice:42`);
  assert.equal(response.status, 200);
  assert.equal(((await response.json()) as { state: string }).state, 'released');

  const admin = `${await app.getUrl()}/dblock/admin`;
  const page = await fetch(admin);
  assert.equal(page.status, 200);
  const script = /src="\.\/(assets\/[^"]+\.js)"/.exec(await page.text())?.[1];
  assert.equal((await fetch(`${admin}/${script}`)).status, 200);
  await app.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
