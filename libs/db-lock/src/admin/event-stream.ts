import { StreamableFile } from '@nestjs/common';
import { Readable } from 'node:stream';
import type { Observable } from 'rxjs';

export interface ServerSentEvent {
  type: string;
  data: object;
  /** From now on, a browser whose stream has ended opens the next one after so many milliseconds. */
  retry?: number;
}

/** So many bytes may wait for who reads slower than things happen. A stream that falls further behind is cut off. */
const MOST_PENDING = 4 * 1024 * 1024;

/**
 * Events as a stream that ends with them; nobody is subscribed to them any more when the stream is closed. `@Sse()` would do
 * the same, but sends what the application's interceptors have made of each event.
 * @throws what comes instead of the first event: until then, another answer can be given
 */
export function eventStream(events: Observable<ServerSentEvent>): Promise<StreamableFile> {
  const stream = new Readable({ read: () => undefined });
  // Who is cut off begins anew, which is nothing to log.
  const answer = new StreamableFile(stream, { type: 'text/event-stream' }).setErrorLogger(() => undefined);
  return new Promise((begin, fail) => {
    const subscription = events.subscribe({
      next: (event) => {
        stream.push(textOf(event));
        if (stream.readableLength > MOST_PENDING) stream.destroy(new Error('The reader is too slow.'));
        begin(answer);
      },
      error: (error: Error) => {
        stream.destroy(error);
        fail(error);
      },
      complete: () => {
        stream.push(null);
        begin(answer);
      },
    });
    stream.once('close', () => subscription.unsubscribe());
  });
}

const textOf = ({ type, data, retry }: ServerSentEvent): string =>
  `${retry === undefined ? '' : `retry: ${retry}\n`}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
