import { HttpException } from '@nestjs/common';
import { setMaxListeners } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Absence } from '../store/coalescer.js';

/** Express's response, or Fastify's reply around it. */
export type Response = { status(code: number): unknown } & (ServerResponse | { raw: ServerResponse });

/** What nginx logs for a caller who went away before the answer. Nobody reads the answer. */
const GONE = new HttpException('The caller has gone away.', 499);

/** What a connection tells before nothing can be written to it any more: it is closed only some time later. */
const ENDINGS = ['end', 'error', 'close'] as const;

const rawOf = (response: Response): ServerResponse => ('raw' in response ? response.raw : response);

/**
 * A signal that aborts when nobody waits for our answer any more: the caller went away, even before we were asked, or
 * has got another answer meanwhile, such as that of a time-out.
 */
export function whenGone(response: Response): AbortSignal {
  const raw = rawOf(response);
  const { socket } = raw.req;
  const gone = new AbortController();
  const abort = () => gone.abort(GONE);
  const look = () => {
    if (!socket.writable) abort();
  };
  look();
  // The response alone does not tell: it stays open as long as it stands behind others on its connection.
  setMaxListeners(0, socket);
  for (const ending of ENDINGS) socket.on(ending, look);
  raw.once('close', () => {
    for (const ending of ENDINGS) socket.off(ending, look);
    abort();
  });
  return gone.signal;
}

/** The same for who needs no call: it tells whenever it is asked, and costs nothing until then. */
export function absence(response: Response): Absence {
  return new Absent(rawOf(response));
}

class Absent implements Absence {
  readonly reason = GONE;

  constructor(private readonly raw: ServerResponse) {}

  get aborted(): boolean {
    return this.raw.writableEnded || this.raw.destroyed || !this.raw.req.socket.writable;
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }
}
