import { HttpException } from '@nestjs/common';
import type { ServerResponse } from 'node:http';

/** Express's response, or Fastify's reply around it. */
export type Response = { status(code: number): unknown } & (ServerResponse | { raw: ServerResponse });

/** What nginx logs for a caller who went away before the answer. Nobody reads the answer. */
const CLIENT_CLOSED_REQUEST = 499;

/**
 * A signal that aborts when nobody waits for our answer any more: the caller went away, even before we were asked, or
 * has got another answer meanwhile, such as that of a time-out. Undefined for a caller that doesn't wait.
 */
export function whenGone(response: Response, wait: number): AbortSignal | undefined {
  if (wait === 0) return undefined;
  const raw = 'raw' in response ? response.raw : response;
  const { socket } = raw.req;
  const gone = new AbortController();
  const abort = () => gone.abort(new HttpException('The caller has gone away.', CLIENT_CLOSED_REQUEST));
  if (raw.destroyed || socket.destroyed) abort();
  // A response that stands behind others on its connection does not close with it.
  socket.once('close', abort);
  raw.once('close', () => {
    socket.off('close', abort);
    abort();
  });
  return gone.signal;
}
