import { describe, expect, it } from '@jest/globals';
import { EMPTY, of, Subject, throwError } from 'rxjs';
import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { eventStream, type ServerSentEvent } from './event-stream.js';

async function begun() {
  const events = new Subject<ServerSentEvent>();
  const answer = eventStream(events);
  events.next({ type: 'hello', data: {} });
  return { events, stream: (await answer).getStream() };
}

describe('eventStream', () => {
  it('writes events as browsers read them, and ends with them', async () => {
    const events = of<ServerSentEvent[]>(
      { type: 'hello', data: {}, retry: 3_000 },
      { type: 'changes', data: { removed: ['a\n\nb', 'ü'] } },
    );
    expect(await text((await eventStream(events)).getStream())).toBe(
      'retry: 3000\nevent: hello\ndata: {}\n\nevent: changes\ndata: {"removed":["a\\n\\nb","ü"]}\n\n',
    );
    expect(await text((await eventStream(EMPTY)).getStream())).toBe('');
  });

  it('fails as the events do', async () => {
    const failure = new Error('no events');
    await expect(eventStream(throwError(() => failure))).rejects.toBe(failure);
    const { events, stream } = await begun();
    events.error(failure);
    await expect(text(stream)).rejects.toBe(failure);
  });

  it('leaves them alone when it is closed', async () => {
    const { events, stream } = await begun();
    expect(events.observed).toBe(true);
    stream.destroy();
    await setImmediate();
    expect(events.observed).toBe(false);
  });

  it('is cut off when its reader falls far behind', async () => {
    const { events, stream } = await begun();
    const megabyte = { type: 'changes', data: { text: 'x'.repeat(1_000_000) } };
    for (let count = 0; count < 4; count++) events.next(megabyte);
    expect(stream.destroyed).toBe(false);
    events.next(megabyte);
    expect(stream.destroyed).toBe(true);
    await setImmediate();
    expect(events.observed).toBe(false);
  });
});
