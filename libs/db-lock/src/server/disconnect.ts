import { HttpException } from '@nestjs/common';
import type { ServerResponse } from 'node:http';

/** Express's response, or Fastify's reply around it. */
export type Response = { status(code: number): unknown } & (ServerResponse | { raw: ServerResponse });

/** What nginx logs for a caller who went away before the answer. Nobody reads the answer. */
const CLIENT_CLOSED_REQUEST = 499;

/** A signal that aborts when the caller goes away while it waits; undefined for one that doesn't wait. */
export function whenGone(response: Response, wait: number): AbortSignal | undefined {
  if (wait === 0) return undefined;
  const { raw = response } = response as { raw?: ServerResponse };
  const gone = new AbortController();
  (raw as ServerResponse).once('close', () => {
    if (!(raw as ServerResponse).writableFinished)
      gone.abort(new HttpException('The caller has gone away.', CLIENT_CLOSED_REQUEST));
  });
  return gone.signal;
}
