import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { InvoicesService } from './invoices.service.js';

const logger = ['error', 'warn'] as const;
const instances = await Promise.all([
  NestFactory.create(AppModule, { logger: [...logger] }),
  NestFactory.create(AppModule, { logger: [...logger] }),
]);

const sent = new Set<number>();
const outcomes = await Promise.all(instances.map((app) => app.get(InvoicesService).send(42, sent)));
for (const outcome of outcomes.sort()) console.log(outcome);

const [app] = instances;
await app!.listen(0, '127.0.0.1');
const answer = await fetch(`${await app!.getUrl()}/dblock/locks/invoice:42`);
const { state, fencingToken } = (await answer.json()) as { state: string; fencingToken: number };
console.log(
  `invoice:42 is ${state} after token ${fencingToken}; people look at ${await app!.getUrl()}/dblock/admin`,
);

await Promise.all(instances.map((instance) => instance.close()));
