import { Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { sql } from 'drizzle-orm';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { DbLockModule, LockClient } from 'nestjs-db-lock';
import { Pool } from 'pg';

const url = process.env.DATABASE_URL;
const pool = new Pool({ connectionString: url });
const DRIZZLE = 'drizzle';

@Injectable()
class Imports {
  constructor(
    @Inject(DRIZZLE) private readonly database: NodePgDatabase,
    private readonly locks: LockClient,
  ) {}

  async run(): Promise<string> {
    return this.locks.withLock('import', async (lease) => {
      const { rows } = await this.database.execute<{ held: string }>(
        sql`SELECT worker_name AS held FROM dblock_lock WHERE lock_name = 'import'`,
      );
      return `token ${lease.fencingToken}, and Drizzle sees that ${rows[0].held} holds the lock`;
    });
  }
}

@Module({
  imports: [
    DbLockModule.forRoot({
      database: { type: 'postgres', url },
      createTables: true,
      workerName: 'importer-1',
      autoRegisterAdmin: false,
      autoRegisterServices: false,
    }),
  ],
  providers: [Imports, { provide: DRIZZLE, useValue: drizzle(pool) }],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  console.log(await app.get(Imports).run());
  await app.close();
  await pool.end();
}

void main();
