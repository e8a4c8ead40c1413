import { setTimeout as sleep } from 'node:timers/promises';

/** As the page does where much changes: it asks for the locks that it shows, and now and then for its view. In ms. */
const LOOK_INTERVAL = 3_000;
const READ_INTERVAL = 30_000;

/**
 * Has so many pages open, which are told what changes. They have been open before: each begins with what it shows by then.
 *
 * @param {import('../systems.js').System[]} systems - one
 * @param {{ pages: number, seconds: number }} options
 * @returns {Promise<{ reads: number, looks: number, messages: number }>}
 */
export async function run([{ origin }], { pages, seconds }) {
  const report = { reads: 0, looks: 0, messages: 0 };
  const leaving = new AbortController();
  const opened = Array.from({ length: pages }, (_, page) =>
    watch(`${origin}`, page, report, leaving.signal).catch((/** @type {Error} */ error) => {
      if (!leaving.signal.aborted) throw error;
    }),
  );
  await Promise.race([sleep(seconds * 1000), Promise.all(opened).then(() => sleep(seconds * 1000))]);
  leaving.abort();
  await Promise.all(opened);
  return report;
}

/**
 * @param {string} api
 * @param {number} page
 * @param {{ reads: number, looks: number, messages: number }} report
 * @param {AbortSignal} signal
 */
async function watch(api, page, report, signal) {
  const sorts = ['lockName', 'expireTime', 'lockTime', 'workerName', 'waiting'];
  /** @type {string[]} */
  let shown = [];
  const read = async () => {
    const answer = await fetch(`${api}/locks?sort=${sorts[page % sorts.length]}&order=desc`, { signal });
    const { items } = /** @type {{ items: Array<{ lockName: string }> }} */ (await answer.json());
    shown = items.map(({ lockName }) => lockName);
    report.reads++;
  };
  const look = async () => {
    const body = JSON.stringify({ lockNames: shown });
    const headers = { 'content-type': 'application/json' };
    await (await fetch(`${api}/inspect`, { method: 'POST', body, headers, signal })).json();
    report.looks++;
  };
  const stream = await fetch(`${api}/changes`, { signal });
  await read();
  // Pages are not all opened at the same time.
  let lastRead = performance.now() - (page / 10) * READ_INTERVAL;
  let lastLook = performance.now();
  const decoder = new TextDecoder();
  for await (const chunk of /** @type {AsyncIterable<Uint8Array>} */ (/** @type {any} */ (stream.body))) {
    if (!/event: (many|refresh)/.test(decoder.decode(chunk, { stream: true }))) continue;
    report.messages++;
    if (performance.now() - lastRead > READ_INTERVAL) {
      lastRead = performance.now();
      await read();
    } else if (performance.now() - lastLook > LOOK_INTERVAL) {
      lastLook = performance.now();
      await look();
    }
  }
}
