import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ScheduleModule } from '@nestjs/schedule';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DbLockModule } from 'nestjs-db-lock';
import { setTimeout as sleep } from 'node:timers/promises';
import { Reports, runs } from './reports.js';

@Module({
  imports: [
    ScheduleModule.forRoot(),
    TypeOrmModule.forRoot({ type: 'postgres', url: process.env.DATABASE_URL, autoLoadEntities: true }),
    DbLockModule.forRoot({ createTables: true, autoRegisterAdmin: false, autoRegisterServices: false }),
  ],
  providers: [Reports],
})
class AppModule {}

const start = () => NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
const instances = [await start(), await start(), await start()];
while (runs.length < 3) await sleep(100);
await Promise.all(instances.map((instance) => instance.close()));

for (const { second, token } of runs)
  console.log(`${new Date(second * 1000).toISOString()}: sent under token ${token}`);
if (new Set(runs.map(({ second }) => second)).size < runs.length)
  throw new Error('Two instances sent the same report.');
