import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { FakeServer } from '../../../../test/support/fake-server.js';
import { StoreUnavailableError } from '../lease/errors.js';
import { HttpExchange } from './http-exchange.js';

describe('what a server tells for as long as it is heard', () => {
  let server: FakeServer;
  let exchange: HttpExchange;
  let connection: ServerResponse;
  let heard: string[];

  beforeEach(async () => {
    server = await FakeServer.open(() => 'changes');
    exchange = new HttpExchange({ apiServer: server.url, requestTimeout: 60_000 });
    heard = [];
  });
  afterEach(async () => {
    await exchange.close();
    await server.close();
  });

  /** The server begins with so much. */
  const begins = (bytes: string | Buffer) =>
    server.reply('changes', (response) => {
      connection = response.writeHead(200, { 'content-type': 'text/event-stream' });
      connection.write(bytes);
    });

  /** @param silence milliseconds */
  async function listen(silence: number, onHeard?: () => void): Promise<void> {
    for await (const piece of await exchange.follow('changes', silence, new AbortController().signal)) {
      heard.push(piece);
      onHeard?.();
    }
  }

  it('ends with an error when the server falls silent, on a connection that stays open', async () => {
    begins('one');
    await expect(listen(100)).rejects.toThrow(StoreUnavailableError);
    expect(heard).toEqual(['one']);
    expect(connection.writableEnded).toBe(false);
  });

  it('is text, also where a piece ends within a character', async () => {
    const bytes = Buffer.from('a€b');
    begins(bytes.subarray(0, 2));
    await listen(60_000, () => connection.end(bytes.subarray(2)));
    expect(heard).toEqual(['a', '€b']);
  });
});
