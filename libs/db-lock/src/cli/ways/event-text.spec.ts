import { describe, expect, it } from '@jest/globals';
import { eventsIn } from './event-text.js';

async function* chunksOf(...chunks: string[]) {
  yield* chunks;
}

describe('events in a text', () => {
  it('are read whole, however the text comes', async () => {
    const text =
      'retry: 3000\nevent: hello\ndata: {}\n\n: comment\n\nevent: changes\ndata: {"removed":["a\u2028\\n\\nb"]}\n\nevent: ti';
    const expected = [
      { type: 'hello', data: {} },
      { type: 'changes', data: { removed: ['a\u2028\n\nb'] } },
    ];
    for (const size of [1, 7, 1000]) {
      const chunks = text.match(new RegExp(`[^]{1,${size}}`, 'g'))!;
      const events = [];
      for await (const event of eventsIn(chunksOf(...chunks))) events.push(event);
      expect(events).toEqual(expected);
    }
  });
});
