import { Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DbLockModule, LockBusyError, LockClient } from 'nestjs-db-lock';
import { startServer, TOKEN } from './server.js';

@Module({})
class WorkerModule {
  static of(apiServer: string): DynamicModule {
    const locks = DbLockModule.forRoot({ autoRegisterModel: false, apiServer, apiToken: TOKEN });
    return { module: WorkerModule, imports: [locks] };
  }
}

const server = await startServer();
const workerModule = WorkerModule.of(`${await server.getUrl()}/dblock`);
const worker = await NestFactory.createApplicationContext(workerModule, { logger: ['error', 'warn'] });

const locks = worker.get(LockClient);
await locks.withLock('import', { ttl: '10s' }, async (lease) => {
  console.log(`import runs under token ${lease.fencingToken}, renewed until it is done`);
  const refused = await locks.acquire('import').catch((error: unknown) => error);
  console.log(`a second one: ${refused instanceof LockBusyError ? refused.message : 'was not refused'}`);
});
console.log(`then the lock is ${(await locks.inspect('import'))?.state}`);

await worker.close();
await server.close();
