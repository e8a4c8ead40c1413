import 'reflect-metadata';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DbLockModule, LockBusyError, LockClient } from 'nestjs-db-lock';

@Module({})
class AppModule {
  static of(apiServer: string): DynamicModule {
    return { module: AppModule, imports: [DbLockModule.forRoot({ autoRegisterModel: false, apiServer })] };
  }
}

const BUSY = {
  type: 'about:blank',
  title: 'Conflict',
  status: 409,
  detail: 'The lock is busy.',
  code: 'LOCK_BUSY',
};

/** A lock server all of whose locks are busy. */
const server = createServer((_, response) => {
  response.writeHead(409, { 'content-type': 'application/problem+json' }).end(JSON.stringify(BUSY));
});

async function main(): Promise<void> {
  const { port } = server.address() as AddressInfo;
  const app = await NestFactory.createApplicationContext(AppModule.of(`http://127.0.0.1:${port}/dblock`), {
    logger: ['error'],
    abortOnError: false,
  });
  const locks = app.get(LockClient);
  assert.equal(await locks.tryAcquire('invoice:42'), null);
  await assert.rejects(locks.acquire('invoice:42'), LockBusyError);
  await app.close();
  server.close();
}

server.listen(0, '127.0.0.1', () => {
  main().catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
