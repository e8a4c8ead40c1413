import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/**
 * What one process does.
 *
 * @typedef {import('./systems.js').Place & { system: string, hold: number, pause: number }} Task - `hold` and `pause` in ms
 */

/**
 * @typedef {object} Schedule
 * @property {bigint} origin - on the clock of process.hrtime, which all processes of a machine share
 * @property {number} end - in ms since then
 */

/** @typedef {import('node:child_process').ChildProcess} Member */

const WORKER = fileURLToPath(new URL('worker.js', import.meta.url));

/** How long a process may take to end by itself, in ms. */
const ENDING = 5_000;

/** The processes of one measurement. They end when this one does. */
export class Crew {
  /** @type {Member[]} */
  #members = [];

  /**
   * Starts them; resolves when each has had the lock once.
   *
   * @param {Omit<Task, 'waiters' | 'member'>} task
   * @param {number} waiters - shared out evenly
   * @param {number} processes
   */
  static async gather(task, waiters, processes) {
    const crew = new Crew();
    try {
      for (let member = 0; member < processes; member++)
        crew.#start({ ...task, member, waiters: Math.floor((waiters + member) / processes) });
      await crew.#answers();
    } catch (error) {
      await crew.dismiss();
      throw error;
    }
    return crew;
  }

  /**
   * Lets their waiters go.
   *
   * @param {Schedule} schedule
   * @returns {Promise<import('./waiters.js').Report[]>} a process
   */
  async work(schedule) {
    const reports = this.#answers();
    this.#tell(schedule);
    return reports;
  }

  /** Resolves when all have ended. */
  async dismiss() {
    const ended = Promise.all(this.#members.filter(isRunning).map((member) => once(member, 'exit')));
    this.#tell('close');
    const patience = setTimeout(() => this.#members.forEach((member) => member.kill('SIGKILL')), ENDING);
    await ended;
    clearTimeout(patience);
  }

  /** @param {Task} task */
  #start(task) {
    this.#members.push(fork(WORKER, [JSON.stringify(task)], { serialization: 'advanced' }));
  }

  /** @param {unknown} message */
  #tell(message) {
    for (const member of this.#members) if (member.connected) member.send(/** @type {any} */ (message));
  }

  async #answers() {
    return Promise.all(this.#members.map(answerOf));
  }
}

/** @param {Member} member */
const isRunning = ({ exitCode, signalCode }) => exitCode === null && signalCode === null;

/** @param {Member} member */
async function answerOf(member) {
  const settled = new AbortController();
  const { signal } = settled;
  const fail = async () => {
    await once(member, 'exit', { signal });
    throw new Error('A process of the benchmark ended too soon.');
  };
  try {
    return await Promise.race([once(member, 'message', { signal }).then(([message]) => message), fail()]);
  } finally {
    settled.abort();
  }
}
