import type { ServerResponse } from 'node:http';

/** As much of Fastify's reply as is needed. */
interface Reply {
  raw: ServerResponse;
  status(code: number): Reply;
  headers(values: Record<string, string>): Reply;
  send(body?: Buffer): unknown;
}

/** Express's response, or Fastify's reply. */
export type PlatformResponse = ServerResponse | Reply;

/**
 * Sends bytes as they are. Nest would send what a handler returns through the application's interceptors, which may
 * wrap it, and each platform in its own way.
 */
export function answer(
  response: PlatformResponse,
  status: number,
  headers: Record<string, string>,
  body?: Buffer,
): void {
  if ('raw' in response) {
    response.status(status).headers(headers).send(body);
    return;
  }
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (body) response.setHeader('Content-Length', body.length);
  response.end(body);
}
