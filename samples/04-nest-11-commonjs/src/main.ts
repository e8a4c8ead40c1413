import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';
import { OrdersService } from './orders.service';

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');
  const token = await app.get(OrdersService).ship('4711');
  console.log(`order 4711 shipped under token ${token}`);

  const bad = await fetch(`${await app.getUrl()}/dblock/locks/order:4711/lease`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ttl: 'soon' }),
  });
  const { issues } = (await bad.json()) as { issues: Array<{ field: string; rule: string }> };
  console.log(`${bad.status}: ${issues[0].field} ${issues[0].rule}`);

  const page = await fetch(`${await app.getUrl()}/dblock/admin`);
  console.log(`the admin page answers ${page.status}`);
  await app.close();
}

void main();
