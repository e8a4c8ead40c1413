import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { CommandLine } from '../support/command-line.js';
import { FakeServer } from '../support/fake-server.js';
import { until } from '../support/patience.js';
import { PATIENCE } from './scene.js';

const TIME = '2030-01-01T00:00:00.000Z';

const lock = (lockName: string, fencingToken: number) => ({
  lockName,
  state: 'held',
  workerName: 'worker',
  fencingToken,
  lockTime: TIME,
  expireTime: TIME,
  serverTime: TIME,
  metadata: null,
  waiting: 0,
  mode: 'exclusive',
  holderCount: 1,
});

const event = (type: string, data: object = {}) => `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;

describe('db-lock watch', () => {
  let server: FakeServer;
  let running: CommandLine | undefined;
  let printed: string;

  beforeEach(async () => {
    server = await FakeServer.open(({ path }) => (path.endsWith('/changes') ? 'changes' : 'inspect'));
  });
  afterEach(async () => {
    running?.stdout.destroy();
    await running?.ended;
    await server.close();
    Logger.overrideLogger(['error', 'fatal']);
  });

  /** What each request for the changes is answered: the events, and then silence or the end. */
  const streams = (...texts: Array<[text: string, end?: 'end' | 'break']>) =>
    server.reply(
      'changes',
      ...texts.map(([text, end]) => (response: ServerResponse) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(text, () => {
          if (end === 'end') response.end();
          else if (end === 'break') response.destroy();
        });
      }),
    );

  /** What each request for a lock is answered. */
  const locks = (...tokens: number[]) =>
    server.reply(
      'inspect',
      ...tokens.map((token) => (response: ServerResponse) => {
        response.writeHead(200).end(JSON.stringify({ ...lock('a', token), holders: [], queue: [] }));
      }),
    );

  const watch = (...args: string[]) => {
    running = new CommandLine(['watch', ...args], { DB_LOCK_SERVER: server.url });
    printed = '';
    running.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    return running;
  };

  const prints = (text: string) => until(`it prints ${text}`, PATIENCE, () => printed.includes(text));

  const tokens = () =>
    printed
      .split('\n')
      .filter((line) => line !== '')
      .map(
        (line) => (JSON.parse(line) as { fencingToken?: number; state: string }).fencingToken ?? 'removed',
      );

  it('shows all locks as they change, those that are removed, too', async () => {
    const changes = { locks: [lock('a', 1), lock('other', 2)], removed: ['gone'] };
    streams([
      event('hello') + event('changes', changes) + event('changes', { locks: [lock('a', 3)], removed: [] }),
    ]);
    watch();
    await prints(' 3\n');
    const [header, ...rows] = printed.trimEnd().split('\n');
    expect(header).toMatch(/^TIME +NAME +STATE +HELD BY +SINCE +LEFT +WAITING +TOKEN$/);
    expect(rows.map((row) => row.split(/ {2,}/)[1])).toEqual(['a', 'other', 'gone', 'a']);
  });

  it('shows those that are named or begin with a prefix only, each once as it is', async () => {
    const changes = { locks: [lock('a', 1), lock('b', 2), lock('a', 1)], removed: ['a', 'b'] };
    streams([event('hello') + event('changes', changes)]);
    locks(1);
    watch('--json', 'a');
    await prints('removed');
    expect(tokens()).toEqual([1, 'removed']);
    running!.stdout.destroy();
    await running!.ended;
    watch('--json', '--prefix', 'b');
    await prints('removed');
    expect(tokens()).toEqual([2, 'removed']);
  });

  it('looks at the locks that are named when more has changed than is told', async () => {
    streams([event('hello') + event('many') + event('tick') + event('refresh')]);
    locks(1, 2, 2);
    watch('--json', 'a');
    await until('it has looked three times', PATIENCE, () => server.received.length === 4);
    await prints('"fencingToken":2');
    expect(tokens()).toEqual([1, 2]);
  });

  it('says so when other locks may have changed', async () => {
    streams([event('hello') + event('many') + event('changes', { locks: [lock('a', 1)], removed: [] })]);
    const { stdout, ended } = watch('--json');
    await prints('"fencingToken":1');
    stdout.destroy();
    expect((await ended).stderr).toBe(
      '{"message":"Other locks may have changed, too: db-lock list shows them."}\n',
    );
  });

  it.each(['end', 'break'] as const)('goes on when its stream comes to its %s', async (end) => {
    streams([event('hello'), end], [event('hello')]);
    locks(1, 2);
    const { stdout, ended } = watch('--json', 'a');
    await prints('"fencingToken":2');
    expect(tokens()).toEqual([1, 2]);
    stdout.destroy();
    const { stderr } = await ended;
    if (end === 'break') expect(stderr).toContain('Listening again');
    else expect(stderr).toBe('');
  });

  it('ends with 69 when nobody answers from the first, and with 77 when it is not let in', async () => {
    server.reply('changes', (response) => response.destroy());
    expect(await watch('a').ended).toMatchObject({ code: 69, stdout: '' });
    server.reply('changes', (response) => response.writeHead(401).end());
    expect(await watch('a').ended).toMatchObject({ code: 77, stdout: '' });
    server.reply('changes', (response) => response.writeHead(404).end());
    expect(await watch('a').ended).toMatchObject({ code: 69, stderr: expect.stringContaining('HTTP 404') });
  });
});
