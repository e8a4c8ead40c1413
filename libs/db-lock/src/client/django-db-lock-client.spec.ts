import { expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { findFreePort } from '../../../../test/support/free-port.js';
import { DjangoDbLockClient } from './django-db-lock-client.js';
import { DjangoDbLockTransport } from './django-db-lock-transport.js';

it('an acquire without an answer is never repeated: its own grant would read as busy', async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(new URL(request.url!, 'http://localhost').pathname);
    response.writeHead(503).end();
  });
  const port = await findFreePort();
  await once(server.listen(port, '127.0.0.1'), 'listening');
  const transport = new DjangoDbLockTransport({
    apiServer: `http://127.0.0.1:${port}/dblock`,
    requestTimeout: 10_000,
    acquireLockPath: 'acquireLock',
    releaseLockPath: 'releaseLock',
  });
  const client = new DjangoDbLockClient({ ttl: 1_000, workerName: 'ann', retries: 3 }, transport);

  await expect(client.acquire('job')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  await client.close();
  server.close();
  expect(asked.filter((path) => path === '/dblock/acquireLock')).toHaveLength(1);
});
