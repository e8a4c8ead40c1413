import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { AppModule } from '../src/app.module';
import { OrdersService } from '../src/orders.service';

describe('the application', () => {
  let app: INestApplication;
  let origin: string;

  beforeAll(async () => {
    const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app = module.createNestApplication();
    await app.listen(0, '127.0.0.1');
    origin = await app.getUrl();
  });
  afterAll(() => app.close());

  it('ships orders under growing tokens', async () => {
    const orders = app.get(OrdersService);
    const [first, second] = await Promise.all([orders.ship('1'), orders.ship('1')]);
    expect(first).not.toBe(second);
  });

  it('refuses a lease that breaks a rule, and says which', async () => {
    const answer = await fetch(`${origin}/dblock/locks/order:1/lease`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ttl: '10 parsecs' }),
    });
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    await expect(answer.json()).resolves.toMatchObject({ issues: [{ field: 'ttl' }] });
  });
});
