import { Pool } from 'undici';

/** As many as the most callers of a scenario, each of which has one. */
const CONNECTIONS = 256;

const JSON_BODY = { 'content-type': 'application/json' };

/** Calls an HTTP server over connections that stay open, one request at a time on each. */
export class HttpCaller {
  #pool;

  /** @param {import('../systems.js').Place} place */
  constructor({ origins = [] }) {
    this.#pool = new Pool(origins[0], { connections: CONNECTIONS, pipelining: 1 });
  }

  /**
   * @param {'GET' | 'POST' | 'DELETE'} method
   * @param {string} path
   * @param {number} expected - the status; any other is an error
   * @param {object} [content] - sent as JSON
   * @returns {Promise<string>} the body
   */
  async call(method, path, expected, content) {
    const { statusCode, body } = await this.#pool.request({
      method,
      path,
      ...(content && { headers: JSON_BODY, body: JSON.stringify(content) }),
    });
    const text = await body.text();
    if (statusCode !== expected) throw new Error(`${method} ${path}: ${statusCode} ${text}`);
    return text;
  }

  close() {
    return this.#pool.destroy();
  }
}
