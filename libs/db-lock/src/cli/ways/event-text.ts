/** One server-sent event, with its data read. */
export interface TextEvent {
  type: string;
  data: Record<string, unknown>;
}

const END = '\n\n';

/** The events in a text, as it comes. What the admin sends has one line of data an event, which is JSON. */
export async function* eventsIn(chunks: AsyncIterable<string>): AsyncGenerator<TextEvent> {
  let text = '';
  for await (const chunk of chunks) {
    text += chunk;
    const blocks = text.split(END);
    text = blocks.pop()!;
    for (const block of blocks) {
      const type = fieldOf(block, 'event');
      const data = fieldOf(block, 'data');
      if (type !== undefined && data !== undefined)
        yield { type, data: JSON.parse(data) as Record<string, unknown> };
    }
  }
}

function fieldOf(block: string, name: string): string | undefined {
  const line = block.split('\n').find((line) => line.startsWith(`${name}: `));
  return line?.slice(name.length + 2);
}
