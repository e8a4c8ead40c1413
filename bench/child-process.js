import { once } from 'node:events';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

/** @param {ChildProcess} child */
export const isRunning = ({ exitCode, signalCode }) => exitCode === null && signalCode === null;

/** Sends a signal; resolves when the process has ended. @param {ChildProcess} child @param {NodeJS.Signals} [signal] */
export async function end(child, signal = 'SIGTERM') {
  if (!isRunning(child)) return;
  child.kill(signal);
  await once(child, 'exit');
}

/**
 * The next message of a process.
 *
 * @param {ChildProcess} child
 * @param {string} name - of the process, for the error
 * @returns {Promise<any>} rejects when it ends before
 */
export async function messageOf(child, name) {
  const settled = new AbortController();
  const { signal } = settled;
  const fail = async () => {
    if (isRunning(child)) await once(child, 'exit', { signal });
    throw new Error(`The process ${name} ended too soon.`);
  };
  try {
    return await Promise.race([once(child, 'message', { signal }).then(([message]) => message), fail()]);
  } finally {
    settled.abort();
  }
}
